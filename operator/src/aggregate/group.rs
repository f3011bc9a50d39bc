//! The status of a `VirtualIPGroup`: whether its members are together.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::condition::{ConditionReason, ConditionType, GroupAcceptedReason, ReadyReason, find_condition};
use holdfast_crds::{VirtualIPGroup, VirtualIPGroupStatus, VirtualIPGroupSummary};
use holdfast_plan::Plan;
use jiff::Timestamp;

use super::index::Index;
use super::subject::{Conditions, Subject};
use super::virtual_ip::Hold;
use super::wording::{column, list};

/// The conditions of a `VirtualIPGroup`.
const CONDITIONS: &[&str] = &["Accepted", "Ready"];

pub(super) fn group(
    subject: &Subject<'_, VirtualIPGroup, VirtualIPGroupStatus>,
    index: &Index<'_>,
    holds: &BTreeMap<&str, Hold<'_>>,
    plan: &Plan,
    clock: Timestamp,
) -> Option<VirtualIPGroupStatus> {
    let (accepted, message) = subject.accepted(plan.groups.get(subject.name), GroupAcceptedReason::InvalidSpec)?;
    // A set has no order.
    let members: BTreeSet<&str> =
        subject.object.into_iter().flat_map(|group| &group.spec.members).map(String::as_str).collect();
    let unit = format!("group/{}", subject.name);
    let is_in_force = members.iter().any(|member| index.group_of(member) == Some(unit.as_str()));
    let members: Vec<(&str, Option<Hold<'_>>)> =
        members.into_iter().map(|member| (member, holds.get(member).copied())).collect();
    let found = ready(&members, is_in_force).or_else(|| unchanged(subject.before, &members));
    let (ready, master, ready_message) = found.unwrap_or_else(|| apart(&members));

    let before = subject.before.map_or(&[][..], |status| &status.conditions);
    let mut conditions = Conditions::new(before, subject.generation, clock);
    conditions.set(accepted, message);
    conditions.set(ready, ready_message);
    Some(VirtualIPGroupStatus {
        observed_generation: subject.generation,
        master: master.map(str::to_owned),
        summary: Some(VirtualIPGroupSummary { members: Some(column(members.iter().map(|(member, _)| member))) }),
        conditions: conditions.only(CONDITIONS),
    })
}

type Members<'m, 'a> = [(&'m str, Option<Hold<'a>>)];
type Ready<'a> = (ReadyReason, Option<&'a str>, String);

/// What is wrong with one member is wrong with the group. None if all is well with each, but they are not together.
fn ready<'a>(members: &Members<'_, 'a>, is_in_force: bool) -> Option<Ready<'a>> {
    if !is_in_force {
        let message = "The group is not in force, so its members need not be together: see the condition Accepted";
        return Some((ReadyReason::NoMaster, None, message.to_owned()));
    }
    let with = |reason: ReadyReason| {
        let is_so = |hold: Option<Hold<'a>>| hold.map_or(ReadyReason::NoMaster, |hold| hold.ready) == reason;
        members.iter().filter(|(_, hold)| is_so(*hold)).map(|(member, _)| *member).collect::<Vec<_>>()
    };
    for reason in [ReadyReason::SplitBrain, ReadyReason::Stale, ReadyReason::NoMaster] {
        let found = with(reason);
        if !found.is_empty() {
            let message = format!("{reason} for {}: kubectl describe virtualip tells more", list(&found));
            return Some((reason, None, message));
        }
    }
    let masters: BTreeSet<Option<&str>> = members.iter().map(|(_, hold)| hold.and_then(|hold| hold.master)).collect();
    match masters.into_iter().collect::<Vec<_>>().as_slice() {
        [Some(master)] => {
            Some((ReadyReason::MasterElected, Some(*master), format!("All members are on node {master:?}")))
        }
        [None] => Some((ReadyReason::MasterElected, None, "All members are outside the cluster".to_owned())),
        _ => None,
    }
}

/// Members that are just moving are announced one after the other: until all have arrived, what was said before stays.
fn unchanged<'a>(before: Option<&'a VirtualIPGroupStatus>, members: &Members<'_, '_>) -> Option<Ready<'a>> {
    if !members.iter().any(|(_, hold)| hold.is_some_and(|hold| hold.in_transit)) {
        return None;
    }
    let condition = find_condition(&before?.conditions, ConditionType::Ready)?;
    let reason = ReadyReason::ALL.iter().find(|reason| reason.as_str() == condition.reason)?;
    Some((*reason, before?.master.as_deref(), condition.message.clone()))
}

fn apart<'a>(members: &Members<'_, 'a>) -> Ready<'a> {
    let place = |(member, hold): &(&str, Option<Hold<'_>>)| {
        let master = hold.and_then(|hold| hold.master).unwrap_or("an external peer");
        format!("{member} on {master}")
    };
    let places: Vec<String> = members.iter().map(place).collect();
    (ReadyReason::NoMaster, None, format!("The members are not together: {}", list(&places)))
}
