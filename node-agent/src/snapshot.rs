//! What the agent shows of itself: the state of its virtual routers at one moment, ready to be written as JSON.
//!
//! `holdfast-agent status`, `/debug/state`, `/metrics` and (later) `NodeConfig.status` are all made from it.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::desired::Fencing;
use crate::kubernetes::ApiSnapshot;
use crate::subnet::Subnet;

/// The election thread's state at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The virtual routers of all groups.
    pub virtual_routers: Vec<RouterSnapshot>,
    /// The interfaces of the node.
    pub interfaces: Vec<InterfaceSnapshot>,
    /// What the thread counts for all virtual routers together.
    pub counters: BTreeMap<String, u64>,
}

/// One virtual router.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterSnapshot {
    /// The name of the virtual router in the `NodeConfig`.
    pub name: String,
    /// The `VirtualIP` that it belongs to.
    #[serde(rename = "virtualIP")]
    pub virtual_ip: String,
    /// The election unit that it moves with.
    pub group: String,
    /// Its state.
    pub state: RouterState,
    /// The effective priority.
    pub priority: u8,
    /// The virtual router ID.
    #[serde(rename = "virtualRouterID")]
    pub virtual_router_id: u8,
    /// The interface, once found.
    pub interface: Option<String>,
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The virtual addresses.
    pub addresses: Vec<IpAddr>,
    /// The virtual addresses that this node holds now.
    pub held: Vec<IpAddr>,
    /// Since when it is in this state: RFC 3339, UTC.
    pub since: String,
    /// Why it is in this state, as one word of the API.
    pub reason: String,
    /// The same for people, with names and addresses; may be empty.
    pub message: String,
    /// How often the group has changed into or out of MASTER.
    pub transitions: u64,
    /// The address of the master: our own while we are it; none while none is known.
    pub master_address: Option<IpAddr>,
    /// What silences the addresses that it holds if the agent is dead or stuck: `None` also where they cannot be fenced. None
    /// while it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fencing: Option<Fencing>,
    /// The kernel has no fence, or it cannot be set up.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub fence_unavailable: bool,
    /// Why it cannot run on this node as it is; none while it can.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub obstacle: Option<Obstacle>,
    /// The virtual addresses that somebody else had put on the interface, and that are left alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub occupied: Vec<IpAddr>,
    /// The last router that advertised its virtual router ID and is no known peer, at any time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub foreign_router: Option<IpAddr>,
    /// What it has counted, by name. Most of dozens of counters stay at zero for ever: those are left out.
    pub counters: BTreeMap<CounterName, u64>,
}

/// The name of a counter; one that was read from elsewhere has memory of its own.
pub type CounterName = Cow<'static, str>;

/// Why a virtual router cannot run where it should.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Obstacle {
    /// What kind of obstacle it is.
    pub kind: ObstacleKind,
    /// The same for people, with names and addresses.
    pub message: String,
}

/// The kinds of obstacles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ObstacleKind {
    /// The node has no such interface.
    InterfaceMissing,
    /// The interface is down, or has no address of its own: that may pass by itself.
    InterfaceDown,
    /// Something that only another configuration mends.
    Refused,
}

/// The state of a virtual router in the words of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RouterState {
    /// Not started, or waiting for a first result.
    Init,
    /// Unfit to be master.
    Fault,
    /// Ready to take over.
    Backup,
    /// Holding the addresses.
    Master,
}

/// One network interface of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceSnapshot {
    /// Its name.
    pub name: String,
    /// Whether it is up and has a carrier.
    pub up: bool,
    /// Its own addresses with their prefix lengths, virtual ones left out.
    pub addresses: Vec<Subnet>,
    /// What is counted for all virtual routers on it together, by name.
    #[serde(default)]
    pub counters: BTreeMap<String, u64>,
}

/// The last result of a health check.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CheckSnapshot {
    /// The name of the `HealthCheck`.
    pub name: String,
    /// Whether it passes; none before its first result.
    pub passing: Option<bool>,
    /// What was found, for people.
    pub message: String,
    /// Since when it passes or fails: RFC 3339, UTC; none before the first result.
    pub since: Option<String>,
}

/// What `holdfast-agent status` prints and `/debug/state` serves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentStatus {
    /// The name of the node.
    pub node: String,
    /// The version of the agent.
    pub version: String,
    /// The virtual routers, interfaces and counters.
    #[serde(flatten)]
    pub snapshot: Snapshot,
    /// The health checks.
    pub health_checks: Vec<CheckSnapshot>,
    /// What is wrong with the configuration, one message each; empty when all is well.
    pub configuration_errors: Vec<String>,
    /// How the agent gets on with the API server, if it needs one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api: Option<ApiSnapshot>,
}
