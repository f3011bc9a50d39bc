//! The `NodeConfig` of each node: every default filled in, nothing left to look up.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::{
    ElectionGroup, Family, HealthCheck, HealthCheckReference, NodeConfigSpec, NodeHealthCheck, PeerSet, Preemption,
    TrackedHealthCheck, VirtualRouter,
};

use crate::accept::{Candidate, name_of};
use crate::memory::Memory;
use crate::node::ClusterNode;
use crate::peers::{Interfaces, Participants, Peers, rival_priority};
use crate::priority::{self, Ranking};
use crate::unit::Unit;

/// Health checks by name.
pub(crate) type Checks<'a> = BTreeMap<&'a str, &'a HealthCheck>;

pub(crate) fn by_name(checks: &[HealthCheck]) -> Checks<'_> {
    checks.iter().map(|check| (name_of(&check.metadata), check)).collect()
}

pub(crate) fn node_configs(
    units: &[Unit<'_, '_>],
    nodes: &[ClusterNode],
    checks: &Checks<'_>,
    memory: Memory<'_>,
) -> BTreeMap<String, NodeConfigSpec> {
    let rankings = priority::assign(units, nodes, memory);
    let elections = Elections::of(units, &rankings, nodes, &Interfaces::of(memory.node_configs()));
    let config = |(place, node): (usize, &ClusterNode)| {
        let mut spec = NodeConfigSpec::default();
        let peers: Vec<Option<Peers>> =
            elections.participants.iter().map(|participants| participants.of_node(place, nodes)).collect();
        let mut used = BTreeSet::new();
        for (index, (unit, ranking)) in units.iter().zip(&rankings).enumerate() {
            let Some(priority) = ranking.priorities.get(&place).copied() else { continue };
            // Who is asked to go elsewhere for a while is asked to go now, and to come back by the rule.
            let preemption = if ranking.steered { Preemption::default() } else { unit.preemption.clone() };
            let preferred = ranking.preferred.and_then(|place| nodes.get(place)).map(|node| node.name.clone());
            spec.groups.push(ElectionGroup {
                preemption: preemption.clone(),
                preferred_node: preferred,
                ..group(unit, checks)
            });
            for election in elections.by_unit.get(index).into_iter().flatten() {
                let peers = peers.get(election.participants).and_then(Option::as_ref);
                used.extend(peers.map(|_| election.participants));
                let router = virtual_router(unit, election.member, election.family, node, priority);
                spec.virtual_routers.push(VirtualRouter {
                    peer_set: peers.map(|peers| peers.set.name.clone()),
                    peers_known: peers.is_some_and(|peers| peers.known),
                    rival_priority: rival_priority(election.member, election.family, place, &ranking.priorities),
                    preemption: preemption.clone(),
                    ..router
                });
            }
        }
        let set = |index: usize| peers.get(index)?.as_ref().map(|peers| (peers.set.name.clone(), peers.set.clone()));
        let sets: BTreeMap<String, PeerSet> = used.into_iter().filter_map(set).collect();
        spec.peer_sets = sets.into_values().collect();
        spec.health_checks = used_checks(&spec.groups, checks);
        (node.name.clone(), spec)
    };
    nodes.iter().enumerate().map(config).collect()
}

/// One virtual router of a unit, on whatever node.
struct Election<'u, 'a> {
    member: &'u Candidate<'a>,
    family: Family,
    /// The place in the list of participants.
    participants: usize,
}

/// The virtual routers of all units, and who takes part in each.
struct Elections<'u, 'a> {
    by_unit: Vec<Vec<Election<'u, 'a>>>,
    participants: Vec<Participants>,
}

impl<'u, 'a> Elections<'u, 'a> {
    fn of(units: &'u [Unit<'_, 'a>], rankings: &[Ranking], nodes: &[ClusterNode], interfaces: &Interfaces<'_>) -> Self {
        let mut found: BTreeMap<Participants, usize> = BTreeMap::new();
        let mut by_unit = Vec::new();
        for (unit, ranking) in units.iter().zip(rankings) {
            let members =
                unit.members.iter().flat_map(|member| member.families.iter().map(move |family| (member, *family)));
            let elections = members.map(|(member, family)| {
                let next = found.len();
                let participants = Participants::of(member, family, nodes, &ranking.priorities, interfaces);
                Election { member, family, participants: *found.entry(participants).or_insert(next) }
            });
            by_unit.push(elections.collect());
        }
        let mut participants: Vec<(Participants, usize)> = found.into_iter().collect();
        participants.sort_by_key(|(_, place)| *place);
        Self { by_unit, participants: participants.into_iter().map(|(participants, _)| participants).collect() }
    }
}

fn virtual_router(
    unit: &Unit<'_, '_>,
    member: &Candidate<'_>,
    family: Family,
    node: &ClusterNode,
    priority: u8,
) -> VirtualRouter {
    let spec = &member.vip.spec;
    let addresses = member.addresses.iter().filter(|address| address.family() == family);
    VirtualRouter {
        name: router_name(member, family),
        virtual_ip: member.name.to_owned(),
        virtual_ip_uid: member.vip.metadata.uid.clone(),
        group: unit.name.clone(),
        family,
        interface: spec.interface_on(&node.name, &node.labels).map(str::to_owned),
        virtual_router_id: member.virtual_router_id.unwrap_or_default(),
        protocol_version: spec.protocol_version,
        advertisement_interval: spec.interval(),
        priority,
        addresses: addresses.map(ToString::to_string).collect(),
        preemption: unit.preemption.clone(),
        transport: spec.transport,
        peer_set: None,
        peers_known: false,
        rival_priority: None,
        password_key: spec.authentication.as_ref().map(|authentication| authentication.password_key.clone()),
        ipv4_checksum: spec.ipv4_checksum,
        virtual_mac: spec.virtual_mac,
        announcements: spec.announcements.clone(),
        fencing: spec.fencing,
    }
}

/// A slash cannot stand in the name of a `VirtualIP`, so no two routers share a name.
fn router_name(member: &Candidate<'_>, family: Family) -> String {
    match (member.families.len(), family) {
        (0 | 1, _) => member.name.to_owned(),
        (_, Family::IPv4) => format!("{}/ipv4", member.name),
        (_, Family::IPv6) => format!("{}/ipv6", member.name),
    }
}

fn group(unit: &Unit<'_, '_>, checks: &Checks<'_>) -> ElectionGroup {
    let tracked = |reference: &&HealthCheckReference| TrackedHealthCheck {
        name: reference.name.clone(),
        weight: reference
            .weight
            .or_else(|| checks.get(reference.name.as_str()).map(|check| check.spec.weight))
            .unwrap_or_default(),
        reverse: reference.reverse,
    };
    ElectionGroup {
        name: unit.name.clone(),
        virtual_ips: unit.members.iter().map(|member| member.name.to_owned()).collect(),
        health_checks: unit.health_checks.iter().map(tracked).collect(),
        track_interfaces: unit.track_interfaces.iter().map(|interface| (*interface).clone()).collect(),
        preemption: unit.preemption.clone(),
        preferred_node: None,
    }
}

fn used_checks(groups: &[ElectionGroup], checks: &Checks<'_>) -> Vec<NodeHealthCheck> {
    let used: BTreeSet<&str> =
        groups.iter().flat_map(|group| &group.health_checks).map(|check| check.name.as_str()).collect();
    let resolved = |name: &str| {
        let check = checks.get(name)?;
        Some(NodeHealthCheck { name: name.to_owned(), spec: check.spec.clone() })
    };
    used.into_iter().filter_map(resolved).collect()
}
