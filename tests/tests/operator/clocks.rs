//! Nodes whose clocks are wrong.

use anyhow::Result;
use holdfast_crds::condition::ConditionType::Ready;
use holdfast_crds::{RouterState, VirtualIP};
use holdfast_tests::cluster::wait;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::support::{Agent, LONG, SHORT, Stage, apply, condition, virtual_ip, wait_for_condition};

const HOUR: SignedDuration = SignedDuration::from_hours(1);

/// What a node writes into the VirtualIP when it becomes master, by its clock.
async fn claim(stage: &Stage, node: &str, ahead: SignedDuration) -> Result<()> {
    let since = format!("{:.0}", Timestamp::now() + ahead);
    let claim = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "web" },
        "status": { "master": node, "masterSince": since },
    });
    let parameters = PatchParams::apply(&format!("holdfast-agent-{node}")).force();
    stage.virtual_ips().patch_status("web", &parameters, &Patch::Apply(&claim)).await?;
    Ok(())
}

fn states(vip: &VirtualIP) -> Vec<(&str, RouterState)> {
    let nodes = vip.status.iter().flat_map(|status| &status.nodes);
    nodes.map(|node| (node.name.as_str(), node.state)).collect()
}

#[tokio::test]
async fn clocks_that_are_an_hour_off_make_nobody_dead_and_keep_nobody_alive() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let fast = Agent::start_with_clock(&stage, "node-1", HOUR).await?;
    let slow = Agent::start_with_clock(&stage, "node-2", -HOUR).await?;

    // First one is master, and then the other, whose claim looks two hours older.
    claim(&stage, "node-1", HOUR).await?;
    fast.report("web", RouterState::Master, &json!([])).await?;
    slow.report("web", RouterState::Backup, &json!([])).await?;
    let both = |vip: &VirtualIP| states(vip) == [("node-1", RouterState::Master), ("node-2", RouterState::Backup)];
    wait::until(&stage.virtual_ips(), "web", "node-1 is master", SHORT, both).await?;
    fast.report("web", RouterState::Backup, &json!([])).await?;
    claim(&stage, "node-2", -HOUR).await?;
    slow.report("web", RouterState::Master, &json!([])).await?;
    let both = |vip: &VirtualIP| states(vip) == [("node-1", RouterState::Backup), ("node-2", RouterState::Master)];
    let vip = wait::until(&stage.virtual_ips(), "web", "node-2 is master", SHORT, both).await?;
    assert_eq!(condition(&vip, Ready).map(|(reason, _)| reason), Some("MasterElected"));

    // The Lease of the fast one, by its own time, is good for another hour.
    drop(fast);
    let is_lost = |vip: &VirtualIP| states(vip).contains(&("node-1", RouterState::Unknown));
    let vip = wait::until(&stage.virtual_ips(), "web", "node-1 is not heard of any more", LONG, is_lost).await?;
    // And that of the slow one has been over all the time.
    assert!(states(&vip).contains(&("node-2", RouterState::Master)), "{:?}", states(&vip));
    wait_for_condition(&stage, "web", Ready, "MasterElected").await.map(drop)
}
