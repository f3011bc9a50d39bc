//! A node's agent, played by the test: its Lease and the status of its NodeConfig.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result};
use futures::TryStreamExt;
use holdfast_crds::{NodeConfig, RouterState};
use holdfast_tests::cluster::wait;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::Api;
use kube::api::{Patch, PatchParams};
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, watcher};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::interval;

use super::{NAMESPACE, SHORT, Stage};

/// How often an agent renews its Lease.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// What the agent has to say of a virtual router.
#[derive(Clone, Debug, PartialEq)]
struct Saying {
    router: String,
    state: RouterState,
    problems: Value,
}

/// The agent of a node. Alive until it is dropped.
pub(crate) struct Agent {
    node: &'static str,
    configs: Api<NodeConfig>,
    saying: watch::Sender<Option<Saying>>,
    life: JoinHandle<Result<()>>,
}

impl Agent {
    /// An agent that renews its Lease, and has nothing to report yet.
    pub(crate) async fn start(stage: &Stage, node: &'static str) -> Result<Self> {
        Self::start_with_clock(stage, node, SignedDuration::ZERO).await
    }

    /// The same on a node whose clock is ahead by so much, or behind.
    pub(crate) async fn start_with_clock(stage: &Stage, node: &'static str, ahead: SignedDuration) -> Result<Self> {
        let (saying, heard) = watch::channel(None);
        let leases = Api::namespaced(stage.client.clone(), NAMESPACE);
        let configs = stage.node_configs();
        let life = Life { node, ahead, leases, configs: configs.clone() };
        life.beat().await?;
        Ok(Self { node, configs, saying, life: tokio::spawn(life.live(heard)) })
    }

    /// Waits until the node is told of a virtual router, and reports its state, and problems with it; from now on also
    /// whenever the node is told something new.
    pub(crate) async fn report(&self, router: &str, state: RouterState, problems: &Value) -> Result<()> {
        self.saying.send_replace(Some(Saying { router: router.to_owned(), state, problems: problems.clone() }));
        let is_reported = |config: &NodeConfig| {
            let status = config.status.as_ref();
            status.is_some_and(|status| {
                let mut routers = status.virtual_routers.iter();
                status.observed_generation == config.metadata.generation
                    && routers.any(|one| one.name == router && one.state == state)
            })
        };
        let what = format!("{router} is {state:?} there");
        let reported = wait::until(&self.configs, self.node, &what, SHORT, is_reported).await;
        reported.map(drop).with_context(|| format!("the agent lives: {}", !self.life.is_finished()))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.life.abort();
    }
}

/// What an agent does all the time.
struct Life {
    node: &'static str,
    ahead: SignedDuration,
    leases: Api<Lease>,
    configs: Api<NodeConfig>,
}

impl Life {
    async fn live(self, mut heard: watch::Receiver<Option<Saying>>) -> Result<()> {
        let own = watcher::Config::default().fields(&format!("metadata.name={}", self.node));
        let mut told = pin!(watcher(self.configs.clone(), own).applied_objects());
        let mut heartbeat = interval(HEARTBEAT);
        let mut config = None;
        let mut reported = None;
        loop {
            tokio::select! {
                _ = heartbeat.tick() => self.beat().await?,
                changed = heard.changed() => changed?,
                now = told.try_next() => config = now?,
            }
            let saying = heard.borrow_and_update().clone();
            if let (Some(saying), Some(config)) = (saying, &config)
                && config.spec.virtual_routers.iter().any(|one| one.name == saying.router)
            {
                let news = Some((config.metadata.generation, saying));
                if let Some((_, saying)) = news.as_ref().filter(|_| news != reported) {
                    self.report(config, saying).await?;
                }
                reported = news;
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

    async fn report(&self, config: &NodeConfig, saying: &Saying) -> Result<()> {
        let status = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig", "metadata": { "name": self.node },
            "status": {
                "observedGeneration": config.metadata.generation, "agentVersion": "test",
                "interfaces": [{ "name": "eth0", "up": true }],
                "virtualRouters": [{
                    "name": saying.router, "state": saying.state, "priority": 100, "interface": "eth0",
                    "since": "2026-01-01T00:00:00Z", "reason": "as the test says", "problems": saying.problems,
                }],
            },
        });
        self.configs.patch_status(self.node, &parameters(), &Patch::Apply(&status)).await?;
        Ok(())
    }
}

fn parameters() -> PatchParams {
    PatchParams::apply("holdfast-agent").force()
}
