//! Who takes part in an election, and from which address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use holdfast_crds::address::subnet_contains;
use holdfast_crds::{Family, InterfaceStatus, NodeConfig, Peer, PeerSet, Transport};

use crate::accept::Candidate;
use crate::node::ClusterNode;
use crate::spread::stable_hash;

/// What the agents reported of their interfaces, by node.
pub(crate) struct Interfaces<'a>(BTreeMap<&'a str, &'a [InterfaceStatus]>);

/// Where a node's adverts come from.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Source {
    address: IpAddr,
    /// Whether that is sure enough to shut out everybody else: a mistake would make two masters.
    certain: bool,
}

/// All routers of an election, seen from above: nodes as places in their list, and routers outside the cluster.
///
/// Most elections have the same ones, and a large cluster has many, so they are found once for all that share them.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Participants {
    nodes: Vec<(usize, Option<Source>)>,
    external: Vec<(String, String)>,
}

/// The other routers of an election, seen from one node.
pub(crate) struct Peers {
    pub(crate) set: PeerSet,
    /// Whether the set is complete, with addresses: then nobody else need be obeyed.
    pub(crate) known: bool,
}

impl<'a> Interfaces<'a> {
    pub(crate) fn of(earlier: &'a [NodeConfig]) -> Self {
        let interfaces = earlier.iter().filter_map(|config| {
            let name = config.metadata.name.as_deref()?;
            Some((name, config.status.as_ref()?.interfaces.as_slice()))
        });
        Self(interfaces.collect())
    }

    /// The address that a node's adverts come from, as far as that can be told.
    ///
    /// What the agent reports of its interfaces is certain. Before it has reported, an internal address of the node is
    /// taken if it can lie on the LAN of the VIP. IPv6 multicast adverts come from link-local addresses, which a node
    /// object never has.
    fn source(&self, node: &ClusterNode, candidate: &Candidate<'_>, family: Family) -> Option<Source> {
        let link_local = family == Family::IPv6 && candidate.vip.spec.transport == Transport::Multicast;
        let suitable = |address: &IpAddr| Family::of(*address) == family && is_link_local(*address) == link_local;
        if let Some(interfaces) = self.0.get(node.name.as_str()) {
            let mut reported = reported(interfaces, node, candidate).into_iter();
            return reported.find(suitable).map(|address| Source { address, certain: true });
        }
        let lan = Lan::of(candidate, family);
        let mut internal = node.addresses.iter().copied().filter(suitable);
        internal.find(|address| lan.may_have(*address)).map(|address| Source { address, certain: lan.is_known() })
    }
}

impl Participants {
    pub(crate) fn of(
        candidate: &Candidate<'_>,
        family: Family,
        nodes: &[ClusterNode],
        priorities: &BTreeMap<usize, u8>,
        interfaces: &Interfaces<'_>,
    ) -> Self {
        let unicast = candidate.vip.spec.transport == Transport::Unicast;
        // A node that is not selected may still hold the addresses: whoever has not heard of the change yet goes on. Adverts
        // are sent to those that take part only.
        let involved = nodes.iter().enumerate().filter(|(place, _)| !unicast || priorities.contains_key(place));
        let external = candidate.vip.spec.external_peers.iter();
        let external = external
            .filter(|peer| peer.address.parse::<IpAddr>().is_ok_and(|address| Family::of(address) == family))
            .map(|peer| (peer.name.clone().unwrap_or_else(|| peer.address.clone()), peer.address.clone()));
        Self {
            nodes: involved.map(|(place, node)| (place, interfaces.source(node, candidate, family))).collect(),
            external: external.collect(),
        }
    }

    /// The peers of the node at a place, if there are any.
    pub(crate) fn of_node(&self, own: usize, nodes: &[ClusterNode]) -> Option<Peers> {
        let others = || self.nodes.iter().filter(|(place, _)| *place != own);
        let mut certain = others().map(|(_, source)| source.is_some_and(|source| source.certain)).peekable();
        let known = certain.peek().is_some() && certain.all(|certain| certain);
        let inside = others().filter_map(|(place, source)| {
            let address = source.map(|source| source.address.to_string());
            Some(Peer { name: nodes.get(*place)?.name.clone(), address })
        });
        let outside =
            self.external.iter().map(|(name, address)| Peer { name: name.clone(), address: Some(address.clone()) });
        let peers: Vec<Peer> = inside.chain(outside).collect();
        (!peers.is_empty()).then(|| Peers { set: PeerSet { name: digest(&peers), peers }, known })
    }
}

/// The highest priority that another router has, if any is known.
pub(crate) fn rival_priority(
    candidate: &Candidate<'_>,
    family: Family,
    own: usize,
    priorities: &BTreeMap<usize, u8>,
) -> Option<u8> {
    let nodes = priorities.iter().filter(|(place, _)| **place != own).map(|(_, priority)| *priority);
    let external = candidate.vip.spec.external_peers.iter();
    let external = external
        .filter(|peer| peer.address.parse::<IpAddr>().is_ok_and(|address| Family::of(address) == family))
        .filter_map(|peer| peer.priority);
    nodes.chain(external).max()
}

fn digest(peers: &[Peer]) -> String {
    let parts = peers.iter().flat_map(|peer| [peer.name.as_str(), peer.address.as_deref().unwrap_or_default()]);
    format!("{:016x}", stable_hash(&parts.collect::<Vec<_>>()))
}

/// The addresses on the interface that the VIP uses on this node.
fn reported(interfaces: &[InterfaceStatus], node: &ClusterNode, candidate: &Candidate<'_>) -> Vec<IpAddr> {
    let chosen = match candidate.vip.spec.interface_on(&node.name, &node.labels) {
        Some(name) => interfaces.iter().find(|interface| interface.name == name),
        None => interfaces.iter().find(|interface| holds_subnet(interface, candidate)),
    };
    let addresses = chosen.into_iter().flat_map(|interface| &interface.addresses);
    addresses.filter_map(|text| parse_with_prefix(text)).map(|(address, _)| address).collect()
}

/// The subnets of the VIP, as far as its prefix lengths tell them.
struct Lan(Vec<(IpAddr, u8)>);

impl Lan {
    fn of(candidate: &Candidate<'_>, family: Family) -> Self {
        let host_only = |vip: IpAddr, length: u8| length == if vip.is_ipv4() { 32 } else { 128 };
        let vips = candidate.addresses.iter().filter(|vip| vip.family() == family);
        let subnets = vips.filter_map(|vip| Some((vip.address(), vip.prefix_length()?)));
        Self(subnets.filter(|(vip, length)| !host_only(*vip, *length)).collect())
    }

    /// Without a prefix length nothing speaks against an address, and nothing for it.
    fn is_known(&self) -> bool {
        !self.0.is_empty()
    }

    fn may_have(&self, address: IpAddr) -> bool {
        !self.is_known() || self.0.iter().any(|(vip, length)| subnet_contains(*vip, *length, address))
    }
}

fn holds_subnet(interface: &InterfaceStatus, candidate: &Candidate<'_>) -> bool {
    let own = interface.addresses.iter().filter_map(|text| parse_with_prefix(text));
    own.into_iter().any(|(address, length)| {
        candidate.addresses.first().is_some_and(|vip| subnet_contains(address, length, vip.address()))
    })
}

fn parse_with_prefix(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok()?))
}

fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}
