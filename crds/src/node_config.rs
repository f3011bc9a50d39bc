//! `NodeConfig`: what one node must run, fully resolved, and what it reports back.
//!
//! Written by the operator (or compiled from manifests), read by the agent of that node alone. It is also where the
//! allocations of virtual router IDs live: the spec survives a backup, a status does not.
//!
//! Spec and status have one writer each, who writes them whole, so their lists are atomic: what somebody else adds by hand
//! goes with the next write, and the API server keeps no record of the owner of each field, which would be larger than
//! the object.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{ParseAddressError, VipAddress};
use crate::duration::DurationString;
use crate::election::{Announcements, Preemption};
use crate::health_check::{HealthCheckResult, HealthCheckSpec};
use crate::protocol::{Family, Fencing, Ipv4Checksum, ProtocolVersion, RouterState, Transport};
use crate::tracking::{TrackedHealthCheck, TrackedInterface};

/// What the node of the same name must run. Written by the operator: do not edit it by hand.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "holdfast.dev",
    version = "v1alpha1",
    kind = "NodeConfig",
    plural = "nodeconfigs",
    singular = "nodeconfig",
    shortname = "vipnode",
    category = "holdfast",
    status = "NodeConfigStatus",
    derive = "PartialEq",
    doc = "What one node must run, and what its agent reports.",
    printcolumn(name = "MASTER", type_ = "integer", json_path = ".status.summary.master"),
    printcolumn(name = "BACKUP", type_ = "integer", json_path = ".status.summary.backup"),
    printcolumn(name = "FAULT", type_ = "integer", json_path = ".status.summary.fault"),
    printcolumn(name = "VERSION", type_ = "string", json_path = ".status.agentVersion"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp")
)]
#[serde(rename_all = "camelCase")]
pub struct NodeConfigSpec {
    /// The virtual routers: one for each VirtualIP and address family.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub virtual_routers: Vec<VirtualRouter>,
    /// The lists of peers that the virtual routers refer to: most share one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub peer_sets: Vec<PeerSet>,
    /// The groups: virtual routers that always move together, and what they watch. Every virtual router is in one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub groups: Vec<ElectionGroup>,
    /// The health checks that the groups refer to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub health_checks: Vec<NodeHealthCheck>,
}

/// One virtual router: one VRID in one address family on one interface.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualRouter {
    /// The name, unique on the node: that of the VirtualIP, with `/ipv4` or `/ipv6` appended if it has both families.
    pub name: String,
    /// The name of the VirtualIP.
    #[serde(rename = "virtualIP")]
    pub virtual_ip: String,
    /// The UID of the VirtualIP, if it comes from an API server. One that was deleted and made again has another: its
    /// status knows nothing of the master yet.
    #[serde(default, rename = "virtualIPUID", skip_serializing_if = "Option::is_none")]
    pub virtual_ip_uid: Option<String>,
    /// The name of the group it moves with.
    pub group: String,
    /// The address family.
    pub family: Family,
    /// The interface. Missing: the interface whose subnet holds the first address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The virtual router ID: 1 to 255.
    #[serde(rename = "virtualRouterID")]
    #[schemars(range(min = 1, max = 255))]
    pub virtual_router_id: u8,
    /// The version of VRRP: 2 or 3.
    pub protocol_version: ProtocolVersion,
    /// The time between two advertisements of the master.
    pub advertisement_interval: DurationString,
    /// The priority of this node, before weights: 1 to 255.
    #[schemars(range(min = 1, max = 255))]
    pub priority: u8,
    /// The addresses to hold, of this family only.
    pub addresses: Vec<String>,
    /// Whether this node takes the addresses from a living master with a lower priority.
    #[serde(default)]
    pub preemption: Preemption,
    /// How advertisements travel.
    #[serde(default)]
    pub transport: Transport,
    /// The name of the peer set: the other routers that take part. Missing: none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer_set: Option<String>,
    /// Whether the peer set is complete, with addresses. If not, every router with the right VRID is obeyed.
    #[serde(default)]
    pub peers_known: bool,
    /// The highest priority of the other routers, if known: 1 to 255. A master that falls below it gives way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub rival_priority: Option<u8>,
    /// The key of the password (version 2 only).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password_key: Option<String>,
    /// The checksum to send (version 3 over IPv4).
    #[serde(default)]
    pub ipv4_checksum: Ipv4Checksum,
    /// Whether the virtual MAC address is used.
    #[serde(default, rename = "virtualMAC")]
    pub virtual_mac: bool,
    /// How a new master announces the addresses.
    #[serde(default)]
    pub announcements: Announcements,
    /// What the kernel does when the agent dies or freezes.
    #[serde(default)]
    pub fencing: Fencing,
}

/// The other routers of one election, or of several with the same routers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PeerSet {
    /// A digest of the peers: it stays the same as long as they do.
    pub name: String,
    /// The other routers.
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub peers: Vec<Peer>,
}

/// Another router of an election.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Peer {
    /// The name of its node, or of the external peer (its address if it has no name).
    pub name: String,
    /// The address it sends its advertisements from, once known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
}

/// Virtual routers that always move together. A VirtualIP that is in no VirtualIPGroup is a group of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct ElectionGroup {
    /// The name, unique on the node: that of the VirtualIP if it is in no VirtualIPGroup, else `group/` and the name of
    /// the VirtualIPGroup.
    pub name: String,
    /// The names of the VirtualIPs in it.
    #[serde(rename = "virtualIPs")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub virtual_ips: Vec<String>,
    /// The health checks that decide about it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub health_checks: Vec<TrackedHealthCheck>,
    /// The interfaces that decide about it, beside those of its virtual routers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub track_interfaces: Vec<TrackedInterface>,
    /// Whether the group takes its addresses from a living master with a lower priority.
    #[serde(default)]
    pub preemption: Preemption,
    /// The node that was chosen when masters were spread; remembered here while another one is master for a while.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferred_node: Option<String>,
}

/// A health check that the node runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeHealthCheck {
    /// The name of the HealthCheck.
    pub name: String,
    /// Its spec, with every default filled in.
    pub spec: HealthCheckSpec,
}

/// What the agent of the node reports.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeConfigStatus {
    /// The generation of the spec that the agent has carried out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The version of the agent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_version: Option<String>,
    /// The interfaces of the node. The operator takes the addresses of peers from here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub interfaces: Vec<InterfaceStatus>,
    /// The state of each virtual router.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub virtual_routers: Vec<VirtualRouterStatus>,
    /// The result of each health check.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub health_checks: Vec<HealthCheckResult>,
    /// Scalars for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<NodeConfigSummary>,
    /// Programmed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// An interface of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct InterfaceStatus {
    /// Its name.
    pub name: String,
    /// Its own addresses with prefix lengths, virtual IPs excluded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<String>,
    /// Whether it is up and has carrier.
    pub up: bool,
}

/// The state of a virtual router on the node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualRouterStatus {
    /// The name, as in the spec.
    pub name: String,
    /// MASTER, BACKUP, FAULT or INIT.
    pub state: RouterState,
    /// The effective priority, weights included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The interface in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Since when it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How often this node has become master or has ceased to be it, since its agent has begun to run the virtual router.
    #[serde(default)]
    pub transitions: i64,
    /// The address of the current master, if one is heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_address: Option<String>,
    /// What silences the addresses that the node holds if the agent is dead or stuck: `None` also where they cannot be fenced.
    /// Absent while it holds none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fencing: Option<Fencing>,
    /// What is wrong with it on this node, at most one of each reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub problems: Vec<RouterProblem>,
}

/// Something that is wrong with a virtual router on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct RouterProblem {
    /// What kind of problem it is.
    pub reason: RouterProblemReason,
    /// What is wrong, where, and how to mend it.
    pub message: String,
}

/// The kinds of problems that an agent finds with a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum RouterProblemReason {
    /// The node does not have the interface.
    InterfaceNotFound,
    /// The node does not have the password.
    PasswordKeyNotFound,
    /// The agent cannot carry the configuration out.
    NodeRejected,
    /// A router that is neither a node nor an external peer advertises the virtual router ID.
    ForeignRouter,
    /// Another host claims one of the addresses, or it was on the interface before.
    AddressConflict,
    /// The VirtualIP asks for strict fencing, and the kernel of the node has no fence.
    FencingUnavailable,
}

/// Scalars for the columns of `kubectl get nodeconfigs`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct NodeConfigSummary {
    /// How many virtual routers are MASTER.
    #[serde(default)]
    pub master: i32,
    /// How many virtual routers are BACKUP.
    #[serde(default)]
    pub backup: i32,
    /// How many virtual routers are in FAULT.
    #[serde(default)]
    pub fault: i32,
}

impl VirtualRouter {
    /// The addresses, parsed, in the order given. The first that is none is the error.
    pub fn parsed_addresses(&self) -> Result<Vec<VipAddress>, ParseAddressError> {
        self.addresses.iter().map(|address| address.parse()).collect()
    }
}

impl NodeConfigSpec {
    /// The other routers of a virtual router's election, as far as they are known.
    pub fn peers_of(&self, router: &VirtualRouter) -> &[Peer] {
        let named = |set: &&PeerSet| router.peer_set.as_ref() == Some(&set.name);
        self.peer_sets.iter().find(named).map_or(&[], |set| &set.peers)
    }

    /// The group that a virtual router moves with.
    pub fn group_of(&self, router: &VirtualRouter) -> Option<&ElectionGroup> {
        self.groups.iter().find(|group| group.name == router.group)
    }
}
