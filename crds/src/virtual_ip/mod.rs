//! `VirtualIP`: addresses that exactly one node holds at any time.

mod status;

use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::address::{ParseAddressError, VipAddress};
use crate::duration::DurationString;
use crate::election::{Announcements, Preemption};
use crate::labels::LabelSelector;
use crate::protocol::{Family, Fencing, Ipv4Checksum, ProtocolVersion, Transport};
use crate::rules;
use crate::tracking::{HealthCheckReference, TrackedInterface};

pub use status::{VirtualIPNodeStatus, VirtualIPStatus, VirtualIPSummary};

/// The priority of a node that nothing else is said about (RFC 9568, section 5.2.4).
pub const DEFAULT_PRIORITY: u8 = 100;

/// Addresses that exactly one node holds at any time, elected by VRRP.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "holdfast.dev",
    version = "v1alpha1",
    kind = "VirtualIP",
    plural = "virtualips",
    singular = "virtualip",
    shortname = "vip",
    category = "holdfast",
    status = "VirtualIPStatus",
    derive = "PartialEq",
    doc = "Addresses that exactly one node holds at any time, elected by VRRP.",
    printcolumn(name = "ADDRESSES", type_ = "string", json_path = ".status.summary.addresses"),
    printcolumn(name = "MASTER", type_ = "string", json_path = ".status.master"),
    printcolumn(name = "READY", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "BACKUPS", type_ = "string", json_path = ".status.summary.backups"),
    printcolumn(name = "SINCE", type_ = "date", json_path = ".status.masterSince"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(name = "VRID", type_ = "integer", json_path = ".status.virtualRouterID", priority = "1"),
    printcolumn(name = "INTERFACE", type_ = "string", json_path = ".status.summary.interface", priority = "1"),
    printcolumn(name = "PRIORITY", type_ = "integer", json_path = ".status.summary.priority", priority = "1"),
    printcolumn(name = "TRANSITIONS", type_ = "integer", json_path = ".status.transitions", priority = "1"),
    printcolumn(name = "REASON", type_ = "string", json_path = ".status.summary.reason", priority = "1"),
    cel
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(
    validation = Rule::new("self.protocolVersion != 2 || self.addresses.all(address, !address.contains(':'))")
        .message("protocolVersion 2 carries IPv4 only: remove the IPv6 addresses, or write protocolVersion: 3")
        .field_path(".addresses"),
    validation = Rule::new(interval_rule(
        3,
        "duration(self.advertisementInterval) >= duration('10ms') && \
         duration(self.advertisementInterval) <= duration('40s950ms') && \
         duration(self.advertisementInterval).getMilliseconds() % 10 == 0",
    ))
    .message("protocolVersion 3 carries 10ms to 40s950ms in steps of 10ms, such as 200ms")
    .field_path(".advertisementInterval"),
    validation = Rule::new(interval_rule(
        2,
        "duration(self.advertisementInterval) >= duration('1s') && \
         duration(self.advertisementInterval) <= duration('255s') && \
         duration(self.advertisementInterval).getMilliseconds() % 1000 == 0",
    ))
    .message("protocolVersion 2 carries whole seconds from 1s to 255s: write such a value, or protocolVersion: 3")
    .field_path(".advertisementInterval"),
    validation = Rule::new("!has(self.authentication) || self.protocolVersion == 2")
        .message("only protocolVersion 2 has passwords: remove authentication, or write protocolVersion: 2")
        .field_path(".authentication"),
    validation = Rule::new("self.ipv4Checksum == 'PseudoHeader' || self.protocolVersion == 3")
        .message("only protocolVersion 3 has two forms: remove ipv4Checksum, or write protocolVersion: 3")
        .field_path(".ipv4Checksum"),
    validation = Rule::new(
        "!has(self.placement) || self.placement != 'Spread' || \
         (!has(self.priority) && (!has(self.nodePriorities) || size(self.nodePriorities) == 0))"
    )
    .message("Spread chooses the priorities itself: remove priority and nodePriorities, or write placement: Priority")
    .field_path(".placement")
)]
pub struct VirtualIPSpec {
    /// The addresses to hold: 1 to 64, IPv4, IPv6 or both, each with or without a prefix length. All of them are always
    /// on the same node. Without a prefix length, an address is programmed as a host address (/32, /128).
    /// Example: `[192.0.2.10/24, "2001:db8::10/64"]`.
    #[schemars(schema_with = "crate::address::list_schema")]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub addresses: Vec<String>,

    /// The interface that holds the addresses and carries the advertisements, such as `eth0`; at most 15 characters.
    /// Default: the interface whose subnet holds the first address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = rules::interface_name())]
    pub interface: Option<String>,

    /// Nodes whose interface is called differently: the first entry that matches a node wins over `interface`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub node_interfaces: Vec<NodeInterface>,

    /// The virtual router ID (VRID): 1 to 255, unique on its LAN. Default: a free one is allocated and kept, see
    /// status.virtualRouterID; from manifests in a folder, the one that follows from the name. Set it when routers outside
    /// the cluster take part.
    #[serde(default, rename = "virtualRouterID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub virtual_router_id: Option<u8>,

    /// The version of VRRP: 3 (default) or 2. Version 2 is for old peers: IPv4 only, whole seconds.
    #[serde(default)]
    pub protocol_version: ProtocolVersion,

    /// The time between two advertisements of the master; a crash is noticed after about three of them. Version 3:
    /// 10ms to 40s950ms in steps of 10ms, default 200ms. Version 2: 1s to 255s in whole seconds, default 1s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub advertisement_interval: Option<DurationString>,

    /// The priority of every node that nodePriorities does not name: 1 to 255, default 100; the highest becomes master.
    /// 255 means that the node owns the address and always wins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub priority: Option<u8>,

    /// Priorities of single nodes or of nodes with a label; the first entry that matches a node wins.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub node_priorities: Vec<NodePriority>,

    /// Who decides which node is master: see [`Placement`], whose description is the one in the schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub placement: Option<Placement>,

    /// The nodes that may hold the addresses. Default: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,

    /// Whether a better node takes the addresses from a living master. Default: it does, at once.
    #[serde(default)]
    pub preemption: Preemption,

    /// How advertisements travel: `Multicast` (default), or `Unicast` to each peer where the network drops multicast.
    #[serde(default)]
    pub transport: Transport,

    /// Routers outside the cluster that take part in the election, at most 64. Adverts of anyone else are reported as a
    /// conflict and not obeyed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["address".into()]))]
    pub external_peers: Vec<ExternalPeer>,

    /// The password of VRRP version 2 (authentication type PASS). It travels in clear text: it protects against
    /// mistakes, not against attackers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication: Option<Authentication>,

    /// The VRRP version 3 checksum that is sent over IPv4: `PseudoHeader` (default; keepalived, FRR) or `MessageOnly`.
    /// Both are accepted.
    #[serde(default)]
    pub ipv4_checksum: Ipv4Checksum,

    /// Whether the addresses answer with the virtual MAC address 00:00:5e:00:01:VRID, on an interface of their own.
    /// Default false: they answer with the MAC address of the node, and a new master announces itself.
    #[serde(default, rename = "virtualMAC")]
    pub virtual_mac: bool,

    /// Health checks that decide about this VIP, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub health_checks: Vec<HealthCheckReference>,

    /// Other interfaces that decide about this VIP, at most 32, such as the uplink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub track_interfaces: Vec<TrackedInterface>,

    /// How a new master announces the addresses: by gratuitous ARP and unsolicited neighbour advertisements.
    #[serde(default)]
    pub announcements: Announcements,

    /// What happens when the agent that holds the addresses dies or freezes while its node lives on. `Overlap` (default):
    /// the kernel drops them once a successor may have them; nothing is lost, two nodes hold them for about one interval.
    /// `Strict`: the kernel drops them before a successor can take them; never two holders, but a short gap. `None`: only
    /// the kernel lifetime of the addresses bounds how long they stay.
    #[serde(default)]
    pub fencing: Fencing,
}

/// The interface of one node, or of nodes with a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::exactly_one_of(&["nodeName", "nodeSelector"]))]
pub struct NodeInterface {
    /// The name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub node_name: Option<String>,
    /// The labels of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,
    /// The interface on these nodes; at most 15 characters.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = rules::interface_name())]
    pub interface: String,
}

/// The priority of one node, or of nodes with a label.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::exactly_one_of(&["nodeName", "nodeSelector"]))]
pub struct NodePriority {
    /// The name of the node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub node_name: Option<String>,
    /// The labels of the nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_selector: Option<LabelSelector>,
    /// The priority of these nodes: 1 to 255; the highest becomes master.
    #[schemars(range(min = 1, max = 255))]
    pub priority: u8,
}

/// `Spread`: masters are spread evenly over the nodes, moving as few as possible when nodes come and go.
/// `Priority`: priority and nodePriorities decide. Default: `Priority` if one of them is given, else `Spread`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Placement {
    /// Masters are spread evenly over the nodes.
    Spread,
    /// The given priorities decide.
    Priority,
}

/// A router outside the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExternalPeer {
    /// The address it sends its advertisements from, without a prefix length. For IPv6 its link-local address.
    #[schemars(length(min = 2, max = 39))]
    #[x_kube(
        validation = Rule::new("isIP(self) && (ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast())")
            .message("must be a unicast IP address without a prefix length, such as 192.0.2.2 or fe80::2")
    )]
    pub address: String,
    /// A name for people, such as `router-1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub name: Option<String>,
    /// Its priority, if known: 1 to 255. It only helps to tell who should be master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub priority: Option<u8>,
}

/// The password of VRRP version 2.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Authentication {
    /// The key of the password in the one Secret that is mounted into the agents (standalone: a file name in the
    /// folder given by `--auth-dir`). The password has at most 8 bytes.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[-._a-zA-Z0-9]+$') && self != '.' && !self.startsWith('..')")
            .message("must be the key of a Secret: letters, digits, -, _ and ., not beginning with ..")
    )]
    pub password_key: String,
}

/// CEL: with this version of VRRP, an interval that is given and well formed holds `allowed`.
fn interval_rule(protocol_version: u8, allowed: &str) -> String {
    let malformed = rules::malformed_duration("self.advertisementInterval");
    format!(
        "!has(self.advertisementInterval) || {malformed} || self.protocolVersion != {protocol_version} || ({allowed})"
    )
}

impl VirtualIPSpec {
    /// A VirtualIP of these addresses with every default.
    pub fn new<A: Into<String>>(addresses: impl IntoIterator<Item = A>) -> Self {
        Self {
            addresses: addresses.into_iter().map(Into::into).collect(),
            interface: None,
            node_interfaces: Vec::new(),
            virtual_router_id: None,
            protocol_version: ProtocolVersion::default(),
            advertisement_interval: None,
            priority: None,
            node_priorities: Vec::new(),
            placement: None,
            node_selector: None,
            preemption: Preemption::default(),
            transport: Transport::default(),
            external_peers: Vec::new(),
            authentication: None,
            ipv4_checksum: Ipv4Checksum::default(),
            virtual_mac: false,
            health_checks: Vec::new(),
            track_interfaces: Vec::new(),
            announcements: Announcements::default(),
            fencing: Fencing::default(),
        }
    }

    /// The addresses, parsed, in the order given. The first that is none is the error.
    pub fn parsed_addresses(&self) -> Result<Vec<VipAddress>, ParseAddressError> {
        self.addresses.iter().map(|address| address.parse()).collect()
    }

    /// The address families of this VIP, IPv4 first: two for a dual-stack VIP.
    pub fn families(&self) -> Result<Vec<Family>, ParseAddressError> {
        let mut families: Vec<Family> = self.parsed_addresses()?.into_iter().map(VipAddress::family).collect();
        families.sort_unstable();
        families.dedup();
        Ok(families)
    }

    /// The advertisement interval, or the default of the protocol version.
    pub fn interval(&self) -> DurationString {
        self.advertisement_interval.unwrap_or(self.protocol_version.default_interval())
    }

    /// Who decides which node is master: as given, or by whether priorities are given.
    pub fn placement(&self) -> Placement {
        match self.placement {
            Some(placement) => placement,
            None if self.priority.is_some() || !self.node_priorities.is_empty() => Placement::Priority,
            None => Placement::Spread,
        }
    }

    /// The interface for a node: the first entry of nodeInterfaces that matches it, else the common one.
    pub fn interface_on(&self, node_name: &str, labels: &Labels) -> Option<&str> {
        self.node_interfaces
            .iter()
            .find(|entry| matches_node(entry.node_name.as_deref(), entry.node_selector.as_ref(), node_name, labels))
            .map(|entry| entry.interface.as_str())
            .or(self.interface.as_deref())
    }

    /// The given priority of a node: the first entry of nodePriorities that matches it, else the common one, else 100.
    pub fn priority_on(&self, node_name: &str, labels: &Labels) -> u8 {
        self.node_priorities
            .iter()
            .find(|entry| matches_node(entry.node_name.as_deref(), entry.node_selector.as_ref(), node_name, labels))
            .map(|entry| entry.priority)
            .or(self.priority)
            .unwrap_or(DEFAULT_PRIORITY)
    }

    /// Whether a node with these labels may hold the addresses.
    pub fn selects_node(&self, labels: &Labels) -> bool {
        self.node_selector.as_ref().is_none_or(|selector| selector.matches(labels))
    }
}

/// The labels of a node.
pub type Labels = std::collections::BTreeMap<String, String>;

/// Whether an entry that names a node or selects by label is about this node. The schema allows exactly one of both.
fn matches_node(name: Option<&str>, selector: Option<&LabelSelector>, node_name: &str, labels: &Labels) -> bool {
    name.is_some_and(|name| name == node_name) || selector.is_some_and(|selector| selector.matches(labels))
}
