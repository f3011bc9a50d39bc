//! An agent as far as the API server can tell: its heartbeat, and the status of its NodeConfig after each change of the spec.
//! What it reports, whoever plays it decides.

use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use holdfast_crds::NodeConfig;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval};

use super::NAMESPACE;

/// How often an agent renews its Lease.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The states of the virtual routers that a NodeConfig asks for; none if there is nothing to report yet.
pub type Report = Box<dyn Fn(&NodeConfig) -> Option<Vec<Value>> + Send + Sync>;

/// The agent of a node. Alive until it is dropped.
pub struct PlayedAgent {
    report: watch::Sender<Report>,
    life: JoinHandle<()>,
}

impl PlayedAgent {
    /// An agent that has renewed its Lease once, and reports this.
    pub async fn start(client: &Client, node: &str, report: Report) -> Result<Self> {
        Self::start_with_clock(client, node, SignedDuration::ZERO, report).await
    }

    /// The same on a node whose clock is ahead by so much, or behind.
    pub async fn start_with_clock(client: &Client, node: &str, ahead: SignedDuration, report: Report) -> Result<Self> {
        let (report, heard) = watch::channel(report);
        let life = Life {
            node: node.to_owned(),
            ahead,
            leases: Api::namespaced(client.clone(), NAMESPACE),
            configs: Api::all(client.clone()),
        };
        life.beat().await?;
        Ok(Self { report, life: tokio::spawn(life.live(heard)) })
    }

    /// From now on it reports this.
    pub fn report(&self, report: Report) {
        drop(self.report.send_replace(report));
    }
}

impl Drop for PlayedAgent {
    fn drop(&mut self) {
        self.life.abort();
    }
}

/// What an agent does all the time.
struct Life {
    node: String,
    ahead: SignedDuration,
    leases: Api<Lease>,
    configs: Api<NodeConfig>,
}

impl Life {
    async fn live(self, mut report: watch::Receiver<Report>) {
        let mut seen = Box::pin(watcher::watch_object(self.configs.clone(), &self.node).default_backoff());
        let mut heartbeat = interval(HEARTBEAT);
        heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut config, mut reported) = (None, None);
        loop {
            let done = tokio::select! {
                _ = heartbeat.tick() => self.beat().await,
                Ok(()) = report.changed() => Ok(()),
                Some(Ok(now)) = seen.next() => {
                    config = now;
                    Ok(())
                }
            };
            let written = self.write(config.as_ref(), &mut report, &mut reported).await;
            if let Err(error) = done.and(written) {
                eprintln!("the agent of {}: {error:#}", self.node);
            }
        }
    }

    async fn beat(&self) -> Result<()> {
        let name = format!("holdfast-agent-{}", self.node);
        let lease = json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name },
            "spec": {
                "holderIdentity": self.node, "leaseDurationSeconds": 15,
                "renewTime": format!("{:.6}", Timestamp::now() + self.ahead),
            },
        });
        self.leases.patch(&name, &parameters(), &Patch::Apply(&lease)).await?;
        Ok(())
    }

    /// Writes the status if it differs from what was written last. What fails is tried again with the next heartbeat.
    async fn write(
        &self,
        config: Option<&NodeConfig>,
        report: &mut watch::Receiver<Report>,
        reported: &mut Option<(Option<i64>, Vec<Value>)>,
    ) -> Result<()> {
        let routers = config.and_then(|config| (*report.borrow_and_update())(config));
        let (Some(config), Some(routers)) = (config, routers) else { return Ok(()) };
        let news = Some((config.metadata.generation, routers));
        if *reported == news {
            return Ok(());
        }
        let status = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig", "metadata": { "name": self.node },
            "status": {
                "observedGeneration": config.metadata.generation, "agentVersion": "played",
                "interfaces": [{ "name": "eth0", "up": true }],
                "virtualRouters": news.as_ref().map(|(_, routers)| routers),
            },
        });
        self.configs.patch_status(&self.node, &parameters(), &Patch::Apply(&status)).await?;
        *reported = news;
        Ok(())
    }
}

fn parameters() -> PatchParams {
    PatchParams::apply("holdfast-agent").force()
}
