//! Nodes that are emptied.

use anyhow::{Result, ensure};
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::wait;
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::{EvictParams, ListParams, Patch, PatchParams, PostParams};
use serde_json::{Value, json};

use crate::support::{Operator, SHORT, Stage, apply};

const ANNOTATION: &str = "holdfast.dev/draining";

fn reason(config: &NodeConfig) -> Option<&str> {
    config.metadata.annotations.as_ref()?.get(ANNOTATION).map(String::as_str)
}

async fn change(nodes: &Api<Node>, spec: Value) -> Result<()> {
    nodes.patch("node-1", &PatchParams::default(), &Patch::Merge(json!({ "spec": spec }))).await?;
    Ok(())
}

/// A pod on the node. There is no kubelet: it never runs, and goes at once when it is evicted.
async fn add_pod(stage: &Stage) -> Result<Api<Pod>> {
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.client.clone(), "default");
    apply(&accounts, serde_json::from_value(json!({ "metadata": { "name": "default" } }))?).await?;
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), "default");
    let pod = json!({
        "metadata": { "name": "web" },
        "spec": { "nodeName": "node-1", "containers": [{ "name": "web", "image": "none" }] },
    });
    pods.create(&PostParams::default(), &serde_json::from_value(pod)?).await?;
    Ok(pods)
}

#[tokio::test]
async fn a_node_is_emptied_when_pods_are_evicted_from_it_and_until_it_is_uncordoned() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let pods = add_pod(&stage).await?;
    let operator = stage.operator()?;
    let configs = stage.node_configs();
    wait::until(&configs, "node-1", "a config", SHORT, |_| true).await?;

    change(&stage.nodes(), json!({ "unschedulable": true })).await?;
    operator.wait_for_log("follows the pods of a cordoned node", SHORT)?;
    assert_eq!(reason(&configs.get("node-1").await?), None, "a cordon alone moves nothing");

    pods.evict("web", &EvictParams::default()).await?;
    let drains = |config: &NodeConfig| reason(config) == Some("pods are evicted");
    wait::until(&configs, "node-1", "the node is emptied", SHORT, drains).await?;

    wait_for_events(&stage, &["Draining"]).await?;

    drop(operator);
    let _again = stage.operator()?;
    change(&stage.nodes(), json!({ "taints": [{ "key": "a", "effect": "NoSchedule" }] })).await?;
    assert_eq!(reason(&configs.get("node-1").await?), Some("pods are evicted"), "it is remembered");

    change(&stage.nodes(), json!({ "unschedulable": false })).await?;
    wait::until(&configs, "node-1", "it is over", SHORT, |config| reason(config).is_none()).await?;

    wait_for_events(&stage, &["DrainEnded", "Draining"]).await
}

/// Waits until there are Events of the operator for these reasons, and no others.
async fn wait_for_events(stage: &Stage, expected: &[&str]) -> Result<()> {
    let told = async || {
        let told = reasons_of_events(stage).await?;
        ensure!(told == expected, "{told:?}");
        Ok(())
    };
    wait::repeatedly(&format!("Events {expected:?}"), SHORT, told).await
}

/// The reasons of all Events of the operator, sorted. The API server tells some of its own, whenever it likes.
async fn reasons_of_events(stage: &Stage) -> Result<Vec<String>> {
    let events: Api<Event> = Api::namespaced(stage.client.clone(), "default");
    let events = events.list(&ListParams::default()).await?.items.into_iter();
    let ours = events.filter(|event| event.reporting_controller.as_deref() == Some("holdfast.dev/operator"));
    let mut reasons: Vec<String> = ours.filter_map(|event| event.reason).collect();
    reasons.sort();
    Ok(reasons)
}

#[tokio::test]
async fn a_node_is_emptied_while_it_has_a_configured_taint() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let arguments = ["--drain-taint", "example.com/maintenance"];
    let _operator = Operator::start_with(stage.server.admin(), "operator-0", &arguments)?;
    let configs = stage.node_configs();
    wait::until(&configs, "node-1", "a config", SHORT, |_| true).await?;

    change(&stage.nodes(), json!({ "taints": [{ "key": "example.com/maintenance", "effect": "NoSchedule" }] })).await?;
    let drains = |config: &NodeConfig| reason(config) == Some("taint example.com/maintenance");
    wait::until(&configs, "node-1", "the node is emptied", SHORT, drains).await?;
    change(&stage.nodes(), json!({ "taints": null })).await?;
    wait::until(&configs, "node-1", "it is over", SHORT, |config| reason(config).is_none()).await?;
    Ok(())
}
