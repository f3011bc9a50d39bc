//! Hundreds of VirtualIPs that are applied in one go.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use holdfast_crds::condition::ConditionType::Accepted;
use holdfast_crds::{NodeConfig, VirtualIP};
use holdfast_tests::cluster::wait;
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};

use crate::support::{Operator, SHORT, Stage, apply, condition, virtual_ip, wait_for_condition, wait_for_event};

const NODES: [&str; 3] = ["node-1", "node-2", "node-3"];

/// For hundreds of objects on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

async fn apply_in_one_go(stage: &Stage, count: usize) -> Result<()> {
    let api = stage.virtual_ips();
    let applied = (0..count).map(|number| {
        let api = api.clone();
        async move {
            let address = format!("10.1.{}.{}", number / 200, number % 200 + 1);
            apply(&api, virtual_ip(&format!("vip-{number:03}"), &address)?).await.map(drop)
        }
    });
    stream::iter(applied).buffer_unordered(16).try_collect().await
}

/// The VirtualIPs by the reason of their condition Accepted.
async fn by_reason(stage: &Stage) -> Result<BTreeMap<String, Vec<String>>> {
    let mut names: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for vip in stage.virtual_ips().list(&ListParams::default()).await? {
        let reason = condition(&vip, Accepted).map_or("none", |(reason, _)| reason);
        names.entry(reason.to_owned()).or_default().push(vip.name_any());
    }
    Ok(names)
}

async fn wait_for_reasons(stage: &Stage, wanted: &[(&str, usize)]) -> Result<()> {
    wait::repeatedly(&format!("{wanted:?}"), PATIENCE, async || {
        let found = by_reason(stage).await?;
        let found: Vec<(&str, usize)> = found.iter().map(|(reason, names)| (reason.as_str(), names.len())).collect();
        ensure!(found == wanted, "{found:?}");
        Ok(())
    })
    .await
}

/// Waits until each node's NodeConfig has so many, and checks that each has a virtual router ID of its own, which is the
/// same everywhere.
async fn all_nodes_run(stage: &Stage, count: usize) -> Result<()> {
    let mut ids = BTreeSet::new();
    for node in NODES {
        let is_complete = |config: &NodeConfig| config.spec.virtual_routers.len() == count;
        let config = wait::until(&stage.node_configs(), node, "it is complete", PATIENCE, is_complete).await?;
        let routers = config.spec.virtual_routers.iter();
        let of_node: BTreeMap<String, u8> = routers.map(|one| (one.name.clone(), one.virtual_router_id)).collect();
        assert_eq!(of_node.values().collect::<BTreeSet<_>>().len(), count, "{node}: no ID is there twice");
        ids.insert(of_node);
    }
    assert_eq!(ids.len(), 1, "the nodes agree about the IDs");
    Ok(())
}

#[tokio::test]
async fn two_hundred_and_fifty_are_accepted_and_reach_every_node_with_few_requests() -> Result<()> {
    const MANY: usize = 250;
    let stage = Stage::new().await?;
    stage.add_nodes(&NODES).await?;
    let user = stage.server.user("the-operator", Some("system:masters"))?;
    let mut operator = Operator::start(&user, "operator-0")?;
    operator.hide_log();
    operator.wait_until_it_leads(SHORT)?;

    let (mark, begun) = (stage.server.audit().mark()?, Instant::now());
    apply_in_one_go(&stage, MANY).await?;
    let applied = begun.elapsed();
    wait_for_reasons(&stage, &[("Accepted", MANY)]).await?;
    let accepted = begun.elapsed();
    all_nodes_run(&stage, MANY).await?;
    let complete = begun.elapsed();

    let mut requests: BTreeMap<(String, String), usize> = BTreeMap::new();
    for request in stage.server.audit().since(mark)?.into_iter().filter(|request| request.user == "the-operator") {
        *requests.entry((request.verb, request.resource)).or_default() += 1;
    }
    println!(
        "{MANY} VirtualIPs: applied in {applied:?}, all accepted after {accepted:?}, all NodeConfigs complete after \
         {complete:?}, with {requests:?}"
    );
    let count =
        |verb: &str, resource: &str| requests.get(&(verb.to_owned(), resource.to_owned())).copied().unwrap_or_default();
    // At most one write a second of one object, after three.
    let seconds = usize::try_from(begun.elapsed().as_secs())? + 4;
    assert!(count("patch", "nodeconfigs") <= NODES.len() * seconds, "{requests:?}");
    assert!(count("patch", "virtualips/status") <= 3 * MANY, "{requests:?}");
    assert!(count("create", "events") <= 2 * MANY, "{requests:?}");
    Ok(())
}

#[tokio::test]
async fn the_256th_on_an_interface_finds_no_virtual_router_id_until_another_one_goes() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&NODES).await?;
    let mut operator = stage.operator()?;
    operator.hide_log();
    apply_in_one_go(&stage, 256).await?;
    wait_for_reasons(&stage, &[("Accepted", 255), ("VirtualRouterIDsExhausted", 1)]).await?;
    all_nodes_run(&stage, 255).await?;

    let reasons = by_reason(&stage).await?;
    let last = &reasons["VirtualRouterIDsExhausted"][0];
    let message = wait_for_condition(&stage, last, Accepted, "VirtualRouterIDsExhausted").await?;
    assert_eq!(
        message,
        "spec.virtualRouterID: all 255 of interface eth0 are in use: put the addresses of several VirtualIPs into one, \
             or name another interface in spec.interface"
    );
    assert_eq!(wait_for_event(&stage, last, "VirtualRouterIDsExhausted").await?, message);

    let goes = reasons["Accepted"].iter().find(|name| *name != last);
    stage.virtual_ips().delete(goes.map_or("", String::as_str), &DeleteParams::default()).await?;
    wait_for_condition(&stage, last, Accepted, "Accepted").await?;
    let is_accepted = |vip: &VirtualIP| vip.status.as_ref().is_some_and(|status| status.virtual_router_id.is_some());
    wait::until(&stage.virtual_ips(), last, "it has an ID", SHORT, is_accepted).await?;
    Ok(())
}
