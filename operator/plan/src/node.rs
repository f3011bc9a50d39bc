//! A node as the plan sees it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use holdfast_crds::{Labels, VirtualIP};
use k8s_openapi::api::core::v1::Node;

use crate::memory::Standalone;

/// Name, labels and addresses of a node: all that the plan needs of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClusterNode {
    /// The name.
    pub name: String,
    /// The labels, for selectors.
    pub labels: Labels,
    /// The internal addresses, in the order of the node's status.
    pub addresses: Vec<IpAddr>,
}

impl From<&Node> for ClusterNode {
    fn from(node: &Node) -> Self {
        let status = node.status.as_ref().and_then(|status| status.addresses.as_ref());
        let internal = status.into_iter().flatten().filter(|address| address.type_ == "InternalIP");
        Self {
            name: node.metadata.name.clone().unwrap_or_default(),
            labels: node.metadata.labels.clone().unwrap_or_default(),
            addresses: internal.filter_map(|address| address.address.parse().ok()).collect(),
        }
    }
}

/// The nodes by name, each once.
pub(crate) fn sorted(nodes: &[Node]) -> Vec<ClusterNode> {
    let mut nodes: Vec<ClusterNode> = nodes.iter().map(ClusterNode::from).collect();
    nodes.sort_by(|one, other| one.name.cmp(&other.name));
    nodes.dedup_by(|one, other| one.name == other.name);
    nodes
}

/// The nodes by name, as far as an agent on its own knows them: those that are described, and made up those that nobody
/// has described: its own, and those that a `VirtualIP` calls by name.
pub(crate) fn known_to<'a>(
    agent: &Standalone<'_>,
    described: &[Node],
    virtual_ips: impl Iterator<Item = &'a VirtualIP>,
) -> Vec<ClusterNode> {
    let mut nodes = sorted(described);
    let mut names = named(virtual_ips);
    names.insert(agent.node);
    for name in names {
        if let Err(place) = nodes.binary_search_by(|node| node.name.as_str().cmp(name)) {
            nodes.insert(place, ClusterNode { name: name.to_owned(), labels: Labels::new(), addresses: Vec::new() });
        }
    }
    for node in nodes.iter_mut().filter(|node| node.name == agent.node) {
        node.labels.extend(agent.labels.clone());
    }
    nodes
}

/// The nodes that these `VirtualIPs` name: where no Node objects are, the names still tell who takes part.
fn named<'a>(virtual_ips: impl Iterator<Item = &'a VirtualIP>) -> BTreeSet<&'a str> {
    let names = |vip: &'a VirtualIP| {
        let priorities = vip.spec.node_priorities.iter().map(|entry| &entry.node_name);
        let interfaces = vip.spec.node_interfaces.iter().map(|entry| &entry.node_name);
        priorities.chain(interfaces).flatten().map(String::as_str)
    };
    virtual_ips.flat_map(names).collect()
}
