//! What people do to a cluster of three nodes, and what its status says of it.

use anyhow::{Context, Result};
use holdfast_crds::condition::ConditionType::{Accepted, Programmed, Ready};
use holdfast_crds::{RouterState, VirtualIP};
use k8s_openapi::api::core::v1::Node;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use super::support::scene::{Scene, condition, master, reason_on};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

fn spec() -> Value {
    json!({ "addresses": ["10.77.0.101"], "interface": "eth0" })
}

fn has(vip: &VirtualIP, kind: holdfast_crds::condition::ConditionType, reason: &str) -> bool {
    condition(vip, kind).is_some_and(|(found, _)| found == reason)
}

/// Waits until the VirtualIP is held by one node and watched by two. Returns the master.
async fn settled(scene: &Scene) -> Result<String> {
    let is_whole = |vip: &VirtualIP| {
        let backups = vip.status.as_ref().and_then(|status| status.summary.as_ref()?.backups.as_deref());
        has(vip, Ready, "MasterElected") && has(vip, Programmed, "Programmed") && backups == Some("2/2")
    };
    let vip = scene.shown("web", "one master and two backups", is_whole).await?;
    Ok(master(&vip).context("a master")?.to_owned())
}

#[tokio::test]
async fn an_interface_that_one_node_lacks_is_named_with_the_node_and_the_others_serve() -> Result<()> {
    let scene = Scene::new(&NODES).await?;
    let mut wrong = spec();
    wrong["nodeInterfaces"] = json!([{ "nodeName": "node-3", "interface": "eth7" }]);
    scene.apply("web", wrong).await?;

    let is_told = |vip: &VirtualIP| has(vip, Programmed, "InterfaceNotFound") && has(vip, Ready, "MasterElected");
    let vip = scene.shown("web", "node-3 lacks its interface", is_told).await?;
    let (_, message) = condition(&vip, Programmed).context("Programmed")?;
    println!("{message}");
    assert!(message.starts_with("node-3: there is no interface eth7"), "{message}");
    let nodes = vip.status.iter().flat_map(|status| &status.nodes);
    let faults: Vec<&str> =
        nodes.filter(|node| node.state == RouterState::Fault).map(|node| node.name.as_str()).collect();
    assert_eq!(faults, ["node-3"]);
    scene.event("web", "InterfaceNotFound", &["node-3", "eth7"]).await?;

    scene.apply("web", spec()).await?;
    settled(&scene).await?;
    scene.event("web", "Programmed", &["3 nodes"]).await
}

#[tokio::test]
async fn a_node_that_is_asked_for_gets_the_addresses_for_as_long_as_it_is_asked_for() -> Result<()> {
    let scene = Scene::new(&NODES).await?;
    scene.apply("web", spec()).await?;
    let by_rule = settled(&scene).await?;
    let other = NODES.into_iter().find(|node| *node != by_rule).context("another node")?;
    let prefer = async |node: Value| -> Result<()> {
        let patch = json!({ "metadata": { "annotations": { "holdfast.dev/prefer-node": node } } });
        scene.virtual_ips().patch("web", &PatchParams::default(), &Patch::Merge(patch)).await?;
        Ok(())
    };

    prefer(json!(other)).await?;
    let is_there = |vip: &VirtualIP| {
        let reason = reason_on(vip, other).unwrap_or_default();
        master(vip) == Some(other) && reason.starts_with("Preferred: annotation holdfast.dev/prefer-node")
    };
    scene.shown("web", "the node that is asked for is master, and it is said why", is_there).await?;
    scene.event("web", "MasterChanged", &[&by_rule, other, "holdfast.dev/prefer-node"]).await?;

    prefer(json!("nowhere")).await?;
    let is_said = |vip: &VirtualIP| {
        condition(vip, Accepted).is_some_and(|(_, message)| message.contains("no selected node is named \"nowhere\""))
    };
    scene.shown("web", "there is no such node", is_said).await?;
    scene.event("web", "PreferenceIgnored", &["nowhere"]).await?;

    prefer(Value::Null).await?;
    assert_eq!(settled(&scene).await?, by_rule);
    Ok(())
}

#[tokio::test]
async fn a_node_that_is_emptied_gives_its_addresses_away_and_gets_them_back() -> Result<()> {
    const KEY: &str = "node.kubernetes.io/out-of-service";
    let scene = Scene::new(&NODES).await?;
    scene.apply("web", spec()).await?;
    let by_rule = settled(&scene).await?;
    let nodes: Api<Node> = Api::all(scene.client.clone());
    let taint = async |taints: Value| -> Result<()> {
        let patch = Patch::Merge(json!({ "spec": { "taints": taints } }));
        nodes.patch(&by_rule, &PatchParams::default(), &patch).await?;
        Ok(())
    };

    taint(json!([{ "key": KEY, "effect": "NoSchedule" }])).await?;
    let draining = format!("Draining: taint {KEY}");
    let has_left = |vip: &VirtualIP| {
        let reason = reason_on(vip, &by_rule).unwrap_or_default();
        master(vip).is_some_and(|master| master != by_rule) && reason.starts_with(&draining)
    };
    scene.shown("web", "another node is master, and it is said why", has_left).await?;
    scene.event("web", "MasterChanged", &[&by_rule, &draining]).await?;

    taint(Value::Null).await?;
    let is_back = |vip: &VirtualIP| {
        master(vip) == Some(by_rule.as_str()) && !reason_on(vip, &by_rule).unwrap_or_default().contains("Draining")
    };
    scene.shown("web", "it is back", is_back).await?;
    Ok(())
}
