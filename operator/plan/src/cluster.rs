//! The plan of a cluster, which remembers the `NodeConfigs`.
//!
//! What is in force and is refused from now on goes on as the `NodeConfigs` have it until somebody has mended it: a check that
//! is deleted while it is used, or a mistake in an edit, must not take an address away. Not so where somebody has said that
//! no node should hold it any more (the nodes do not match), or where a member is gone.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::condition::{AcceptedReason, GroupAcceptedReason};
use holdfast_crds::{ElectionGroup, VirtualIP, VirtualIPGroup};

use crate::accept::{self, name_of};
use crate::memory::Cluster;
use crate::retain::{Retained, group_of};
use crate::unit::GroupVerdict;
use crate::verdict::Verdict;
use crate::{InForce, Input, Plan, allocation, compile, node, unit};

/// What is refused and goes on, with what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Kept {
    pub(crate) virtual_ips: BTreeMap<String, Verdict<AcceptedReason>>,
    pub(crate) groups: BTreeMap<String, GroupVerdict>,
}

/// Judges until nothing is refused any more that is in force: what goes on may be in the way of something else.
pub(crate) fn plan(input: &Input<'_>, cluster: &Cluster<'_>) -> Plan {
    let mut kept = Kept::default();
    loop {
        let plan = attempt(input, cluster, &kept);
        let more = keep_more(input, cluster, &kept, &plan);
        if more == kept {
            return plan;
        }
        kept = more;
    }
}

fn attempt(input: &Input<'_>, cluster: &Cluster<'_>, kept: &Kept) -> Plan {
    let nodes = node::sorted(input.nodes);
    let retained = Retained::of(cluster.unreadable, kept, cluster.node_configs);
    let health_checks = accept::health_checks(input.health_checks);
    let mut candidates =
        accept::virtual_ips(input.virtual_ips, &nodes, &health_checks, cluster.node_configs, &retained);
    allocation::allocate(&mut candidates, cluster.node_configs, &retained);
    let mut groups = unit::in_order_of_creation(input.groups, &health_checks, cluster.node_configs);
    groups.retain(|candidate| retained.is_planned_group(candidate.group));
    let (units, groups) = unit::assemble(&groups, &candidates, retained.virtual_ips());
    let checks = compile::by_name(input.health_checks);
    let node_configs = compile::node_configs(&units, &nodes, &checks, input.memory);
    let mut plan = Plan {
        node_configs,
        virtual_ips: candidates.into_verdicts(),
        groups,
        health_checks,
        in_force: InForce::default(),
    };
    retained.add_to(&mut plan, input.virtual_ips, input.groups);
    plan
}

/// What is kept already, and what the plan refuses although it is in force.
fn keep_more(input: &Input<'_>, cluster: &Cluster<'_>, kept: &Kept, plan: &Plan) -> Kept {
    let mut more = kept.clone();
    let virtual_ips = plan.virtual_ips.iter().map(|(name, verdict)| (name, &verdict.accepted));
    let virtual_ips: Vec<_> = virtual_ips.filter(|(_, verdict)| is_mistake(verdict)).collect();
    let groups: Vec<_> = plan.groups.iter().filter(|(_, verdict)| is_mistake_of_group(verdict)).collect();
    if virtual_ips.is_empty() && groups.is_empty() {
        return more;
    }
    let in_force = InForceUnits::of(input, cluster, plan);
    for (name, verdict) in virtual_ips.into_iter().filter(|(name, _)| in_force.has_virtual_ip(name)) {
        more.virtual_ips.entry(name.clone()).or_insert_with(|| verdict.clone());
    }
    for (name, verdict) in groups.into_iter().filter(|(name, _)| in_force.has_group(name)) {
        more.groups.entry(name.clone()).or_insert_with(|| verdict.clone());
    }
    more
}

fn is_mistake(verdict: &Verdict<AcceptedReason>) -> bool {
    !verdict.is_accepted() && verdict.reason != AcceptedReason::NoMatchingNodes
}

fn is_mistake_of_group(verdict: &GroupVerdict) -> bool {
    use GroupAcceptedReason::{NoMatchingNodes, UnknownVirtualIP};
    !verdict.is_accepted() && !matches!(verdict.reason, NoMatchingNodes | UnknownVirtualIP)
}

/// What moves together by the `NodeConfigs`, as far as it may go on unchanged.
struct InForceUnits<'a> {
    virtual_ips: BTreeSet<&'a str>,
    groups: BTreeSet<&'a str>,
}

impl<'a> InForceUnits<'a> {
    fn of(input: &Input<'a>, cluster: &Cluster<'a>, plan: &Plan) -> Self {
        let uids = uids(cluster);
        let stays = |vip: &&VirtualIP| {
            let name = name_of(&vip.metadata);
            let left = plan.virtual_ips.get(name).map(|verdict| verdict.accepted.reason);
            left != Some(AcceptedReason::NoMatchingNodes) && uids.get(name) == Some(&vip.metadata.uid.as_deref())
        };
        let present = input.virtual_ips.iter().filter(stays).map(|vip| name_of(&vip.metadata));
        let present: BTreeSet<&str> = present.chain(cluster.unreadable.iter().map(String::as_str)).collect();
        let (groups, taken) = (groups_by_name(input), taken(input, plan));
        // A member that the group does not name any more may be another group's by now; as long as it does, it was first.
        let has_left = |group: &str, member: &String| {
            taken.contains(member.as_str())
                && groups.get(group).is_none_or(|group| !group.spec.members.contains(member))
        };
        let units = cluster.node_configs.iter().flat_map(|config| &config.spec.groups);
        let goes_on = |unit: &&ElectionGroup| {
            let stays = |member: &String| {
                present.contains(member.as_str()) && group_of(&unit.name).is_none_or(|group| !has_left(group, member))
            };
            unit.virtual_ips.iter().all(stays)
        };
        let units: Vec<&ElectionGroup> = units.filter(goes_on).collect();
        Self {
            virtual_ips: units.iter().flat_map(|unit| &unit.virtual_ips).map(String::as_str).collect(),
            groups: units.iter().filter_map(|unit| group_of(&unit.name)).collect(),
        }
    }

    fn has_virtual_ip(&self, name: &str) -> bool {
        self.virtual_ips.contains(name)
    }

    fn has_group(&self, name: &str) -> bool {
        self.groups.contains(name)
    }
}

fn groups_by_name<'a>(input: &Input<'a>) -> BTreeMap<&'a str, &'a VirtualIPGroup> {
    input.groups.iter().map(|group| (name_of(&group.metadata), group)).collect()
}

/// The members of the groups that are accepted.
fn taken<'a>(input: &Input<'a>, plan: &Plan) -> BTreeSet<&'a str> {
    let is_accepted =
        |group: &&VirtualIPGroup| plan.groups.get(name_of(&group.metadata)).is_some_and(Verdict::is_accepted);
    input.groups.iter().filter(is_accepted).flat_map(|group| &group.spec.members).map(String::as_str).collect()
}

/// Which objects the `NodeConfigs` were made from: one that was deleted and made again is another.
fn uids<'a>(cluster: &Cluster<'a>) -> BTreeMap<&'a str, Option<&'a str>> {
    let routers = cluster.node_configs.iter().flat_map(|config| &config.spec.virtual_routers);
    routers.map(|router| (router.virtual_ip.as_str(), router.virtual_ip_uid.as_deref())).collect()
}
