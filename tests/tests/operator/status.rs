//! What users read: statuses and Events.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_crds::{Claimed, HealthCheck, RouterState, VirtualIP, claim_manager};
use holdfast_tests::cluster::wait;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use kube::Api;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{Agent, LONG, SHORT, Stage, apply, virtual_ip};

/// The reason of a condition.
fn reason(vip: &VirtualIP, condition: ConditionType) -> Option<&str> {
    find_condition(&vip.status.as_ref()?.conditions, condition).map(|condition| condition.reason.as_str())
}

fn backups(vip: &VirtualIP) -> Option<&str> {
    vip.status.as_ref()?.summary.as_ref()?.backups.as_deref()
}

async fn wait_for_reason(stage: &Stage, name: &str, condition: ConditionType, wanted: &str) -> Result<VirtualIP> {
    let what = format!("{condition} of {name} is {wanted}");
    wait::until(&stage.virtual_ips(), name, &what, LONG, |vip| reason(vip, condition) == Some(wanted)).await
}

/// The notes of the Events of one reason, in order.
async fn notes(stage: &Stage, reason: &str) -> Result<Vec<String>> {
    let events: Api<Event> = Api::namespaced(stage.client.clone(), "default");
    let mut events = events.list(&ListParams::default().fields(&format!("reason={reason}"))).await?.items;
    events.sort_by_key(|event| event.event_time.as_ref().map(|time| time.0));
    Ok(events.into_iter().filter_map(|event| event.note).collect())
}

const WEB: Claimed<'_> = Claimed { name: "web", uid: None, resource_version: None };

/// What the agent of a node writes when it becomes master.
async fn claim(stage: &Stage, node: &str) -> Result<()> {
    let since = Time("2026-01-01T00:00:00Z".parse()?);
    write_as_agent(stage, node, &WEB.by(node, Some(&since))).await
}

/// What it writes when it is it no more.
async fn release(stage: &Stage, node: &str) -> Result<()> {
    write_as_agent(stage, node, &WEB.by_nobody()).await
}

async fn write_as_agent(stage: &Stage, node: &str, object: &Value) -> Result<()> {
    let parameters = PatchParams::apply(&claim_manager(node)).force();
    stage.virtual_ips().patch_status("web", &parameters, &Patch::Apply(object)).await?;
    Ok(())
}

fn master(vip: &VirtualIP) -> Option<&str> {
    vip.status.as_ref()?.master.as_deref()
}

/// Two nodes with agents, and a VirtualIP.
async fn two_nodes(stage: &Stage) -> Result<[Agent; 2]> {
    stage.add_nodes(&["node-1", "node-2"]).await?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    Ok([Agent::start(stage, "node-1").await?, Agent::start(stage, "node-2").await?])
}

#[tokio::test]
async fn the_status_says_who_is_master_and_an_event_tells_when_that_changes() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    let vip = wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;
    assert_eq!(reason(&vip, ConditionType::Accepted), Some("Accepted"));
    let is_whole =
        |vip: &VirtualIP| backups(vip) == Some("1/1") && reason(vip, ConditionType::Programmed) == Some("Programmed");
    wait::until(&stage.virtual_ips(), "web", "a backup", SHORT, is_whole).await?;
    let mut kubectl = stage.server.kubectl()?;
    let waited = kubectl.args(["wait", "--for=condition=Ready", "--timeout=5s", "virtualip/web"]).status()?;
    assert!(waited.success(), "kubectl wait: {waited}");

    let (begun, nothing) = (Instant::now(), json!([]));
    // At once: a time without a master between them would be a loss and another election.
    tokio::try_join!(
        one.report("web", RouterState::Backup, &nothing),
        two.report("web", RouterState::Master, &nothing),
    )?;
    let moved = |vip: &VirtualIP| {
        let nodes = vip.status.iter().flat_map(|status| &status.nodes);
        nodes.filter(|node| node.state == RouterState::Master).map(|node| node.name.as_str()).eq(["node-2"])
    };
    wait::until(&stage.virtual_ips(), "web", "node-2 is master", SHORT, moved).await?;
    println!("shown after {:?}", begun.elapsed());
    wait::repeatedly("an Event tells from where to where", SHORT, async || {
        let told = notes(&stage, "MasterChanged").await?;
        ensure!(told.len() == 1 && told[0].contains("node-1") && told[0].contains("node-2"), "{told:?}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn when_nothing_changes_no_status_is_written_and_no_event_told() -> Result<()> {
    let stage = Stage::new().await?;
    let operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    claim(&stage, "node-1").await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    let is_whole = |vip: &VirtualIP| backups(vip) == Some("1/1");
    wait::until(&stage.virtual_ips(), "web", "a backup", SHORT, is_whole).await?;
    sleep(Duration::from_secs(4)).await;

    // Nothing can be awaited where nothing is to happen.
    let mark = stage.server.audit().mark()?;
    sleep(Duration::from_secs(8)).await;
    drop(operator);
    // Another operator says nothing new either.
    let _next = stage.operator()?;
    sleep(Duration::from_secs(3)).await;
    let written = stage.server.audit().since(mark)?.into_iter();
    let written: Vec<_> = written
        .filter(|request| ["patch", "create", "update"].contains(&request.verb.as_str()))
        .filter(|request| request.resource != "leases")
        .collect();
    assert!(written.is_empty(), "{written:?}");
    Ok(())
}

#[tokio::test]
async fn a_virtual_ip_that_asks_for_the_impossible_says_so_and_harms_no_other() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, _two] = two_nodes(&stage).await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;

    apply(&stage.virtual_ips(), virtual_ip("same", "192.0.2.100/24")?).await?;
    let unknown = json!({ "addresses": ["192.0.2.101"], "interface": "eth0", "healthChecks": [{ "name": "nginx" }] });
    let unknown = json!({ "metadata": { "name": "unknown" }, "spec": unknown });
    apply(&stage.virtual_ips(), serde_json::from_value(unknown)?).await?;
    wait_for_reason(&stage, "same", ConditionType::Accepted, "AddressInUse").await?;
    wait_for_reason(&stage, "unknown", ConditionType::Accepted, "UnknownHealthCheck").await?;
    let web = stage.virtual_ips().get("web").await?;
    assert_eq!(reason(&web, ConditionType::Accepted), Some("Accepted"));
    let told = async || {
        let told = (notes(&stage, "AddressInUse").await?.len(), notes(&stage, "UnknownHealthCheck").await?.len());
        ensure!(told == (1, 1), "{told:?}");
        Ok(())
    };
    wait::repeatedly("each is told once", SHORT, told).await?;

    let checks: Api<HealthCheck> = Api::all(stage.client.clone());
    let check = json!({ "metadata": { "name": "nginx" }, "spec": { "tcp": { "port": 80 } } });
    apply(&checks, serde_json::from_value(check)?).await?;
    wait_for_reason(&stage, "unknown", ConditionType::Accepted, "Accepted").await?;
    let accepted = |check: &HealthCheck| check.status.as_ref().is_some_and(|status| !status.conditions.is_empty());
    wait::until(&checks, "nginx", "a status", SHORT, accepted).await?;
    stage.virtual_ips().delete("web", &DeleteParams::default()).await?;
    wait_for_reason(&stage, "same", ConditionType::Accepted, "Accepted").await?;
    Ok(())
}

#[tokio::test]
async fn a_master_that_is_not_heard_of_is_unknown_until_another_one_claims() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;

    drop(one);
    let vip = wait_for_reason(&stage, "web", ConditionType::Ready, "Stale").await?;
    let nodes = vip.status.iter().flat_map(|status| &status.nodes);
    let states: Vec<_> = nodes.map(|node| (node.name.as_str(), node.state)).collect();
    assert_eq!(states, [("node-1", RouterState::Unknown), ("node-2", RouterState::Backup)]);

    two.report("web", RouterState::Master, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;
    Ok(())
}

#[tokio::test]
async fn two_masters_are_a_split_brain_when_it_lasts() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Master, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "SplitBrain").await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;
    Ok(())
}

#[tokio::test]
async fn what_an_agent_finds_wrong_is_shown() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    let problem = json!([{ "reason": "InterfaceNotFound", "message": "there is no eth0" }]);
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Fault, &problem).await?;
    let vip = wait_for_reason(&stage, "web", ConditionType::Programmed, "InterfaceNotFound").await?;
    let status = vip.status.unwrap_or_default();
    let programmed = find_condition(&status.conditions, ConditionType::Programmed);
    let message = programmed.map(|condition| condition.message.as_str()).unwrap_or_default();
    assert!(message.contains("node-2") && message.contains("there is no eth0"), "{message}");
    Ok(())
}

#[tokio::test]
async fn what_the_agents_write_is_left_alone() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    claim(&stage, "node-1").await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    let is_whole = |vip: &VirtualIP| backups(vip) == Some("1/1");
    let vip = wait::until(&stage.virtual_ips(), "web", "a backup", SHORT, is_whole).await?;
    assert_eq!(vip.status.and_then(|status| status.master).as_deref(), Some("node-1"));
    Ok(())
}

#[tokio::test]
async fn a_master_that_is_not_named_any_more_is_named_again_and_can_take_it_back() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = stage.operator()?;
    let [one, two] = two_nodes(&stage).await?;
    claim(&stage, "node-1").await?;
    one.report("web", RouterState::Master, &json!([])).await?;
    two.report("web", RouterState::Backup, &json!([])).await?;
    wait_for_reason(&stage, "web", ConditionType::Ready, "MasterElected").await?;

    for by_hand in [json!(null), json!("no-such-node")] {
        let edit = Patch::Merge(json!({ "status": { "master": by_hand } }));
        stage.virtual_ips().patch_status("web", &PatchParams::default(), &edit).await?;
        let is_named = |vip: &VirtualIP| master(vip) == Some("node-1");
        wait::until(&stage.virtual_ips(), "web", "node-1 is named again", LONG, is_named).await?;
    }

    one.report("web", RouterState::Fault, &json!([])).await?;
    release(&stage, "node-1").await?;
    let vip = stage.virtual_ips().get("web").await?;
    assert_eq!(master(&vip), None, "what the operator wrote was the agent's");
    Ok(())
}
