//! A node that is deleted while it holds addresses.

use anyhow::Result;
use holdfast_crds::condition::ConditionType::Ready;
use holdfast_crds::{RouterState, VirtualIP};
use holdfast_tests::cluster::wait;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::json;

use crate::support::{Agent, SHORT, Stage, apply, virtual_ip, wait_for_condition, wait_for_event};

async fn claim(stage: &Stage, node: &str) -> Result<()> {
    let claim = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "web" },
        "status": { "master": node, "masterSince": "2026-01-01T00:00:00Z" },
    });
    let parameters = PatchParams::apply(&format!("holdfast-agent-{node}")).force();
    stage.virtual_ips().patch_status("web", &parameters, &Patch::Apply(&claim)).await?;
    Ok(())
}

#[tokio::test]
async fn a_master_whose_node_is_deleted_is_told_to_be_gone_until_another_one_takes_over() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let one = Agent::start(&stage, "node-1").await?;
    let two = Agent::start(&stage, "node-2").await?;
    claim(&stage, "node-1").await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    wait_for_condition(&stage, "web", Ready, "MasterElected").await?;

    drop(one);
    stage.nodes().delete("node-1", &DeleteParams::default()).await?;
    wait_for_condition(&stage, "web", Ready, "NoMaster").await?;
    let note = wait_for_event(&stage, "web", "MasterLost").await?;
    assert!(note.contains("node-1"), "{note}");
    wait::until_gone(&stage.node_configs(), "node-1", SHORT).await?;
    let is_released = |vip: &VirtualIP| vip.status.as_ref().is_some_and(|status| status.master.is_none());
    wait::until(&stage.virtual_ips(), "web", "nobody is named any more", SHORT, is_released).await?;
    let is_alone = |vip: &VirtualIP| {
        let nodes = vip.status.iter().flat_map(|status| &status.nodes);
        nodes.map(|node| node.name.as_str()).eq(["node-2"])
    };
    wait::until(&stage.virtual_ips(), "web", "only node-2 takes part", SHORT, is_alone).await?;

    claim(&stage, "node-2").await?;
    two.report("web", RouterState::Master, &json!([])).await?;
    let message = wait_for_condition(&stage, "web", Ready, "MasterElected").await?;
    assert!(message.contains("node-2"), "{message}");
    Ok(())
}
