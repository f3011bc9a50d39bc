//! What can be done to a node, and what Kubernetes says of it.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use holdfast_tests::cluster::{Cluster, Component, wait as watched};
use holdfast_tests::lab::{addresses, wait};
use k8s_openapi::api::core::v1::Node;
use kube::Api;

const SOON: Duration = Duration::from_secs(60);

fn ready(node: &Node) -> Option<&str> {
    let conditions = node.status.as_ref()?.conditions.as_ref()?;
    conditions.iter().find(|condition| condition.type_ == "Ready").map(|condition| condition.status.as_str())
}

fn boot_id(node: &Node) -> Option<String> {
    Some(node.status.as_ref()?.node_info.as_ref()?.boot_id.clone())
}

#[tokio::test]
async fn a_node_without_power_becomes_unknown_and_boots_with_nothing_but_its_disk() -> Result<()> {
    let mut cluster = Cluster::shared()?;
    let nodes: Api<Node> = Api::all(cluster.client()?);
    let first_boot = boot_id(&nodes.get("node-2").await?).context("a node that is ready has a boot")?;
    let stray = [10, 77, 0, 200].into();
    let node = cluster.node("node-2")?;
    node.host()?.namespace().ip("addr add 10.77.0.200/32 dev eth0")?;
    std::fs::write(node.var_lib().join("kept"), "")?;

    cluster.power_off("node-2")?;
    watched::until(&nodes, "node-2", "it is unknown", SOON, |node| ready(node) == Some("Unknown")).await?;
    cluster.boot("node-2")?;
    let is_new = |node: &Node| ready(node) == Some("True") && boot_id(node).is_some_and(|boot| boot != first_boot);
    watched::until(&nodes, "node-2", "it is ready after another boot", SOON, is_new).await?;

    let node = cluster.node("node-2")?;
    assert!(!addresses::has(node.host()?, "eth0", stray)?);
    assert!(node.var_lib().join("kept").exists());
    Ok(())
}

#[tokio::test]
async fn a_node_without_its_link_becomes_unknown_and_comes_back_with_it() -> Result<()> {
    let cluster = Cluster::shared()?;
    let nodes: Api<Node> = Api::all(cluster.client()?);
    cluster.link_down("node-3")?;
    watched::until(&nodes, "node-3", "it is unknown", SOON, |node| ready(node) == Some("Unknown")).await?;
    cluster.link_up("node-3")?;
    watched::until(&nodes, "node-3", "it is ready", SOON, |node| ready(node) == Some("True")).await?;
    Ok(())
}

#[test]
fn the_programs_of_a_node_start_again_when_they_are_killed() -> Result<()> {
    let cluster = Cluster::shared()?;
    let node = cluster.node("node-1")?;
    for program in ["containerd", "kubelet", "kube-proxy"] {
        let pid = || -> Result<String> {
            let mut command = Command::new("/bin/sh");
            command.args(["-c", r#"grep -lx "$1" /proc/[0-9]*/comm"#, "find", program]);
            Ok(String::from_utf8(node.output(command)?.stdout)?)
        };
        let before = pid()?;
        assert_eq!(node.kill(program)?, 1, "{program}");
        wait::until(&format!("{program} runs again"), SOON, || {
            let now = pid()?;
            Ok(!now.is_empty() && now != before)
        })?;
    }
    assert_eq!(cluster.node("node-2")?.kill("no-such-program")?, 0);
    Ok(())
}

#[tokio::test]
async fn the_control_plane_comes_back_with_what_it_knew() -> Result<()> {
    let mut cluster = Cluster::shared()?;
    let nodes: Api<Node> = Api::all(cluster.client()?);
    let components = [Component::ControllerManager, Component::Scheduler, Component::ApiServer, Component::Etcd];
    for component in components {
        cluster.api_mut().kill(component)?;
    }
    assert!(nodes.get("node-1").await.is_err());
    for component in components.into_iter().rev() {
        cluster.api_mut().start_component(component)?;
    }
    cluster.api().wait_until_ready()?;
    cluster.wait_until_ready()?;
    ensure!(nodes.get("node-1").await.is_ok());
    Ok(())
}
