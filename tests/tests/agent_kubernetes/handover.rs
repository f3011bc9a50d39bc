//! Who is master is written by the master, and by nobody else.

use std::time::Instant;

use anyhow::Result;
use holdfast_crds::VirtualIP;
use holdfast_tests::cluster::ApiServer;
use holdfast_tests::cluster::wait;
use holdfast_tests::lab::Lan;
use kube::Api;
use kube::api::ListParams;

use super::support::LONG;
use super::support::member::Member;
use super::support::objects::{Vip, assign, claimed, managers, master_is, reported, spec};

#[tokio::test]
async fn the_new_master_is_named_when_the_old_one_leaves_dies_or_comes_back() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let preferred = Vip { name: "handed-over", address: "10.77.0.101", vrid: 51, priority: 200 };
    let second = Vip { priority: 100, ..preferred };
    preferred.create(&client).await?;
    let (mut a, mut b) = (Member::new(&mut lan, "hand-a", server)?, Member::new(&mut lan, "hand-b", server)?);
    assign(&client, "hand-a", &spec(&[preferred])).await?;
    assign(&client, "hand-b", &spec(&[second])).await?;
    a.start(server.admin())?;
    master_is(&client, preferred.name, Some("hand-a"), LONG).await?;
    b.start(server.admin())?;

    a.terminate()?;
    master_is(&client, preferred.name, Some("hand-b"), LONG).await?;
    a.start(server.admin())?;
    let status =
        claimed(&client, preferred.name, "a is back", LONG, |status| status.master.as_deref() == Some("hand-a"))
            .await?;
    assert!(status.master_since.is_some());
    a.kill()?;
    master_is(&client, preferred.name, Some("hand-b"), LONG).await?;
    a.start(server.admin())?;
    master_is(&client, preferred.name, Some("hand-a"), LONG).await?;

    // Each writes under a name of its own; a release by the one who lost it takes nothing from the other.
    let managers = managers(&client, preferred.name).await?;
    assert!(managers.contains(&"holdfast-agent-hand-a".to_owned()), "{managers:?}");
    b.terminate()?;
    master_is(&client, preferred.name, Some("hand-a"), LONG).await?;
    Ok(())
}

/// As many as one interface has virtual router IDs for, but a few.
const MANY: u8 = 250;

#[tokio::test]
async fn hundreds_that_move_together_are_named_together() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let words: Vec<_> = (1..=MANY).map(|vrid| (vrid, format!("many-{vrid}"), format!("10.78.0.{vrid}"))).collect();
    let vips: Vec<Vip<'_>> =
        words.iter().map(|(vrid, name, address)| Vip { name, address, vrid: *vrid, priority: 200 }).collect();
    for vip in &vips {
        vip.create(&client).await?;
    }
    let lower: Vec<Vip<'_>> = vips.iter().map(|vip| Vip { priority: 100, ..*vip }).collect();
    let (mut a, mut b) = (Member::new(&mut lan, "many-a", server)?, Member::new(&mut lan, "many-b", server)?);
    assign(&client, "many-a", &spec(&vips)).await?;
    assign(&client, "many-b", &spec(&lower)).await?;
    a.start(server.admin())?;
    all_are_named(&client, "many-a").await?;
    b.start(server.admin())?;
    reported(&client, "many-b", "all are backups", LONG, |status| {
        status.summary.as_ref().is_some_and(|summary| summary.backup == i32::from(MANY))
    })
    .await?;

    let mark = server.audit().mark()?;
    let killed = Instant::now();
    a.kill()?;
    all_are_named(&client, "many-b").await?;
    let took = killed.elapsed();
    let requests = server.audit().since(mark)?;
    let times: Vec<&str> = requests
        .iter()
        .filter(|request| request.resource == "virtualips/status")
        .map(|request| request.at.as_str())
        .collect();
    let (claims, first, last) = (times.len(), times.iter().min(), times.iter().max());
    println!(
        "{MANY} virtual IPs: all masters named {took:?} after the kill, by {claims} requests from {first:?} to {last:?}"
    );
    assert!(claims < 3 * usize::from(MANY), "{claims} requests: one to read and one to write, and few repetitions");
    Ok(())
}

async fn all_are_named(client: &kube::Client, node: &str) -> Result<()> {
    let api: Api<VirtualIP> = Api::all(client.clone());
    wait::repeatedly(&format!("all masters are {node}"), LONG, async || {
        let found = api.list(&ListParams::default()).await?;
        let many =
            found.items.iter().filter(|vip| vip.metadata.name.as_deref().is_some_and(|name| name.starts_with("many-")));
        let named =
            many.filter(|vip| vip.status.as_ref().and_then(|status| status.master.as_deref()) == Some(node)).count();
        anyhow::ensure!(named == usize::from(MANY), "{named} of {MANY}");
        Ok(())
    })
    .await
}
