//! A VirtualIP that users delete.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use holdfast_crds::VirtualIP;
use kube::ResourceExt;
use kube::api::DeleteParams;
use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::support::scene::{Scene, master};

const NODE: &str = "node-1";
const ADDRESS: &str = "10.77.0.101";

fn web() -> Value {
    json!({ "addresses": [ADDRESS], "interface": "eth0" })
}

/// A cluster of one node, which holds the address of a VirtualIP, and that VirtualIP.
async fn scene() -> Result<(Scene, VirtualIP)> {
    let scene = Scene::new(&[NODE]).await?;
    scene.apply("web", web()).await?;
    let vip = scene.shown("web", "it has a master", |vip| master(vip) == Some(NODE)).await?;
    Ok((scene, vip))
}

#[tokio::test]
async fn a_virtual_ip_that_is_deleted_is_gone_at_once_and_its_addresses_with_it() -> Result<()> {
    let (scene, vip) = scene().await?;
    let (vips, node) = (scene.virtual_ips(), &scene.members[0]);
    assert!(node.holds(ADDRESS)?);
    assert!(vip.finalizers().is_empty(), "nothing to hang on");

    let asked = Instant::now();
    let deleted = vips.delete("web", &DeleteParams::default()).await?;
    ensure!(deleted.is_right(), "it is only marked: {deleted:?}");
    ensure!(vips.get_opt("web").await?.is_none(), "it is still there");
    node.wait_for_address(ADDRESS, false)?;
    let took = asked.elapsed();
    println!("released {took:?} after it was deleted");
    // The operator waits a tenth of a second for more, and a busy machine for its turn.
    ensure!(took < Duration::from_secs(5), "it took {took:?}");
    Ok(())
}

#[tokio::test]
async fn a_virtual_ip_that_was_made_again_at_once_names_its_master_though_no_node_has_moved() -> Result<()> {
    let (scene, first) = scene().await?;
    let node = &scene.members[0];
    let transitions = node.count_events("transition")?;

    // What happens while the operator is frozen, it sees at once: it asks for the same as before.
    scene.operator.signal(Signal::SIGSTOP)?;
    scene.virtual_ips().delete("web", &DeleteParams::default()).await?;
    scene.apply("web", web()).await?;
    scene.operator.signal(Signal::SIGCONT)?;

    let named = |vip: &VirtualIP| vip.uid() != first.uid() && master(vip) == Some(NODE);
    let second = scene.shown("web", "the new object names its master", named).await?;
    let since = |vip: &VirtualIP| vip.status.as_ref().and_then(|status| status.master_since.clone());
    assert_eq!(since(&second), since(&first), "it has been master all the time");
    assert!(node.holds(ADDRESS)?);
    assert_eq!(node.count_events("transition")?, transitions);
    Ok(())
}
