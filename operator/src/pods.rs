//! Follows the pods of cordoned nodes, to see whether they are evicted. Nobody else's pods are watched.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;

use futures::StreamExt;
use k8s_openapi::api::core::v1::{Pod, PodStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, watcher};
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tracing::debug;

use crate::backoff;
use crate::explain::with_causes;
use crate::world::Sighting;

/// The watches, by node.
pub struct PodWatches {
    client: Client,
    sightings: mpsc::Sender<Sighting>,
    tasks: JoinSet<()>,
    nodes: BTreeMap<String, AbortHandle>,
}

impl PodWatches {
    /// None yet.
    pub fn new(client: Client, sightings: mpsc::Sender<Sighting>) -> Self {
        Self { client, sightings, tasks: JoinSet::new(), nodes: BTreeMap::new() }
    }

    /// Follows the pods of these nodes and of no others.
    pub fn set(&mut self, nodes: BTreeSet<String>) {
        self.nodes.retain(|node, task| {
            let stays = nodes.contains(node);
            if !stays {
                task.abort();
            }
            stays
        });
        for node in nodes {
            let (client, sightings) = (self.client.clone(), self.sightings.clone());
            let tasks = &mut self.tasks;
            self.nodes
                .entry(node)
                .or_insert_with_key(|node| tasks.spawn(follow(Api::all(client), node.clone(), sightings)));
        }
        // Those that were aborted.
        while self.tasks.try_join_next().is_some() {}
    }
}

async fn follow(api: Api<DeserializeGuard<Pod>>, node: String, sightings: mpsc::Sender<Sighting>) {
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}"));
    let mut events = pin!(watcher(api, config));
    let mut failures = 0_u32;
    debug!(node, "follows the pods of a cordoned node");
    while let Some(event) = events.next().await {
        match event {
            Ok(event) => {
                failures = 0;
                let event = event.modify(trim);
                if sightings.send(Sighting::Pod(node.clone(), event.into())).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                failures = failures.saturating_add(1);
                debug!(node, error = with_causes(&error), "cannot watch the pods of a cordoned node; trying again");
                sleep(backoff::wait(failures, backoff::chance())).await;
            }
        }
    }
}

/// Keeps the conditions.
fn trim(pod: &mut DeserializeGuard<Pod>) {
    let Ok(pod) = &mut pod.0 else { return };
    let conditions = pod.status.take().and_then(|status| status.conditions);
    let name = pod.metadata.name.take();
    *pod = Pod {
        metadata: ObjectMeta { name, ..ObjectMeta::default() },
        status: Some(PodStatus { conditions, ..PodStatus::default() }),
        ..Pod::default()
    };
}
