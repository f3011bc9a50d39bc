//! Who takes part in an election, and from which address.

use std::collections::BTreeMap;
use std::net::IpAddr;

use holdfast_crds::address::subnet_contains;
use holdfast_crds::{Family, InterfaceStatus, NodeConfig, Peer, Transport};

use crate::accept::Candidate;
use crate::node::ClusterNode;

/// What the agents reported of their interfaces, by node.
pub(crate) struct Interfaces<'a>(BTreeMap<&'a str, &'a [InterfaceStatus]>);

/// The other routers of an election.
pub(crate) struct Peers {
    pub(crate) list: Vec<Peer>,
    /// Whether the list is complete, with addresses: then nobody else need be obeyed.
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
    fn source(&self, node: &ClusterNode, candidate: &Candidate<'_>, family: Family) -> Option<IpAddr> {
        let link_local = family == Family::IPv6 && candidate.vip.spec.transport == Transport::Multicast;
        let suitable = |address: &IpAddr| Family::of(*address) == family && is_link_local(*address) == link_local;
        match self.0.get(node.name.as_str()) {
            Some(interfaces) => reported(interfaces, node, candidate).into_iter().find(suitable),
            None => node.addresses.iter().copied().filter(suitable).find(|address| on_lan(*address, candidate)),
        }
    }
}

pub(crate) fn peers(
    candidate: &Candidate<'_>,
    family: Family,
    own: usize,
    nodes: &[ClusterNode],
    priorities: &BTreeMap<usize, u8>,
    interfaces: &Interfaces<'_>,
) -> Peers {
    let others = priorities.iter().filter(|(node, _)| **node != own);
    let mut list: Vec<Peer> = others
        .filter_map(|(place, priority)| {
            let node = nodes.get(*place)?;
            let address = interfaces.source(node, candidate, family).map(|address| address.to_string());
            Some(Peer { name: node.name.clone(), address, priority: Some(*priority) })
        })
        .collect();
    let all_addressed = list.iter().all(|peer| peer.address.is_some());
    let external = candidate
        .vip
        .spec
        .external_peers
        .iter()
        .filter(|peer| peer.address.parse::<IpAddr>().is_ok_and(|address| Family::of(address) == family));
    list.extend(external.map(|peer| Peer {
        name: peer.name.clone().unwrap_or_else(|| peer.address.clone()),
        address: Some(peer.address.clone()),
        priority: peer.priority,
    }));
    Peers { known: all_addressed && !list.is_empty(), list }
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

/// Without a prefix length nothing speaks against an address.
fn on_lan(address: IpAddr, candidate: &Candidate<'_>) -> bool {
    let host_only = |vip: IpAddr, length: u8| length == if vip.is_ipv4() { 32 } else { 128 };
    let lan = candidate.addresses.iter().filter_map(|vip| Some((vip.address(), vip.prefix_length()?)));
    let mut lan =
        lan.filter(|(vip, length)| vip.is_ipv4() == address.is_ipv4() && !host_only(*vip, *length)).peekable();
    lan.peek().is_none() || lan.any(|(vip, length)| subnet_contains(vip, length, address))
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
