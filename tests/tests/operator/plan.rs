//! What users apply reaches the nodes.

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::wait;
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Resource};
use serde_json::json;

use crate::support::{NAMESPACE, SHORT, Stage, apply, virtual_ip};

/// The names of the virtual routers that a node is told to run.
fn routers(config: &NodeConfig) -> Vec<&str> {
    config.spec.virtual_routers.iter().map(|router| router.name.as_str()).collect()
}

#[tokio::test]
async fn a_virtual_ip_is_in_the_config_of_every_node_until_it_is_deleted() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let _operator = stage.operator()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;

    for node in ["node-1", "node-2"] {
        let has = |config: &NodeConfig| routers(config) == ["web"];
        wait::until(&stage.node_configs(), node, "the node is told of web", SHORT, has).await?;
    }
    stage.virtual_ips().delete("web", &DeleteParams::default()).await?;
    for node in ["node-1", "node-2"] {
        let has_not = |config: &NodeConfig| routers(config).is_empty();
        wait::until(&stage.node_configs(), node, "the node is told to release web", SHORT, has_not).await?;
    }
    Ok(())
}

#[tokio::test]
async fn who_is_preferred_now_is_told_before_who_was() -> Result<()> {
    let stage = Stage::new().await?;
    let nodes = ["node-1", "node-2", "node-3"];
    stage.add_nodes(&nodes).await?;
    let _operator = stage.operator()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let configs = stage.node_configs();
    let priority = |config: &NodeConfig| config.spec.virtual_routers.first().map(|router| router.priority);
    let preferred = async |node: &str| {
        let patch = Patch::Merge(json!({ "metadata": { "annotations": { "holdfast.dev/prefer-node": node } } }));
        stage.virtual_ips().patch("web", &PatchParams::default(), &patch).await?;
        for other in nodes {
            let is_told = |config: &NodeConfig| (priority(config) == Some(254)) == (other == node);
            wait::until(&configs, other, &format!("{other} knows that {node} is preferred"), SHORT, is_told).await?;
        }
        anyhow::Ok(())
    };
    for pair in [["node-3", "node-1"], ["node-1", "node-2"]] {
        preferred(pair[0]).await?;
        preferred(pair[1]).await?;
        let [before, now] = [configs.get(pair[0]).await?, configs.get(pair[1]).await?];
        let version = |config: &NodeConfig| -> Result<u64> {
            Ok(config.meta().resource_version.as_deref().unwrap_or_default().parse()?)
        };
        assert!(version(&now)? < version(&before)?, "{pair:?}");
    }
    Ok(())
}

#[tokio::test]
async fn what_is_changed_by_hand_is_put_back() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let _operator = stage.operator()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let configs = stage.node_configs();
    let has = |config: &NodeConfig| routers(config) == ["web"];
    let right = wait::until(&configs, "node-1", "the node is told of web", SHORT, has).await?;

    let check = json!({ "name": "mine", "spec": { "tcp": { "port": 80 } } });
    for edit in [json!({ "virtualRouters": [] }), json!({ "healthChecks": [check] }), json!({ "peerSets": null })] {
        let patch = Patch::Merge(json!({ "spec": edit }));
        configs.patch("node-1", &PatchParams::default(), &patch).await?;
        wait::until(&configs, "node-1", &format!("{edit} is undone"), SHORT, |it| it.spec == right.spec).await?;
    }

    configs.delete("node-1", &DeleteParams::default()).await?;
    let is_back = |config: &NodeConfig| config.meta().uid != right.meta().uid && config.spec == right.spec;
    wait::until(&configs, "node-1", "the config is back, as it was", SHORT, is_back).await?;
    Ok(())
}

#[tokio::test]
async fn what_was_made_for_a_node_goes_with_it() -> Result<()> {
    use k8s_openapi::api::core::v1::ServiceAccount;
    use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};

    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let _operator = stage.operator()?;
    let accounts: Api<ServiceAccount> = Api::namespaced(stage.client.clone(), NAMESPACE);
    let roles: Api<ClusterRole> = Api::all(stage.client.clone());
    let bindings: Api<ClusterRoleBinding> = Api::all(stage.client.clone());
    let name = "holdfast-agent-node-1";
    wait::until(&stage.node_configs(), "node-1", "a config", SHORT, |_| true).await?;
    wait::until(&accounts, name, "an account", SHORT, |_| true).await?;
    wait::until(&roles, name, "a role", SHORT, |_| true).await?;
    wait::until(&bindings, name, "a binding", SHORT, |_| true).await?;

    stage.nodes().delete("node-1", &DeleteParams::default()).await?;
    wait::until_gone(&stage.node_configs(), "node-1", SHORT).await?;
    wait::until_gone(&accounts, name, SHORT).await?;
    wait::until_gone(&roles, name, SHORT).await?;
    wait::until_gone(&bindings, name, SHORT).await?;
    stage.node_configs().get("node-2").await?;
    roles.get("holdfast-agent-node-2").await?;
    Ok(())
}
