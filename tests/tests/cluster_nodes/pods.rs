//! Nodes are ready, run pods, and are reached by everybody who should reach them.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use holdfast_tests::cluster::{Cluster, wait as watched};
use holdfast_tests::lab::{Host, http, wait};
use k8s_openapi::api::apps::v1::{DaemonSet, Deployment};
use k8s_openapi::api::core::v1::{Node, Service};
use kube::Api;
use kube::api::{DeleteParams, ListParams, PostParams};
use serde_json::json;

const SOON: Duration = Duration::from_secs(60);

fn output(mut command: Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

/// Waits until a page at `address`, fetched from `host`, satisfies `wanted`.
fn await_page(host: &Host, address: &str, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let server = address.parse()?;
    let what = format!("{address} answers {} rightly", host.name());
    wait::until(&what, SOON, || Ok(http::get_from(host, server, "/").is_ok_and(|page| wanted(page.body.trim()))))
}

#[tokio::test]
async fn three_nodes_are_ready_and_have_addresses_of_both_families() -> Result<()> {
    let cluster = Cluster::shared()?;
    let nodes: Api<Node> = Api::all(cluster.client()?);
    let mut found = Vec::new();
    for node in nodes.list(&ListParams::default()).await? {
        let status = node.status.context("a node has a status")?;
        let addresses = status.addresses.unwrap_or_default();
        let internal = addresses.into_iter().filter(|address| address.type_ == "InternalIP");
        found.push((
            node.metadata.name.unwrap_or_default(),
            internal.map(|address| address.address).collect::<Vec<_>>(),
        ));
    }
    let expected: Vec<_> = [("node-1", 11), ("node-2", 12), ("node-3", 13)]
        .map(|(name, number)| (name.to_owned(), vec![format!("10.77.0.{number}"), format!("fd77::{number:x}")]))
        .into();
    assert_eq!(found, expected);
    Ok(())
}

#[tokio::test]
async fn pods_of_the_nodes_network_answer_on_every_node() -> Result<()> {
    let cluster = Cluster::shared()?;
    let image = cluster.import_web_image()?;
    let daemon_set: DaemonSet = serde_json::from_value(json!({
        "metadata": { "name": "web-on-host" },
        "spec": {
            "selector": { "matchLabels": { "app": "web-on-host" } },
            "template": {
                "metadata": { "labels": { "app": "web-on-host" } },
                "spec": {
                    "hostNetwork": true,
                    "containers": [web(&image, ":8080")]
                }
            }
        }
    }))?;
    let client = cluster.client()?;
    Api::namespaced(client, "default").create(&PostParams::default(), &daemon_set).await?;
    for node in cluster.nodes() {
        let [ipv4, ipv6] = [format!("{}:8080", node.host()?.ipv4()), format!("[{}]:8080", node.host()?.ipv6())];
        for address in [ipv4, ipv6] {
            await_page(cluster.client_host(), &address, |page| page == node.name())?;
        }
    }

    let mut kubectl = cluster.kubectl()?;
    kubectl.args(["logs", "--selector=app=web-on-host", "--ignore-errors=false"]);
    output(kubectl)?;
    delete_daemon_set(&cluster, "web-on-host").await
}

#[tokio::test]
async fn ordinary_pods_answer_under_their_service_from_every_node() -> Result<()> {
    let cluster = Cluster::shared()?;
    let image = cluster.import_web_image()?;
    let client = cluster.client()?;
    let deployment: Deployment = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": {
            "replicas": 2,
            "selector": { "matchLabels": { "app": "web" } },
            "template": {
                "metadata": { "labels": { "app": "web" } },
                "spec": { "containers": [web(&image, ":80")] }
            }
        }
    }))?;
    let service: Service = serde_json::from_value(json!({
        "metadata": { "name": "web" },
        "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80 }] }
    }))?;
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), "default");
    let services: Api<Service> = Api::namespaced(client, "default");
    deployments.create(&PostParams::default(), &deployment).await?;
    let service = services.create(&PostParams::default(), &service).await?;
    let address = service.spec.and_then(|spec| spec.cluster_ip).context("a service has an address")?;
    for node in cluster.nodes() {
        await_page(node.host()?, &format!("{address}:80"), |page| page.starts_with("node-"))?;
    }
    deployments.delete("web", &DeleteParams::default()).await?;
    services.delete("web", &DeleteParams::default()).await?;
    Ok(())
}

#[test]
fn a_second_cluster_is_refused_and_told_who_runs_the_first() -> Result<()> {
    let _cluster = Cluster::shared()?;
    let Err(refusal) = Cluster::up() else { bail!("there are two clusters") };
    let refusal = format!("{refusal:#}");
    assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
    Ok(())
}

fn web(image: &str, listen: &str) -> serde_json::Value {
    json!({
        "name": "web",
        "image": image,
        "imagePullPolicy": "Never",
        "args": [listen],
        "env": [{ "name": "NODE_NAME", "valueFrom": { "fieldRef": { "fieldPath": "spec.nodeName" } } }]
    })
}

/// A pod that is going still has its port: the next test waits for it here.
async fn delete_daemon_set(cluster: &Cluster, name: &str) -> Result<()> {
    let client = cluster.client()?;
    let sets: Api<DaemonSet> = Api::namespaced(client.clone(), "default");
    sets.delete(name, &DeleteParams::foreground()).await?;
    watched::until_gone(&sets, name, SOON).await
}
