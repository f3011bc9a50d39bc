//! A node runs what its NodeConfig says, and says what it does.

use std::time::Duration;

use anyhow::Result;
use holdfast_crds::{RouterProblemReason, RouterState};
use holdfast_tests::cluster::{ApiServer, wait};
use holdfast_tests::lab::Lan;
use k8s_openapi::api::coordination::v1::Lease;
use kube::Api;
use serde_json::json;

use super::support::LONG;
use super::support::member::Member;
use super::support::objects::{Vip, assign, delete, is_in_state, master_is, reported, spec};

#[tokio::test]
async fn a_node_config_is_carried_out_and_reported_and_every_change_of_it() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let node = "carries-out";
    let one = Vip { name: "carried-one", address: "10.77.0.101", vrid: 51, priority: 100 };
    let other = Vip { name: "carried-other", address: "10.77.0.102", vrid: 52, priority: 100 };
    one.create(&client).await?;
    other.create(&client).await?;
    let mut member = Member::new(&mut lan, node, server)?;
    let first = assign(&client, node, &spec(&[one])).await?;
    member.start(server.admin())?;

    let status = reported(&client, node, "it is master", LONG, |status| {
        status.observed_generation == Some(first) && is_in_state(status, one.name, RouterState::Master)
    })
    .await?;
    let eth0 = status.interfaces.iter().find(|interface| interface.name == "eth0").expect("eth0");
    let host = &member.host;
    let own = [format!("{}/24", host.ipv4()), format!("{}/64", host.ipv6()), format!("{}/64", host.link_local())];
    assert_eq!(eth0.addresses, own, "with prefix lengths, and without the virtual one");
    assert_eq!(status.conditions[0].reason, "Programmed");
    master_is(&client, one.name, Some(node), LONG).await?;
    assert!(member.holds(one.address)?);
    assert_eq!(member.get("/readyz")?.status, 200);

    let second = assign(&client, node, &spec(&[other])).await?;
    reported(&client, node, "it is master of the other", LONG, |status| {
        status.observed_generation == Some(second) && is_in_state(status, other.name, RouterState::Master)
    })
    .await?;
    master_is(&client, other.name, Some(node), LONG).await?;
    master_is(&client, one.name, None, LONG).await?;
    member.wait_for_address(one.address, false)?;

    member.terminate()?;
    master_is(&client, other.name, None, LONG).await?;
    let left =
        reported(&client, node, "it has left", LONG, |status| !is_in_state(status, other.name, RouterState::Master))
            .await?;
    assert_eq!(left.summary.map(|summary| summary.master), Some(0));
    Ok(())
}

#[tokio::test]
async fn what_the_node_cannot_carry_out_is_said_where_it_is_looked_for() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let node = "no-eth7";
    let vip = Vip { name: "elsewhere", address: "10.77.0.101", vrid: 51, priority: 100 };
    let mut wanted = spec(&[vip]);
    wanted["virtualRouters"][0]["interface"] = json!("eth7");
    let mut member = Member::new(&mut lan, node, server)?;
    let generation = assign(&client, node, &wanted).await?;
    member.start(server.admin())?;

    let status =
        reported(&client, node, "it is carried out", LONG, |status| status.observed_generation == Some(generation))
            .await?;
    let problem = &status.virtual_routers[0].problems[0];
    assert_eq!(problem.reason, RouterProblemReason::InterfaceNotFound);
    assert!(problem.message.starts_with("there is no interface eth7"), "{problem:?}");
    assert_eq!(status.conditions[0].reason, "InterfaceNotFound");
    assert!(is_in_state(&status, vip.name, RouterState::Fault));
    Ok(())
}

#[tokio::test]
async fn a_node_config_that_is_deleted_and_put_back_takes_no_address_down() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let node = "put-back";
    let vip = Vip { name: "put-back", address: "10.77.0.101", vrid: 51, priority: 100 };
    vip.create(&client).await?;
    let mut member = Member::new(&mut lan, node, server)?;
    assign(&client, node, &spec(&[vip])).await?;
    member.start(server.admin())?;
    member.wait_for_address(vip.address, true)?;
    master_is(&client, vip.name, Some(node), LONG).await?;

    delete(&client, node).await?;
    holdfast_tests::lab::wait::until("it is told", LONG, || {
        let ready = member.get("/readyz")?;
        Ok(ready.status == 503 && ready.body.contains("does not exist any more"))
    })?;
    assert!(member.holds(vip.address)?);
    let generation = assign(&client, node, &spec(&[vip])).await?;
    reported(&client, node, "the new object has a status", LONG, |status| {
        status.observed_generation == Some(generation) && is_in_state(status, vip.name, RouterState::Master)
    })
    .await?;
    assert!(member.holds(vip.address)?);
    assert_eq!(member.count_events("transition")?, 2, "INIT, BACKUP and MASTER, and no more");
    Ok(())
}

#[tokio::test]
async fn a_heartbeat_is_renewed_every_five_seconds() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let mut member = Member::new(&mut lan, "beats", server)?;
    member.start(server.admin())?;
    let leases: Api<Lease> = Api::namespaced(client, "default");
    let renewed = |lease: &Lease| lease.spec.as_ref().and_then(|spec| spec.renew_time.clone());
    let name = "holdfast-agent-beats";
    let first = wait::until(&leases, name, "the first", LONG, |lease| renewed(lease).is_some()).await?;
    let second = wait::until(&leases, name, "another", LONG, |lease| renewed(lease) != renewed(&first)).await?;
    let holder = second.spec.as_ref().and_then(|spec| spec.holder_identity.as_deref());
    assert_eq!(holder, Some("beats"));
    let times = [&first, &second].map(|lease| renewed(lease).expect("a time").0);
    let between = Duration::try_from(times[1].duration_since(times[0]))?;
    assert!(between > Duration::from_secs(4) && between < Duration::from_secs(15), "{between:?}");
    Ok(())
}
