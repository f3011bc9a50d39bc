//! The API server goes, and comes back: elections do not notice, and the status is true soon after.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_crds::RouterState;
use holdfast_tests::cluster::{ApiServer, Component, crds};
use holdfast_tests::lab::Lan;
use kube::Client;

use super::support::LONG;
use super::support::gate::Way;
use super::support::member::Member;
use super::support::objects::{Vip, assign, is_in_state, master_is, reported, spec};

/// A node that is master of its only VIP, and has said so.
async fn master(lan: &mut Lan, vip: Vip<'_>, server: &ApiServer, client: &Client) -> Result<Member> {
    vip.create(client).await?;
    let mut member = Member::new(lan, vip.name, server)?;
    assign(client, vip.name, &spec(&[vip])).await?;
    member.start(server.admin())?;
    master_is(client, vip.name, Some(vip.name), LONG).await?;
    Ok(member)
}

const fn vip(name: &str) -> Vip<'_> {
    Vip { name, address: "10.77.0.101", vrid: 51, priority: 100 }
}

#[tokio::test]
async fn an_agent_that_starts_without_the_api_server_runs_at_once_what_it_ran_last() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let (client, vip) = (server.client()?, vip("starts-alone"));
    let mut member = master(&mut lan, vip, server, &client).await?;
    for way in [Way::Closed, Way::Hanging] {
        member.gate.set(way);
        member.terminate()?;
        assert!(!member.holds(vip.address)?);
        let start = Instant::now();
        member.start(server.admin())?;
        member.wait_for_address(vip.address, true)?;
        // An election takes 0.8 s; an attempt to reach the API server would take 5 s or more.
        assert!(start.elapsed() < Duration::from_secs(4), "{:?} with the way {way:?}", start.elapsed());
        assert_eq!(member.get("/readyz")?.status, 200, "an agent that does not need the API server is ready");
    }
    Ok(())
}

#[tokio::test]
async fn an_outage_is_told_once_and_the_status_is_true_soon_after() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    for (name, way) in [("closed", Way::Closed), ("hanging", Way::Hanging)] {
        let vip = vip(name);
        let mut lan_of_its_own = std::mem::replace(&mut lan, Lan::new()?);
        let member = master(&mut lan_of_its_own, vip, server, &client).await?;
        let cut = Instant::now();
        member.gate.set(way);
        member.wait_for_event("api-lost", cut, LONG)?;
        let other = Vip { name, address: "10.77.0.102", ..vip };
        let generation = assign(&client, name, &spec(&[other])).await?;
        assert!(member.holds(vip.address)?, "what it knows stays in force");

        let opened = Instant::now();
        member.gate.set(Way::Open);
        reported(&client, name, "the status is true", Duration::from_secs(15), |status| {
            status.observed_generation == Some(generation) && is_in_state(status, name, RouterState::Master)
        })
        .await?;
        println!("{name}: true after {:?}", opened.elapsed());
        member.wait_for_address(other.address, true)?;
        member.wait_for_event("api-regained", opened, LONG)?;
        assert_eq!((member.count_events("api-lost")?, member.count_events("api-regained")?), (1, 1));
    }
    Ok(())
}

#[tokio::test]
async fn servers_that_are_killed_and_started_again_find_the_agent_at_work() -> Result<()> {
    let (mut server, mut lan) = (ApiServer::start()?, Lan::new()?);
    let client = server.client()?;
    crds::apply(&client).await?;
    let vip = vip("restarted");
    let member = master(&mut lan, vip, &server, &client).await?;
    let killed = Instant::now();
    for component in [Component::ApiServer, Component::Etcd] {
        server.kill(component)?;
    }
    member.wait_for_event("api-lost", killed, LONG)?;
    assert!(member.holds(vip.address)?);
    for component in [Component::Etcd, Component::ApiServer] {
        server.start_component(component)?;
    }
    server.wait_until_ready()?;

    let ready = Instant::now();
    let other = Vip { address: "10.77.0.102", ..vip };
    let generation = assign(&client, vip.name, &spec(&[other])).await?;
    reported(&client, vip.name, "the status is true", LONG, |status| {
        status.observed_generation == Some(generation) && is_in_state(status, vip.name, RouterState::Master)
    })
    .await?;
    println!("restarted: true {:?} after it was ready", ready.elapsed());
    member.wait_for_address(other.address, true)?;
    Ok(())
}
