//! A node as the plan sees it.

use std::net::IpAddr;

use holdfast_crds::Labels;
use k8s_openapi::api::core::v1::Node;

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
