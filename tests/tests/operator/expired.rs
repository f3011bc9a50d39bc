//! A watch that the API server cannot continue (410 Gone): what happened meanwhile is not known there any more.

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::{Component, wait};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{LONG, NAMESPACE, Operator, SHORT, Stage, apply, virtual_ip};

/// Writes the Lease of the leader: that of somebody, for an hour, or that of nobody.
async fn lead(stage: &Stage, holder: &str) -> Result<()> {
    let leases: Api<Lease> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": "holdfast-operator" },
        "spec": {
            "holderIdentity": holder, "leaseDurationSeconds": 3600, "renewTime": format!("{:.6}", Timestamp::now()),
        },
    });
    leases.patch("holdfast-operator", &PatchParams::apply("somebody").force(), &Patch::Apply(lease)).await?;
    Ok(())
}

#[tokio::test]
async fn who_has_missed_what_happened_begins_anew_and_knows_everything() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    apply(&stage.virtual_ips(), virtual_ip("deleted", "192.0.2.100/24")?).await?;
    apply(&stage.virtual_ips(), virtual_ip("kept", "192.0.2.101/24")?).await?;
    // One who leads would end when it cannot renew its Lease; one who waits has the same watches.
    lead(&stage, "somebody").await?;
    let operator = Operator::start(stage.server.admin(), "operator-0")?;
    operator.wait_for_readiness(200, "ok", LONG)?;

    operator.signal(Signal::SIGSTOP)?;
    stage.virtual_ips().delete("deleted", &DeleteParams::default()).await?;
    apply(&stage.virtual_ips(), virtual_ip("new", "192.0.2.102/24")?).await?;
    // An API server that starts has no memory of what was before.
    stage.server.kill(Component::ApiServer)?;
    stage.server.start_component(Component::ApiServer)?;
    stage.server.wait_until_ready()?;
    stage.client = stage.server.client()?;
    operator.signal(Signal::SIGCONT)?;
    operator.wait_for_log("too old resource version", LONG)?;

    lead(&stage, "").await?;
    operator.wait_until_it_leads(LONG)?;
    let is_right = |config: &NodeConfig| {
        let mut names: Vec<&str> = config.spec.virtual_routers.iter().map(|router| router.name.as_str()).collect();
        names.sort_unstable();
        names == ["kept", "new"]
    };
    let config = wait::until(&stage.node_configs(), "node-1", "what there is now", SHORT, is_right).await?;
    assert_eq!(config.metadata.generation, Some(1), "it was never told anything else");
    Ok(())
}
