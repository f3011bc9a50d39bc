//! An installation on three nodes: from `helm install` to nothing.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use holdfast_tests::cluster::{Cluster, Release, chart};
use holdfast_tests::lab::{Prober, addresses, wait};
use serde_json::{Value, json};

/// None that anything could have been written for.
const NAMESPACE: &str = "edge-network";

/// Of the nodes' network, one for each test.
const SERVED: &str = "10.77.0.100";
const GONE: &str = "10.77.0.101";

/// For what takes a second on a machine that has nothing else to do.
const SOON: Duration = Duration::from_secs(60);

/// The kinds of which nothing may be left, by their names for kubectl. Those of a namespace are asked for in that of the
/// installation.
const KINDS: &str = "all,leases,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings,configmaps,secrets,\
    poddisruptionbudgets,networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings";

fn said(mut command: Command) -> Result<String> {
    let output = command.output()?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let mut kubectl = cluster.kubectl()?;
    kubectl.args(arguments);
    said(kubectl)
}

fn get(cluster: &Cluster, arguments: &[&str]) -> Result<Value> {
    let mut all = vec!["get", "--output=json"];
    all.extend_from_slice(arguments);
    Ok(serde_json::from_str(&kubectl(cluster, &all)?)?)
}

/// Applies a VirtualIP and waits until it is ready. Returns the node that its status names.
fn hold(cluster: &Cluster, name: &str, address: &str) -> Result<String> {
    let manifest = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name },
        "spec": { "addresses": [format!("{address}/24")] },
    });
    chart::apply(cluster.api(), &[manifest], &[])?;
    kubectl(cluster, &["wait", "--for=condition=Ready", &format!("virtualip/{name}"), "--timeout=60s"])?;
    let object = get(cluster, &["virtualip", name])?;
    Ok(object["status"]["master"].as_str().context("a master")?.to_owned())
}

/// The nodes whose kernel has the address.
fn holders(cluster: &Cluster, address: &str) -> Result<Vec<String>> {
    let address: IpAddr = address.parse()?;
    let mut holders = Vec::new();
    for node in cluster.nodes() {
        if addresses::has(node.host()?, "eth0", address)? {
            holders.push(node.name().to_owned());
        }
    }
    Ok(holders)
}

/// The nodes whose kernel has a fence.
fn fenced(cluster: &Cluster) -> Result<Vec<String>> {
    let mut fenced = Vec::new();
    for node in cluster.nodes() {
        let mut nft = Command::new("nft");
        nft.args(["list", "tables", "netdev"]);
        let tables = String::from_utf8(node.host()?.namespace().output(nft)?.stdout)?;
        if tables.contains("holdfast-") {
            fenced.push(node.name().to_owned());
        }
    }
    Ok(fenced)
}

/// What the installation has made and nobody has removed, as `KIND/NAME`.
fn left(cluster: &Cluster, namespace: &str) -> Result<Vec<String>> {
    let names = kubectl(cluster, &["--namespace", namespace, "get", KINDS, "--output=name", "--ignore-not-found"])?;
    Ok(names.lines().filter(|name| name.contains("/holdfast")).map(str::to_owned).collect())
}

/// When the pods of the agents were made and when they became ready: RFC 3339, in the order of the first.
fn agents(cluster: &Cluster, namespace: &str) -> Result<Vec<(String, String)>> {
    let pods = get(cluster, &["pods", "--namespace", namespace, "--selector=app.kubernetes.io/component=agent"])?;
    let pods = pods["items"].as_array().cloned().unwrap_or_default();
    let mut found = Vec::new();
    for pod in pods {
        let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|it| it["type"] == "Ready" && it["status"] == "True");
        let ready = ready.with_context(|| format!("{} is not ready", pod["metadata"]["name"]))?;
        let time = |value: &Value| value.as_str().map(str::to_owned).context("a time");
        found.push((time(&pod["metadata"]["creationTimestamp"])?, time(&ready["lastTransitionTime"])?));
    }
    found.sort();
    Ok(found)
}

fn columns(definition: &Value) -> Option<&Value> {
    definition.pointer("/spec/versions/0/additionalPrinterColumns")
}

/// A definition as its author would apply it, but for the columns.
fn without_columns(definition: &Value) -> Result<Value> {
    let mut older = definition.clone();
    older["metadata"] = json!({ "name": definition["metadata"]["name"] });
    let fields = older.as_object_mut().context("an object")?;
    fields.remove("status");
    let version = older.pointer_mut("/spec/versions/0").and_then(Value::as_object_mut).context("a version")?;
    version.remove("additionalPrinterColumns");
    Ok(older)
}

#[test]
fn an_installation_serves_is_upgraded_without_a_loss_and_goes_without_a_trace() -> Result<()> {
    let cluster = Cluster::shared()?;
    let release = Release::install_in(&cluster, NAMESPACE, &json!({}))?;
    let master = hold(&cluster, "served", SERVED)?;
    assert_eq!(holders(&cluster, SERVED)?, std::slice::from_ref(&master));
    assert_eq!(fenced(&cluster)?.len(), 3, "the rights of a pod are enough");
    let told = "--for=jsonpath={.status.virtualRouters[0].fencing}=Overlap";
    kubectl(&cluster, &["wait", told, &format!("nodeconfig/{master}"), "--timeout=60s"])?;
    let table = kubectl(&cluster, &["get", "virtualips"])?;
    assert!(table.lines().any(|line| line.starts_with("served") && line.contains(&master)), "{table}");

    // As if an older chart had installed it, with no columns to print.
    let definition = get(&cluster, &["crd", "virtualips.holdfast.dev"])?;
    chart::apply(cluster.api(), &[without_columns(&definition)?], &["--field-manager=helm", "--force-conflicts"])?;
    assert!(columns(&get(&cluster, &["crd", "virtualips.holdfast.dev"])?).is_none());

    // What is wrong with one VirtualIP must not make a DaemonSet replace all agents at once.
    let password = json!({ "passwordKey": "missing" });
    let broken = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": "broken" },
        "spec": { "addresses": ["10.77.0.199/24"], "protocolVersion": 2, "authentication": password },
    });
    chart::apply(cluster.api(), &[broken], &[])?;
    let reason = "--for=jsonpath={.status.conditions[?(@.type=='Programmed')].reason}=PasswordKeyNotFound";
    kubectl(&cluster, &["wait", reason, "virtualip/broken", "--timeout=60s"])?;

    let node = cluster.node(&master)?.host()?;
    let prober = Prober::start_at(cluster.client_host(), SERVED.parse()?, node, SOON)?;
    release.upgrade(&cluster, &json!({ "agent": { "podAnnotations": { "example.org/rolled": "yes" } } }))?;
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "of {} probes, the longest gap {:?}", report.sent(), report.longest_gap());
    let rolled = agents(&cluster, NAMESPACE)?;
    assert_eq!(rolled.len(), 3);
    for (earlier, later) in rolled.iter().zip(rolled.iter().skip(1)) {
        assert!(earlier.1 <= later.0, "an agent was replaced before the one before was ready: {rolled:?}");
    }
    let upgraded = get(&cluster, &["crd", "virtualips.holdfast.dev"])?;
    assert_eq!(columns(&upgraded), columns(&definition), "an upgrade upgrades the definitions");

    release.uninstall(&cluster)?;
    assert_eq!(holders(&cluster, SERVED)?, [""; 0], "the agents have taken the address with them");
    assert_eq!(fenced(&cluster)?, [""; 0], "and the fence");
    kubectl(&cluster, &["get", "virtualip", "served"])?;
    wait::until("nothing is left", SOON, || Ok(left(&cluster, NAMESPACE)?.is_empty()))
        .with_context(|| format!("{:?}", left(&cluster, NAMESPACE)))?;
    kubectl(&cluster, &["delete", "virtualip", "served", "broken"]).map(drop)
}

#[test]
fn an_installation_that_may_go_whole_takes_the_definitions_with_it() -> Result<()> {
    let cluster = Cluster::shared()?;
    let release = Release::install_in(&cluster, NAMESPACE, &json!({ "crds": { "keep": false } }))?;
    hold(&cluster, "gone", GONE)?;
    release.uninstall(&cluster)?;
    assert_eq!(holders(&cluster, GONE)?, [""; 0]);
    let left = kubectl(&cluster, &["get", "crds", "--output=name"])?;
    assert!(!left.contains("holdfast.dev"), "{left}");
    Ok(())
}
