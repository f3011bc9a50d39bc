//! A node's agent, played by the test: it says of one virtual router what the test wants it to say.

use anyhow::Result;
use holdfast_crds::{NodeConfig, RouterState};
use holdfast_tests::cluster::{PlayedAgent, Report, wait};
use k8s_openapi::jiff::SignedDuration;
use kube::Api;
use serde_json::{Value, json};

use super::{SHORT, Stage};

/// The agent of a node. Alive until it is dropped.
pub(crate) struct Agent {
    node: &'static str,
    configs: Api<NodeConfig>,
    played: PlayedAgent,
}

impl Agent {
    /// An agent that renews its Lease, and has nothing to report yet.
    pub(crate) async fn start(stage: &Stage, node: &'static str) -> Result<Self> {
        Self::start_with_clock(stage, node, SignedDuration::ZERO).await
    }

    /// The same on a node whose clock is ahead by so much, or behind.
    pub(crate) async fn start_with_clock(stage: &Stage, node: &'static str, ahead: SignedDuration) -> Result<Self> {
        let played = PlayedAgent::start_with_clock(&stage.client, node, ahead, Box::new(|_| None)).await?;
        Ok(Self { node, configs: stage.node_configs(), played })
    }

    /// Waits until the node is told of a virtual router, and reports its state, and problems with it; from now on also
    /// whenever the node is told something new.
    pub(crate) async fn report(&self, router: &str, state: RouterState, problems: &Value) -> Result<()> {
        self.played.report(says(router.to_owned(), state, problems.clone()));
        let is_reported = |config: &NodeConfig| {
            config.status.as_ref().is_some_and(|status| {
                let mut routers = status.virtual_routers.iter();
                status.observed_generation == config.metadata.generation
                    && routers.any(|one| one.name == router && one.state == state)
            })
        };
        let what = format!("{router} is {state:?} there");
        wait::until(&self.configs, self.node, &what, SHORT, is_reported).await.map(drop)
    }
}

fn says(router: String, state: RouterState, problems: Value) -> Report {
    Box::new(move |config| {
        let is_told = config.spec.virtual_routers.iter().any(|one| one.name == router);
        let report = json!({
            "name": router, "state": state, "priority": 100, "interface": "eth0",
            "since": "2026-01-01T00:00:00Z", "reason": "as the test says", "problems": problems,
        });
        is_told.then(|| vec![report])
    })
}
