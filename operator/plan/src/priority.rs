//! The priority of each node in each unit: as given, or by spreading masters.
//!
//! The operator spreads evenly and remembers where masters were, in the `NodeConfigs`. Agents that do not ask each other
//! spread by rendezvous hashing: of the nodes that may hold a unit, the one is preferred whose hash with the unit's name
//! is the highest. A unit moves only if its node leaves, or one comes that is higher; no other object has a say. The
//! numbers of masters are even on average, not to one.

use std::collections::BTreeMap;

use holdfast_crds::{NodeConfig, Placement};

use crate::memory::Memory;
use crate::node::ClusterNode;
use crate::spread::{Load, spread, stable_hash};
use crate::steer::steer;
use crate::unit::Unit;

/// The priority of the preferred node when masters are spread.
const PREFERRED: u8 = 250;

/// The distance between the priorities of backups: wide enough that the better one is never overtaken by chance.
const STEP: u8 = 10;

/// Beyond this, backups share a priority and the higher address wins.
const LOWEST: u8 = 100;

/// The nodes of a unit, ranked.
pub(crate) struct Ranking {
    /// The priority of each node, by its place in the list of nodes.
    pub(crate) priorities: BTreeMap<usize, u8>,
    /// The node that was chosen, if masters are spread.
    pub(crate) preferred: Option<usize>,
    /// Whether the ranking is another one than the rule says, for a while.
    pub(crate) steered: bool,
}

/// The ranking of each unit, in the order of the units.
pub(crate) fn assign(units: &[Unit<'_, '_>], nodes: &[ClusterNode], memory: Memory<'_>) -> Vec<Ranking> {
    let names: Vec<&str> = nodes.iter().map(|node| node.name.as_str()).collect();
    let preferred: BTreeMap<&str, usize> = match memory {
        Memory::Cluster(cluster) => evenly_spread(units, &names, cluster.node_configs),
        Memory::Standalone(_) => units
            .iter()
            .filter_map(|unit| Some((unit.name.as_str(), by_rendezvous(unit, &names).first().copied()?)))
            .collect(),
    };
    let draining = memory.draining().iter().map(String::as_str).collect();
    let ranking = |unit: &Unit<'_, '_>| {
        let (priorities, preferred) = match unit.placement {
            Placement::Priority => (given(unit, nodes), None),
            Placement::Spread => {
                let preferred = preferred.get(unit.name.as_str()).copied();
                (ranked(unit, preferred, &names), preferred)
            }
        };
        let mut ranking = Ranking { priorities, preferred, steered: false };
        steer(&mut ranking, unit, nodes, &draining);
        ranking
    };
    units.iter().map(ranking).collect()
}

/// The preferred node of each unit whose masters are spread, so that no node has many more than another.
fn evenly_spread<'u>(units: &'u [Unit<'_, '_>], names: &[&str], earlier: &[NodeConfig]) -> BTreeMap<&'u str, usize> {
    let before = preferred_before(earlier, names);
    let loads: Vec<Load<'_>> = units
        .iter()
        .filter(|unit| unit.placement == Placement::Spread)
        .map(|unit| Load {
            name: &unit.name,
            nodes: unit.nodes.clone(),
            previous: before.get(unit.name.as_str()).copied(),
        })
        .collect();
    let preferred = spread(&loads, names);
    loads.iter().zip(preferred).filter_map(|(load, node)| Some((load.name, node?))).collect()
}

/// The nodes of a unit, the one that its name prefers first.
fn by_rendezvous(unit: &Unit<'_, '_>, names: &[&str]) -> Vec<usize> {
    let mut nodes = unit.nodes.clone();
    nodes.sort_by_key(|node| {
        let name = names.get(*node).copied().unwrap_or_default();
        (std::cmp::Reverse(stable_hash(&[&unit.name, name])), *node)
    });
    nodes
}

/// The node that was chosen for each unit, as the earlier `NodeConfigs` remember it.
fn preferred_before<'a>(earlier: &'a [NodeConfig], names: &[&str]) -> BTreeMap<&'a str, usize> {
    let places: BTreeMap<&str, usize> = names.iter().enumerate().map(|(place, name)| (*name, place)).collect();
    let groups = earlier.iter().flat_map(|config| &config.spec.groups);
    let chosen =
        groups.filter_map(|group| Some((group.name.as_str(), places.get(group.preferred_node.as_deref()?).copied()?)));
    chosen.collect()
}

fn given(unit: &Unit<'_, '_>, nodes: &[ClusterNode]) -> BTreeMap<usize, u8> {
    let Some(member) = unit.members.first() else { return BTreeMap::new() };
    let priority = |place: &usize| {
        let node = nodes.get(*place)?;
        Some((*place, member.vip.spec.priority_on(&node.name, &node.labels)))
    };
    unit.nodes.iter().filter_map(priority).collect()
}

/// The preferred node first, the others in an order that only their names decide.
fn ranked(unit: &Unit<'_, '_>, preferred: Option<usize>, names: &[&str]) -> BTreeMap<usize, u8> {
    let backups = by_rendezvous(unit, names).into_iter().filter(|node| Some(*node) != preferred);
    let lower = (1..=u8::MAX).map(|rank| PREFERRED.saturating_sub(STEP.saturating_mul(rank)).max(LOWEST));
    let lower = lower.chain(std::iter::repeat(LOWEST));
    preferred.map(|node| (node, PREFERRED)).into_iter().chain(backups.zip(lower)).collect()
}
