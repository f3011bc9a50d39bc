//! Nodes that do as they are told, at once.

use anyhow::Result;
use holdfast_crds::NodeConfig;
use kube::Client;
use serde_json::{Value, json};

use crate::cluster::PlayedAgent;

/// The preferred node of a VirtualIP that is spread has this priority.
const PREFERRED: u8 = 250;

/// An agent that reports every virtual router as soon as it is asked for.
pub(super) async fn start(client: &Client, node: &str) -> Result<PlayedAgent> {
    PlayedAgent::start(client, node, Box::new(|config| Some(routers(config)))).await
}

/// The preferred node is master, and the others are backups.
fn routers(config: &NodeConfig) -> Vec<Value> {
    let routers = config.spec.virtual_routers.iter().map(|router| {
        let (state, reason) =
            if router.priority == PREFERRED { ("MASTER", "MasterSilent") } else { ("BACKUP", "HigherPriority") };
        json!({
            "name": router.name, "state": state, "priority": router.priority, "interface": "eth0",
            "since": "2026-01-01T00:00:00Z", "reason": reason,
        })
    });
    routers.collect()
}
