//! An operator that is killed in the middle of its writes.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use holdfast_crds::condition::ConditionType::Accepted;
use holdfast_crds::{NodeConfig, VirtualIP};
use holdfast_tests::cluster::wait;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use nix::sys::signal::Signal;
use serde::de::DeserializeOwned;

use crate::support::{LONG, NAMESPACE, Operator, Stage, apply, condition, virtual_ip};

/// For each there is a `NodeConfig`, a `ServiceAccount`, a `ClusterRole` and a `ClusterRoleBinding`.
const NODES: usize = 60;
/// A status for each.
const VIRTUAL_IPS: usize = 60;

/// The virtual router IDs of each node.
type Ids = BTreeMap<String, BTreeMap<String, u8>>;

async fn ids(stage: &Stage) -> Result<Ids> {
    let of_config = |config: NodeConfig| {
        let routers = config.spec.virtual_routers.iter();
        (config.name_any(), routers.map(|router| (router.name.clone(), router.virtual_router_id)).collect())
    };
    Ok(stage.node_configs().list(&ListParams::default()).await?.into_iter().map(of_config).collect())
}

async fn count<K>(api: &Api<K>) -> Result<usize>
where
    K: Resource + Clone + std::fmt::Debug + DeserializeOwned,
{
    Ok(api.list_metadata(&ListParams::default()).await?.items.len())
}

async fn accepted(stage: &Stage) -> Result<usize> {
    let vips = stage.virtual_ips().list(&ListParams::default()).await?;
    Ok(vips.iter().filter(|vip| condition(vip, Accepted).is_some_and(|(reason, _)| reason == "Accepted")).count())
}

fn kill(mut operator: Operator) -> Result<()> {
    operator.hide_log();
    operator.signal(Signal::SIGKILL)?;
    operator.wait_for_end(LONG).map(drop)
}

#[tokio::test]
async fn another_one_finishes_what_a_killed_one_has_begun_and_decides_nothing_differently() -> Result<()> {
    let stage = Stage::new().await?;
    let names: Vec<String> = (0..NODES).map(|number| format!("node-{number:02}")).collect();
    stage.add_nodes(&names.iter().map(String::as_str).collect::<Vec<_>>()).await?;
    for number in 0..VIRTUAL_IPS {
        apply(&stage.virtual_ips(), virtual_ip(&format!("vip-{number:02}"), &format!("192.0.2.{}", number + 101))?)
            .await?;
    }

    let first = stage.operator()?;
    wait::repeatedly("some NodeConfigs are there", LONG, async || {
        ensure!(count(&stage.node_configs()).await? >= 10, "not yet");
        Ok(())
    })
    .await?;
    kill(first)?;
    let begun = ids(&stage).await?;
    println!("killed after {} of {NODES} NodeConfigs", begun.len());
    assert!(begun.len() < NODES, "it was not killed in the middle");
    assert!(begun.values().all(|ids| ids.len() == VIRTUAL_IPS), "what is written is written whole: {begun:?}");

    let second = stage.operator()?;
    let is_accepted = |vip: &VirtualIP| condition(vip, Accepted).is_some();
    wait::until(&stage.virtual_ips(), "vip-00", "the first status is there", LONG, is_accepted).await?;
    kill(second)?;
    println!("killed after {} of {VIRTUAL_IPS} statuses", accepted(&stage).await?);

    let _third = stage.operator()?;
    wait::repeatedly("everything is there", LONG, async || {
        ensure!(accepted(&stage).await? == VIRTUAL_IPS, "not all are accepted");
        let ids = ids(&stage).await?;
        ensure!(ids.len() == NODES && ids.values().all(|ids| ids.len() == VIRTUAL_IPS), "not all NodeConfigs");
        let accounts: Api<ServiceAccount> = namespaced(&stage);
        ensure!(count(&accounts).await? == NODES, "not all accounts");
        let roles: Api<ClusterRole> = Api::all(stage.client.clone());
        let bindings: Api<ClusterRoleBinding> = Api::all(stage.client.clone());
        for name in &names {
            roles.get_metadata(&format!("holdfast-agent-{name}")).await?;
            bindings.get_metadata(&format!("holdfast-agent-{name}")).await?;
        }
        Ok(())
    })
    .await?;

    let whole = ids(&stage).await?;
    let one = whole.values().next().context("a NodeConfig")?;
    assert!(whole.values().all(|ids| ids == one), "the nodes agree about the virtual router IDs");
    assert_eq!(one.values().collect::<BTreeSet<_>>().len(), VIRTUAL_IPS, "no ID is there twice");
    assert!(begun.values().all(|ids| ids == one), "what the first has decided is so still");
    Ok(())
}

fn namespaced<K>(stage: &Stage) -> Api<K>
where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
{
    Api::namespaced(stage.client.clone(), NAMESPACE)
}
