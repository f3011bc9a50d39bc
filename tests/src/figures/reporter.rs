//! An agent as far as the API server can tell: its heartbeat, and the status of its NodeConfig after each change of the spec.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use holdfast_crds::NodeConfig;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use crate::cluster::NAMESPACE;

/// As the agent does.
const BEAT: Duration = Duration::from_secs(5);

/// The preferred node of a VirtualIP that is spread has this priority.
const PREFERRED: u8 = 250;

/// It reports until it is dropped.
pub(super) struct Reporter(JoinHandle<()>);

impl Reporter {
    /// Begins to report for a node.
    pub(super) fn start(client: &Client, node: String) -> Self {
        let reports = Reports {
            leases: Api::namespaced(client.clone(), NAMESPACE),
            configs: Api::all(client.clone()),
            node,
            reported: None,
        };
        Self(tokio::spawn(reports.go_on()))
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        self.0.abort();
    }
}

struct Reports {
    leases: Api<Lease>,
    configs: Api<NodeConfig>,
    node: String,
    reported: Option<i64>,
}

impl Reports {
    async fn go_on(mut self) {
        let mut configs = Box::pin(watcher::watch_object(self.configs.clone(), &self.node).default_backoff());
        let mut beats = interval(BEAT);
        beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let done = tokio::select! {
                _ = beats.tick() => self.beat().await,
                Some(Ok(Some(config))) = configs.next() => self.report(&config).await,
            };
            if let Err(error) = done {
                eprintln!("{}: {error:#}", self.node);
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let name = format!("holdfast-agent-{}", self.node);
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name },
            "spec": {
                "holderIdentity": self.node, "leaseDurationSeconds": 15,
                "renewTime": format!("{:.6}", Timestamp::now()),
            },
        });
        self.leases.patch(&name, &parameters(), &Patch::Apply(&lease)).await?;
        Ok(())
    }

    async fn report(&mut self, config: &NodeConfig) -> Result<()> {
        if self.reported == config.metadata.generation {
            return Ok(());
        }
        let status = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig", "metadata": { "name": self.node },
            "status": {
                "observedGeneration": config.metadata.generation, "agentVersion": "figures",
                "interfaces": [{ "name": "eth0", "up": true }],
                "virtualRouters": routers(config),
            },
        });
        self.configs.patch_status(&self.node, &parameters(), &Patch::Apply(&status)).await?;
        self.reported = config.metadata.generation;
        Ok(())
    }
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

fn parameters() -> PatchParams {
    PatchParams::apply("holdfast-agent").force()
}
