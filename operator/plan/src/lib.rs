//! The plan: what every node must run, as a pure function of the objects that users and the cluster write.
//!
//! ```text
//! VirtualIPs, HealthChecks, VirtualIPGroups, Nodes, memory ─► plan() ─► NodeConfig.spec per node
//!                                                                   └─► a verdict per object
//! ```
//!
//! No clock, no client, no randomness: the same input gives the same output on every machine. The operator calls it
//! with what it watches, a standalone agent with the manifests of a folder.
//!
//! The two differ in their memory. The operator has the `NodeConfigs`, which are the same for all, so it may choose: the
//! next free virtual router ID, the node with the fewest masters. A standalone agent remembers what it has in force
//! itself, and other agents may remember something else. So it chooses nothing that another could choose differently:
//! IDs and preferred nodes follow from names alone, and where that makes two objects meet, what is in force stays and
//! what is new waits until somebody has mended the folder.
//!
//! | file | decides |
//! | --- | --- |
//! | `memory.rs` | nothing: it is what plans remember, of a cluster or of one agent |
//! | `accept.rs` | which `VirtualIPs` are in order: the earlier object is never refused for the later |
//! | `allocation.rs` | virtual router IDs, in a cluster |
//! | `claims.rs` | virtual router IDs and whose an address is, for agents that do not ask each other |
//! | `cluster.rs` | what goes on in a cluster although it is refused |
//! | `standalone.rs` | what an agent keeps in force when the folder goes wrong |
//! | `unit.rs` | what moves together: single `VirtualIPs` and groups |
//! | `spread.rs` | which node is preferred for what, moving as little as possible |
//! | `priority.rs` | the priority of each node |
//! | `steer.rs` | where masters go for a while: away from nodes that are emptied, onto one that is asked for |
//! | `retain.rs` | what goes on unchanged because it cannot be read, or is refused |
//! | `peers.rs` | who takes part in an election, and from which address |
//! | `compile.rs` | the `NodeConfig` that comes of it all |

#![forbid(unsafe_code)]

mod accept;
mod allocation;
mod claims;
mod cluster;
mod compile;
mod memory;
mod node;
mod peers;
mod priority;
mod retain;
mod scope;
mod spread;
mod standalone;
mod steer;
mod unit;
mod verdict;

use std::collections::BTreeMap;

use holdfast_crds::condition::{GroupAcceptedReason, HealthCheckAcceptedReason};
use holdfast_crds::{HealthCheck, NodeConfigSpec, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::core::v1::Node;

pub use memory::{Cluster, InForce, Memory, Standalone};
pub use node::ClusterNode;
pub use steer::PREFER_NODE;
pub use verdict::{Verdict, VirtualIPVerdict};

/// Everything that the plan depends on. The order of the lists does not matter.
#[derive(Clone, Copy, Debug, Default)]
pub struct Input<'a> {
    /// The `VirtualIPs`, valid by schema and CEL.
    pub virtual_ips: &'a [VirtualIP],
    /// The `HealthChecks`, valid by schema and CEL.
    pub health_checks: &'a [HealthCheck],
    /// The `VirtualIPGroups`, valid by schema and CEL.
    pub groups: &'a [VirtualIPGroup],
    /// The nodes of the cluster. A standalone agent makes up those that it knows by name only.
    pub nodes: &'a [Node],
    /// What is remembered.
    pub memory: Memory<'a>,
}

/// What comes of the input.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// What each node must run, by the name of the node. Every node of the input has an entry.
    pub node_configs: BTreeMap<String, NodeConfigSpec>,
    /// The verdict on each `VirtualIP`, by name.
    pub virtual_ips: BTreeMap<String, VirtualIPVerdict>,
    /// The verdict on each `VirtualIPGroup`, by name.
    pub groups: BTreeMap<String, Verdict<GroupAcceptedReason>>,
    /// The verdict on each `HealthCheck`, by name.
    pub health_checks: BTreeMap<String, Verdict<HealthCheckAcceptedReason>>,
    /// What a standalone agent is to remember. Nothing in a cluster, which remembers the `NodeConfigs`.
    pub in_force: InForce,
}

/// Decides what every node must run.
pub fn plan(input: &Input<'_>) -> Plan {
    match input.memory {
        Memory::Cluster(cluster) => cluster::plan(input, &cluster),
        Memory::Standalone(agent) => standalone::plan(input, &agent),
    }
}
