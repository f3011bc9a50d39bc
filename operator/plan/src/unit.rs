//! Election units: what moves together. A group is one unit, a `VirtualIP` outside groups is one of its own.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::condition::GroupAcceptedReason as Reason;
use holdfast_crds::{HealthCheckReference, NodeConfig, Placement, Preemption, TrackedInterface, VirtualIPGroup};

use crate::accept::{Candidate, Candidates, HealthCheckVerdicts, check_complaint, creation_order, name_of};
use crate::verdict::Verdict;

pub(crate) type GroupVerdict = Verdict<Reason>;

/// Before the name of a group, where there are names of `VirtualIPs` too: they have no slash.
pub(crate) const GROUP_PREFIX: &str = "group/";

pub(crate) struct Unit<'c, 'a> {
    /// The name in the `NodeConfig`. That of a group has a slash, which no name of a `VirtualIP` has.
    pub(crate) name: String,
    /// By name.
    pub(crate) members: Vec<&'c Candidate<'a>>,
    /// The nodes that may hold all members.
    pub(crate) nodes: Vec<usize>,
    pub(crate) placement: Placement,
    pub(crate) preemption: &'a Preemption,
    /// What the group itself watches, before what its members watch.
    pub(crate) health_checks: Vec<&'a HealthCheckReference>,
    pub(crate) track_interfaces: Vec<&'a TrackedInterface>,
}

/// A group to be judged, with the health checks that it may refer to.
pub(crate) struct GroupCandidate<'a, 'h> {
    pub(crate) group: &'a VirtualIPGroup,
    pub(crate) health_checks: &'h HealthCheckVerdicts,
}

/// Groups in the order in which they were created.
pub(crate) fn in_order_of_creation<'a, 'h>(
    groups: &'a [VirtualIPGroup],
    health_checks: &'h HealthCheckVerdicts,
    earlier: &[NodeConfig],
) -> Vec<GroupCandidate<'a, 'h>> {
    let mut order: Vec<&VirtualIPGroup> = groups.iter().collect();
    let in_force: BTreeSet<&str> = earlier
        .iter()
        .flat_map(|config| &config.spec.groups)
        .filter_map(|group| group.name.strip_prefix(GROUP_PREFIX))
        .collect();
    order.sort_by_key(|group| creation_order(&group.metadata, &in_force));
    order.into_iter().map(|group| GroupCandidate { group, health_checks }).collect()
}

/// Sorts the accepted `VirtualIPs` into units. Groups are judged in the given order: the first that names a `VirtualIP`
/// has it. The members of a group that is refused stand alone. What is retained stands aside: no group can have it.
pub(crate) fn assemble<'c, 'a>(
    groups: &[GroupCandidate<'a, '_>],
    candidates: &'c Candidates<'a>,
    retained: &BTreeSet<&str>,
) -> (Vec<Unit<'c, 'a>>, BTreeMap<String, GroupVerdict>) {
    let by_name: BTreeMap<&str, &Candidate<'a>> =
        candidates.0.iter().map(|candidate| (candidate.name, candidate)).collect();
    let mut units = Vec::new();
    let mut verdicts = BTreeMap::new();
    let mut grouped = BTreeMap::new();
    for GroupCandidate { group, health_checks } in groups {
        let verdict = match judge(group, &by_name, retained, &grouped, health_checks) {
            Ok(unit) => {
                let name = name_of(&group.metadata);
                grouped.extend(unit.members.iter().map(|member| (member.name, name)));
                units.push(unit);
                Verdict::new(Reason::Accepted, "The group is valid")
            }
            Err(verdict) => verdict,
        };
        verdicts.insert(name_of(&group.metadata).to_owned(), verdict);
    }
    units.extend(candidates.accepted().filter(|candidate| !grouped.contains_key(candidate.name)).map(single));
    units.sort_by(|one, other| one.name.cmp(&other.name));
    (units, verdicts)
}

fn single<'c, 'a>(candidate: &'c Candidate<'a>) -> Unit<'c, 'a> {
    Unit {
        name: candidate.name.to_owned(),
        nodes: candidate.nodes.clone(),
        placement: candidate.vip.spec.placement(),
        preemption: &candidate.vip.spec.preemption,
        health_checks: candidate.vip.spec.health_checks.iter().collect(),
        track_interfaces: candidate.vip.spec.track_interfaces.iter().collect(),
        members: vec![candidate],
    }
}

fn judge<'c, 'a>(
    group: &'a VirtualIPGroup,
    by_name: &BTreeMap<&str, &'c Candidate<'a>>,
    retained: &BTreeSet<&str>,
    grouped: &BTreeMap<&str, &str>,
    health_checks: &HealthCheckVerdicts,
) -> Result<Unit<'c, 'a>, GroupVerdict> {
    let mut members = find_members(group, by_name, retained, grouped)?;
    // A set has no order: what stands first in the manifest must not make a difference.
    members.sort_by_key(|member| member.name);
    for (index, reference) in group.spec.health_checks.iter().enumerate() {
        if let Some(complaint) = check_complaint(&reference.name, health_checks) {
            let message = format!("spec.healthChecks[{index}]: {complaint}");
            return Err(Verdict::new(Reason::UnknownHealthCheck, message));
        }
    }
    let (first, others) = members
        .split_first()
        .ok_or_else(|| Verdict::new(Reason::InvalidSpec, "spec.members is empty: name at least two VirtualIPs"))?;
    for other in others {
        check_agreement(first, other)?;
    }
    let nodes = common_nodes(first, others);
    if nodes.is_empty() {
        let message = "no node is selected by every member: give the members the same spec.nodeSelector";
        return Err(Verdict::new(Reason::NoMatchingNodes, message));
    }
    Ok(Unit {
        name: format!("{GROUP_PREFIX}{}", name_of(&group.metadata)),
        nodes,
        placement: first.vip.spec.placement(),
        preemption: &first.vip.spec.preemption,
        health_checks: first_of_each(
            group.spec.health_checks.iter().chain(members.iter().flat_map(|member| &member.vip.spec.health_checks)),
            |reference| &reference.name,
        ),
        track_interfaces: first_of_each(
            group
                .spec
                .track_interfaces
                .iter()
                .chain(members.iter().flat_map(|member| &member.vip.spec.track_interfaces)),
            |interface| &interface.name,
        ),
        members,
    })
}

fn find_members<'c, 'a>(
    group: &VirtualIPGroup,
    by_name: &BTreeMap<&str, &'c Candidate<'a>>,
    retained: &BTreeSet<&str>,
    grouped: &BTreeMap<&str, &str>,
) -> Result<Vec<&'c Candidate<'a>>, GroupVerdict> {
    let find = |(index, name): (usize, &String)| {
        let at = format!("spec.members[{index}]: VirtualIP {name:?}");
        let Some(candidate) = by_name.get(name.as_str()) else {
            if retained.contains(name.as_str()) {
                let message = format!("{at} is not in order, or moves with one that is not: mend that first");
                return Err(Verdict::new(Reason::MemberNotAccepted, message));
            }
            let message = format!("{at} does not exist: create it, or remove it from the group");
            return Err(Verdict::new(Reason::UnknownVirtualIP, message));
        };
        if let Some(other) = grouped.get(name.as_str()) {
            let message = format!("{at} is in VirtualIPGroup {other:?} already: remove it from one of them");
            return Err(Verdict::new(Reason::VirtualIPInOtherGroup, message));
        }
        if !candidate.verdict.is_accepted() {
            let message = format!("{at} is not accepted: {}", candidate.verdict.message);
            return Err(Verdict::new(Reason::MemberNotAccepted, message));
        }
        Ok(*candidate)
    };
    group.spec.members.iter().enumerate().map(find).collect()
}

/// Members that prefer different nodes would pull the group apart, or keep each other from ever taking over.
fn check_agreement(first: &Candidate<'_>, other: &Candidate<'_>) -> Result<(), GroupVerdict> {
    let differs = |field: &str| {
        let message = format!(
            "spec.members: VirtualIPs {:?} and {:?} differ in spec.{field}: members that move together must agree on it",
            first.name, other.name
        );
        Err(Verdict::new(Reason::InvalidSpec, message))
    };
    let (one, two) = (&first.vip.spec, &other.vip.spec);
    if one.placement() != two.placement() {
        return differs("placement");
    }
    if one.preemption != two.preemption {
        return differs("preemption");
    }
    if one.priority != two.priority {
        return differs("priority");
    }
    if one.node_priorities != two.node_priorities {
        return differs("nodePriorities");
    }
    Ok(())
}

fn common_nodes(first: &Candidate<'_>, others: &[&Candidate<'_>]) -> Vec<usize> {
    let common = |node: &&usize| others.iter().all(|other| other.nodes.contains(node));
    first.nodes.iter().filter(common).copied().collect()
}

/// The first item of each name: what the group says comes before what its members say.
fn first_of_each<'a, T>(items: impl Iterator<Item = &'a T>, name: impl Fn(&'a T) -> &'a String) -> Vec<&'a T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| seen.insert(name(item))).collect()
}
