//! What must be gone when Holdfast is uninstalled: on the nodes all that it put into the kernel, in the API all but the
//! definitions and one NodeConfig for each node, which stay for the next installation.

use std::process::Command;

use anyhow::Result;

use super::matrix::Result as RowResult;
use super::stage::INTERFACE;
use crate::cluster::{Cluster, Node};
use crate::lab::addresses;

/// The last row of every run.
pub(super) const ROW: &str = "uninstalled";
pub(super) const FAULT: &str = "Holdfast is uninstalled: nothing is left";

/// The result of that row.
pub(super) fn result(left: &[String]) -> RowResult {
    let failure = (!left.is_empty()).then(|| format!("left: {}", left.join(", ")));
    RowResult { name: ROW.to_owned(), fault: FAULT.to_owned(), parts: Vec::new(), failure }
}

/// Everything that should be gone.
pub(super) fn find(cluster: &Cluster) -> Result<Vec<String>> {
    let mut left = Vec::new();
    for node in cluster.nodes() {
        let on_node = [addresses_on(node)?, rules_on(node)?, processes_on(node)?].concat();
        left.extend(on_node.into_iter().map(|what| format!("{} on {}", what, node.name())));
    }
    left.extend(objects(cluster)?);
    left.extend(routers(cluster)?);
    Ok(left)
}

/// Whatever is not the node's own.
fn addresses_on(node: &Node) -> Result<Vec<String>> {
    let host = node.host()?;
    let own = [host.ipv4().into(), host.ipv6().into(), host.link_local().into()];
    let present = addresses::list(host, INTERFACE)?.into_iter();
    Ok(present.filter(|address| !own.contains(address)).map(|address| address.to_string()).collect())
}

fn rules_on(node: &Node) -> Result<Vec<String>> {
    let tables = said(node, Command::new("nft"), &["list", "tables"])?;
    Ok(tables.lines().filter(|table| table.contains("holdfast")).map(str::to_owned).collect())
}

fn processes_on(node: &Node) -> Result<Vec<String>> {
    let processes = said(node, Command::new("ps"), &["-e", "-o", "comm="])?;
    Ok(processes.lines().filter(|program| program.starts_with("holdfast")).map(str::to_owned).collect())
}

fn said(node: &Node, mut command: Command, arguments: &[&str]) -> Result<String> {
    command.args(arguments);
    let output = node.output(command)?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Objects of the installation, as `KIND/NAME`, and `NodeConfig`s of nodes that there are not.
fn objects(cluster: &Cluster) -> Result<Vec<String>> {
    const KINDS: &str = "all,leases,serviceaccounts,configmaps,secrets,roles,rolebindings,clusterroles,clusterrolebindings,\
        poddisruptionbudgets,networkpolicies,validatingadmissionpolicies,validatingadmissionpolicybindings,nodeconfigs";
    let names = kubectl(cluster, &["--namespace=holdfast", "get", KINDS, "--output=name", "--ignore-not-found"])?;
    let is_left = |name: &&str| match name.strip_prefix("nodeconfig.holdfast.dev/") {
        Some(node) => cluster.node(node).is_err(),
        None => name.contains("/holdfast"),
    };
    Ok(names.lines().filter(is_left).map(str::to_owned).collect())
}

/// What a NodeConfig still says, although there is no VirtualIP any more.
fn routers(cluster: &Cluster) -> Result<Vec<String>> {
    let path = "--output=jsonpath={.items[*].spec.virtualRouters[*].name}";
    let names = kubectl(cluster, &["get", "nodeconfigs", path])?;
    Ok(names.split_whitespace().map(|name| format!("the virtual router {name} in a NodeConfig")).collect())
}

fn kubectl(cluster: &Cluster, arguments: &[&str]) -> Result<String> {
    let mut kubectl = cluster.kubectl()?;
    let output = kubectl.args(arguments).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
