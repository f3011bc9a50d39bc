//! A node's agent, played by the test: its Lease and the status of its NodeConfig.

use anyhow::{Context, Result};
use holdfast_crds::{NodeConfig, RouterState};
use holdfast_tests::cluster::wait;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::{NAMESPACE, SHORT, Stage};

/// The agent of a node.
pub(crate) struct Agent {
    node: &'static str,
    leases: Api<Lease>,
    configs: Api<NodeConfig>,
}

impl Agent {
    /// An agent that has renewed its Lease once.
    pub(crate) async fn start(stage: &Stage, node: &'static str) -> Result<Self> {
        let leases = Api::namespaced(stage.client.clone(), NAMESPACE);
        let agent = Self { node, leases, configs: stage.node_configs() };
        agent.beat().await?;
        Ok(agent)
    }

    /// Renews the Lease.
    pub(crate) async fn beat(&self) -> Result<()> {
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

    /// Waits until the node is told of a virtual router, and reports its state, and problems with it.
    pub(crate) async fn report(&self, router: &str, state: RouterState, problems: &Value) -> Result<()> {
        let is_told = |config: &NodeConfig| config.spec.virtual_routers.iter().any(|one| one.name == router);
        let config = wait::until(&self.configs, self.node, &format!("is told of {router}"), SHORT, is_told).await?;
        let generation = config.metadata.generation.context("a generation")?;
        let status = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig", "metadata": { "name": self.node },
            "status": {
                "observedGeneration": generation, "agentVersion": "test",
                "interfaces": [{ "name": "eth0", "up": true }],
                "virtualRouters": [{
                    "name": router, "state": state, "priority": 100, "interface": "eth0",
                    "since": "2026-01-01T00:00:00Z", "reason": "as the test says", "problems": problems,
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
