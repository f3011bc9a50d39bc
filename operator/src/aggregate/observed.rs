//! What statuses are made from, as values.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_crds::{HealthCheck, NodeConfig, VirtualIP, VirtualIPGroup};
use holdfast_plan::Plan;
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;

use crate::drain::Draining;
use crate::heartbeat::Heartbeat;
use crate::world::Unreadable;

/// Everything that statuses depend on, beside the [`Memory`](super::Memory). The order of the lists does not matter.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a> {
    /// The `VirtualIPs` with their present statuses, each in the last version that could be read.
    pub virtual_ips: &'a [VirtualIP],
    /// The `HealthChecks`, likewise.
    pub health_checks: &'a [HealthCheck],
    /// The `VirtualIPGroups`, likewise.
    pub groups: &'a [VirtualIPGroup],
    /// The objects whose newest version cannot be read.
    pub unreadable: UnreadableObjects<'a>,
    /// The nodes that exist. What is reported of any other node does not count.
    pub nodes: &'a [Node],
    /// The `NodeConfigs`: what the nodes were told, and what they report.
    pub node_configs: &'a [NodeConfig],
    /// The plan that was made of these very objects: an object that the plan does not know gets no status yet.
    pub plan: &'a Plan,
    /// The nodes that are being emptied, and why.
    pub draining: &'a BTreeMap<String, Draining>,
    /// How the agents are heard of. A node without an entry has never been heard of.
    pub heartbeats: &'a BTreeMap<String, Pulse>,
    /// The time for people: it only stands in conditions.
    pub now: Timestamp,
    /// The time for decisions: of a clock that never goes back, the same that the heartbeats are judged by.
    pub monotonic: Duration,
}

/// The objects whose newest version cannot be read, by name.
#[derive(Clone, Copy, Debug)]
pub struct UnreadableObjects<'a> {
    /// The `VirtualIPs`.
    pub virtual_ips: &'a BTreeMap<String, Unreadable>,
    /// The `HealthChecks`.
    pub health_checks: &'a BTreeMap<String, Unreadable>,
    /// The `VirtualIPGroups`.
    pub groups: &'a BTreeMap<String, Unreadable>,
}

/// How an agent is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Whether it is.
    pub heartbeat: Heartbeat,
    /// When a renewal of its Lease was last seen, on the monotonic clock; none if none has been seen yet: then a fresh
    /// heartbeat is only assumed.
    pub renewed: Option<Duration>,
}

impl Pulse {
    /// Of an agent that has no Lease.
    pub const NEVER: Self = Self { heartbeat: Heartbeat::Never, renewed: None };
}
