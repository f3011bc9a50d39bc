//! An installation on three nodes: from `helm install` to nothing.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use holdfast_tests::cluster::{Cluster, Release};
use holdfast_tests::lab::{Prober, addresses, wait};
use serde_json::{Value, json};

/// Of the nodes' network.
const ADDRESS: &str = "10.77.0.100";

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
fn hold_an_address(cluster: &Cluster, name: &str) -> Result<String> {
    let manifest = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name },
        "spec": { "addresses": [format!("{ADDRESS}/24")] },
    });
    holdfast_tests::cluster::chart::apply(cluster.api(), &[manifest], &[])?;
    kubectl(cluster, &["wait", "--for=condition=Ready", &format!("virtualip/{name}"), "--timeout=60s"])?;
    let object = get(cluster, &["virtualip", name])?;
    Ok(object["status"]["master"].as_str().context("a master")?.to_owned())
}

/// The nodes whose kernel has the address.
fn holders(cluster: &Cluster) -> Result<Vec<String>> {
    let address: IpAddr = ADDRESS.parse()?;
    let mut holders = Vec::new();
    for node in cluster.nodes() {
        if addresses::has(node.host()?, "eth0", address)? {
            holders.push(node.name().to_owned());
        }
    }
    Ok(holders)
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

#[test]
fn an_installation_serves_is_upgraded_without_a_loss_and_goes_without_a_trace() -> Result<()> {
    let cluster = Cluster::shared()?;
    let release = Release::install(&cluster, &json!({}))?;
    let namespace = release.namespace().to_owned();
    let master = hold_an_address(&cluster, "served")?;
    assert_eq!(holders(&cluster)?, [master.clone()]);
    let table = kubectl(&cluster, &["get", "virtualips"])?;
    assert!(table.lines().any(|line| line.starts_with("served") && line.contains(&master)), "{table}");

    // As if an older chart had installed them.
    let definition = get(&cluster, &["crd", "virtualips.holdfast.dev"])?;
    let columns = "/spec/versions/0/additionalPrinterColumns";
    let remove = json!([{ "op": "remove", "path": columns }]).to_string();
    kubectl(&cluster, &["patch", "crd", "virtualips.holdfast.dev", "--type=json", "--patch", &remove])?;

    let node = cluster.node(&master)?.host()?;
    let prober = Prober::start_at(cluster.client_host(), ADDRESS.parse()?, node, SOON)?;
    release.upgrade(&cluster, &json!({ "agent": { "podAnnotations": { "example.org/rolled": "yes" } } }))?;
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "of {} probes, the longest gap {:?}", report.sent(), report.longest_gap());
    let rolled = agents(&cluster, &namespace)?;
    assert_eq!(rolled.len(), 3);
    for (earlier, later) in rolled.iter().zip(rolled.iter().skip(1)) {
        assert!(earlier.1 <= later.0, "an agent was replaced before the one before was ready: {rolled:?}");
    }
    let upgraded = get(&cluster, &["crd", "virtualips.holdfast.dev"])?;
    assert_eq!(upgraded.pointer(columns), definition.pointer(columns), "an upgrade upgrades the definitions");

    release.uninstall(&cluster)?;
    assert_eq!(holders(&cluster)?, [""; 0], "the agents have taken the address with them");
    kubectl(&cluster, &["get", "virtualip", "served"])?;
    wait::until("nothing is left", SOON, || Ok(left(&cluster, &namespace)?.is_empty()))
        .with_context(|| format!("{:?}", left(&cluster, &namespace)))?;
    kubectl(&cluster, &["delete", "virtualip", "served"]).map(drop)
}

#[test]
fn an_installation_that_may_go_whole_takes_the_definitions_with_it() -> Result<()> {
    let cluster = Cluster::shared()?;
    let release = Release::install_in(&cluster, "elsewhere", &json!({ "crds": { "keep": false } }))?;
    hold_an_address(&cluster, "gone")?;
    release.uninstall(&cluster)?;
    assert_eq!(holders(&cluster)?, [""; 0]);
    let left = kubectl(&cluster, &["get", "crds", "--output=name"])?;
    assert!(!left.contains("holdfast.dev"), "{left}");
    Ok(())
}
