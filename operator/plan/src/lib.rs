//! The plan: what every node must run, as a pure function of the objects that users and the cluster write.
//!
//! ```text
//! VirtualIPs, HealthChecks, VirtualIPGroups, Nodes, earlier NodeConfigs ─► plan() ─► NodeConfig.spec per node
//!                                                                                └─► a verdict per object
//! ```
//!
//! No clock, no client, no randomness: the same input gives the same output on every machine. The operator calls it
//! with what it watches, a standalone agent with the manifests of a folder, and all agents with the same folder reach
//! the same plan without talking to each other.
//!
//! | file | decides |
//! | --- | --- |
//! | `accept.rs` | which `VirtualIPs` are in order: the earlier object is never refused for the later |
//! | `allocation.rs` | virtual router IDs |
//! | `unit.rs` | what moves together: single `VirtualIPs` and groups |
//! | `spread.rs` | which node is preferred for what, moving as little as possible |
//! | `priority.rs` | the priority of each node |
//! | `peers.rs` | who takes part in an election, and from which address |
//! | `compile.rs` | the `NodeConfig` that comes of it all |

#![forbid(unsafe_code)]

mod accept;
mod allocation;
mod compile;
mod node;
mod peers;
mod priority;
mod scope;
mod spread;
mod unit;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::{HealthCheck, NodeConfig, NodeConfigSpec, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::core::v1::Node;

pub use node::ClusterNode;
pub use verdict::{Verdict, VirtualIPVerdict};

use holdfast_crds::condition::{GroupAcceptedReason, HealthCheckAcceptedReason};

/// Everything that the plan depends on. The order of the lists does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The `VirtualIPs`, valid by schema and CEL.
    pub virtual_ips: &'a [VirtualIP],
    /// The `HealthChecks`, valid by schema and CEL.
    pub health_checks: &'a [HealthCheck],
    /// The `VirtualIPGroups`, valid by schema and CEL.
    pub groups: &'a [VirtualIPGroup],
    /// The nodes of the cluster.
    pub nodes: &'a [Node],
    /// The `NodeConfigs` as they stand: virtual router IDs and preferred masters are kept from their specs, and the
    /// addresses of peers are taken from their statuses.
    pub earlier: &'a [NodeConfig],
}

/// What comes of the input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// What each node must run, by the name of the node. Every node of the input has an entry.
    pub node_configs: BTreeMap<String, NodeConfigSpec>,
    /// The verdict on each `VirtualIP`, by name.
    pub virtual_ips: BTreeMap<String, VirtualIPVerdict>,
    /// The verdict on each `VirtualIPGroup`, by name.
    pub groups: BTreeMap<String, Verdict<GroupAcceptedReason>>,
    /// The verdict on each `HealthCheck`, by name.
    pub health_checks: BTreeMap<String, Verdict<HealthCheckAcceptedReason>>,
}

/// Decides what every node must run.
pub fn plan(input: &Input<'_>) -> Plan {
    let nodes = node::sorted(input.nodes);
    let health_checks = accept::health_checks(input.health_checks);
    let mut accepted = accept::virtual_ips(input, &nodes, &health_checks);
    allocation::allocate(&mut accepted, input.earlier);
    let (units, groups) = unit::assemble(input.groups, &accepted, &health_checks);
    let priorities = priority::assign(&units, &nodes, input.earlier);
    let node_configs = compile::node_configs(input, &nodes, &units, &priorities);
    Plan { node_configs, virtual_ips: accepted.into_verdicts(), groups, health_checks }
}

/// The nodes that these `VirtualIPs` name in `nodePriorities` or `nodeInterfaces`.
///
/// Where there are no `Node` objects, as in a folder of manifests, the names still tell who takes part.
pub fn named_nodes(virtual_ips: &[VirtualIP]) -> BTreeSet<String> {
    let priorities = virtual_ips.iter().flat_map(|vip| &vip.spec.node_priorities).map(|entry| &entry.node_name);
    let interfaces = virtual_ips.iter().flat_map(|vip| &vip.spec.node_interfaces).map(|entry| &entry.node_name);
    priorities.chain(interfaces).flatten().cloned().collect()
}
