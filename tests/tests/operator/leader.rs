//! Of several operators one leads, and another one takes over.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::cluster::wait;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use kube::api::{Patch, PatchParams};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::support::{LONG, NAMESPACE, Operator, SHORT, Stage, apply, virtual_ip};

fn lease(stage: &Stage) -> Api<Lease> {
    Api::namespaced(stage.client.clone(), NAMESPACE)
}

fn holder(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref()
}

#[tokio::test]
async fn the_leader_hands_over_at_once_when_it_is_asked_to_leave() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let mut first = stage.operator()?;
    let second = Operator::start(stage.server.admin(), "operator-1")?;
    second.wait_for_readiness(200, "ok", LONG)?;
    assert!(!second.leads(), "two lead");

    let asked = Instant::now();
    first.signal(Signal::SIGTERM)?;
    second.wait_until_it_leads(SHORT)?;
    assert!(asked.elapsed() < Duration::from_secs(3), "it took {:?}", asked.elapsed());
    assert_eq!(first.wait_for_end(SHORT)?.code(), Some(0));

    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has = |config: &holdfast_crds::NodeConfig| !config.spec.virtual_routers.is_empty();
    wait::until(&stage.node_configs(), "node-1", "the new leader works", SHORT, has).await?;
    Ok(())
}

#[tokio::test]
async fn another_takes_over_when_the_lease_of_a_killed_leader_has_expired() -> Result<()> {
    let stage = Stage::new().await?;
    let first = stage.operator()?;
    let second = Operator::start(stage.server.admin(), "operator-1")?;
    second.wait_for_readiness(200, "ok", LONG)?;

    let killed = Instant::now();
    first.signal(Signal::SIGKILL)?;
    second.wait_until_it_leads(LONG)?;
    // Renewed up to 2 s before, looked at every 2 to 2.4 s.
    let took = killed.elapsed();
    assert!(took > Duration::from_secs(12), "too early: after {took:?}");
    assert!(took < Duration::from_secs(25), "too late: after {took:?}");
    Ok(())
}

#[tokio::test]
async fn an_operator_that_is_started_again_under_its_name_leads_at_once() -> Result<()> {
    let stage = Stage::new().await?;
    let first = stage.operator()?;
    first.signal(Signal::SIGKILL)?;
    let started = Instant::now();
    let _again = stage.operator()?;
    assert!(started.elapsed() < SHORT, "it took {:?}", started.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_leader_that_loses_its_lease_ends() -> Result<()> {
    let stage = Stage::new().await?;
    let mut operator = stage.operator()?;
    let taken = json!({ "spec": { "holderIdentity": "somebody", "leaseTransitions": 7 } });
    lease(&stage).patch("holdfast-operator", &PatchParams::default(), &Patch::Merge(taken)).await?;
    let status = operator.wait_for_end(SHORT)?;
    assert_eq!(status.code(), Some(1), "{status}");
    assert!(operator.log().contains("lost"), "{}", operator.log());
    let held = lease(&stage).get("holdfast-operator").await?;
    assert_eq!(holder(&held), Some("somebody"), "the lease of somebody else is not touched");
    Ok(())
}
