//! An API server that refuses what the agent writes, since somebody else was first or since it has too much to do.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Result, ensure};
use holdfast_crds::{RouterState, VirtualIP};
use holdfast_tests::cluster::{ApiServer, Throttle, wait};
use holdfast_tests::lab::Lan;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::support::LONG;
use super::support::member::Member;
use super::support::objects::{Vip, assign, is_in_state, master_is, reported, spec};

#[tokio::test]
async fn a_claim_that_somebody_has_overtaken_is_judged_anew_and_written() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let vip = Vip { name: "contended", address: "10.77.0.101", vrid: 51, priority: 100 };
    vip.create(&client).await?;
    let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
    for writer in 0..4 {
        let (api, stop) = (Api::<VirtualIP>::all(client.clone()), Arc::clone(&stop));
        writers.spawn(async move {
            for turn in 0.. {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let note = json!({ "metadata": { "annotations": { "example.com/turn": format!("{writer}-{turn}") } } });
                // Those of the others are no concern of this one.
                let _ = api.patch(vip.name, &PatchParams::default(), &Patch::Merge(note)).await;
            }
        });
    }

    let mark = server.audit().mark()?;
    let mut member = Member::new(&mut lan, vip.name, server)?;
    assign(&client, vip.name, &spec(&[vip])).await?;
    member.start(server.admin())?;
    wait::repeatedly("the API server says that there is a conflict", LONG, async || {
        let requests = server.audit().since(mark)?;
        let mut claims = requests.iter().filter(|request| request.resource == "virtualips/status");
        ensure!(claims.any(|claim| claim.name == vip.name && claim.status == 409), "none yet");
        Ok(())
    })
    .await?;
    assert!(member.holds(vip.address)?, "the election does not wait for it");
    stop.store(true, Ordering::Relaxed);
    while writers.join_next().await.is_some() {}
    master_is(&client, vip.name, Some(vip.name), LONG).await
}

#[tokio::test]
async fn an_agent_whose_writes_are_refused_for_lack_of_time_goes_on_and_asks_seldom() -> Result<()> {
    const NODE: &str = "throttled";
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let one = Vip { name: "throttled-one", address: "10.77.0.101", vrid: 51, priority: 100 };
    let other = Vip { name: "throttled-other", address: "10.77.0.102", vrid: 52, priority: 100 };
    one.create(&client).await?;
    other.create(&client).await?;
    let access = server.user(NODE, None)?;
    Throttle::grant_everything(&client, NODE).await?;
    let mut member = Member::new(&mut lan, NODE, server)?;
    assign(&client, NODE, &spec(&[one])).await?;
    member.start(&access)?;
    master_is(&client, one.name, Some(NODE), LONG).await?;

    let throttle = Throttle::begin(&client, &access, NODE).await?;
    let mark = server.audit().mark()?;
    let generation = assign(&client, NODE, &spec(&[other])).await?;
    member.wait_for_address(other.address, true)?;
    member.wait_for_address(one.address, false)?;
    sleep(Duration::from_secs(5)).await;
    let requests = server.audit().since(mark)?;
    let refused = requests.iter().filter(|request| request.user == NODE && request.status == 429).count();
    println!("{refused} requests were refused");
    // The status, a claim and a release.
    assert!((1..=40).contains(&refused), "{refused}");

    throttle.end().await?;
    reported(&client, NODE, "the status is true", LONG, |status| {
        status.observed_generation == Some(generation) && is_in_state(status, other.name, RouterState::Master)
    })
    .await?;
    master_is(&client, other.name, Some(NODE), LONG).await?;
    master_is(&client, one.name, None, LONG).await
}
