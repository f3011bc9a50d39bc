//! What a plan remembers of the plans before it. There are two kinds of memory, and no mixture of them.

use holdfast_crds::{HealthCheck, Labels, NodeConfig, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::core::v1::Node;

use crate::accept::name_of;

/// Whose memory the plan goes by.
#[derive(Clone, Copy, Debug)]
pub enum Memory<'a> {
    /// That of a cluster.
    Cluster(Cluster<'a>),
    /// That of one agent, which follows a folder of manifests and asks nobody.
    Standalone(Standalone<'a>),
}

/// What the operator knows of its cluster beside the objects of users.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cluster<'a> {
    /// The `NodeConfigs` as they stand. Virtual router IDs and preferred masters are kept from their specs, and the
    /// addresses of peers are taken from their statuses.
    pub node_configs: &'a [NodeConfig],
    /// The names of the nodes that are being emptied: masters leave them if another node can take over.
    pub draining: &'a [String],
    /// The names of the `VirtualIPs` that cannot be read. They go on as the `NodeConfigs` have them.
    pub unreadable: &'a [String],
}

/// An agent that plans for itself.
#[derive(Clone, Copy, Debug)]
pub struct Standalone<'a> {
    /// The name of its node.
    pub node: &'a str,
    /// Labels of its node that no other agent knows of.
    pub labels: &'a Labels,
    /// What it went by until now.
    pub in_force: &'a InForce,
}

/// The objects that a standalone agent goes by: each the last version that was accepted.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InForce {
    /// The `VirtualIPs`.
    pub virtual_ips: Vec<VirtualIP>,
    /// The `HealthChecks` that the others refer to.
    pub health_checks: Vec<HealthCheck>,
    /// The `VirtualIPGroups`.
    pub groups: Vec<VirtualIPGroup>,
    /// The nodes, as they were described.
    pub nodes: Vec<Node>,
}

impl InForce {
    pub(crate) fn virtual_ip(&self, name: &str) -> Option<&VirtualIP> {
        self.virtual_ips.iter().find(|vip| name_of(&vip.metadata) == name)
    }

    pub(crate) fn group(&self, name: &str) -> Option<&VirtualIPGroup> {
        self.groups.iter().find(|group| name_of(&group.metadata) == name)
    }
}

impl Default for Memory<'_> {
    fn default() -> Self {
        Self::Cluster(Cluster::default())
    }
}

impl<'a> Memory<'a> {
    /// The nodes that are being emptied; a standalone agent is told of none.
    pub(crate) fn draining(self) -> &'a [String] {
        match self {
            Self::Cluster(cluster) => cluster.draining,
            Self::Standalone(_) => &[],
        }
    }

    /// The `NodeConfigs`; a standalone agent has none.
    pub(crate) fn node_configs(self) -> &'a [NodeConfig] {
        match self {
            Self::Cluster(cluster) => cluster.node_configs,
            Self::Standalone(_) => &[],
        }
    }
}
