//! The status of a `VirtualIP`, put together.

use std::collections::BTreeMap;

use holdfast_crds::condition::{AcceptedReason, ReadyReason};
use holdfast_crds::{VirtualIP, VirtualIPStatus};
use holdfast_plan::Plan;
use jiff::Timestamp;

use super::degraded::{backups, degraded};
use super::index::Index;
use super::mastership::{Judgement, Mastership, judge};
use super::memory::Election;
use super::naming;
use super::nodes::{Surroundings, nodes};
use super::programmed::programmed;
use super::ready::ready;
use super::standing::Standing;
use super::subject::{Conditions, Subject};
use super::summary::{Reasons, summary};

/// The conditions of a `VirtualIP`.
const CONDITIONS: &[&str] = &["Accepted", "Programmed", "Ready", "Degraded"];

pub(super) type VirtualIPSubject<'a> = Subject<'a, VirtualIP, VirtualIPStatus>;

/// What a `VirtualIP` comes to.
pub(super) struct Outcome<'a> {
    pub(super) status: VirtualIPStatus,
    /// What there is to remember, and when to look again.
    pub(super) judgement: Judgement<'a>,
    /// Whether the object names who holds it.
    pub(super) finding: naming::Finding,
    /// What its group needs to know.
    pub(super) hold: Hold<'a>,
}

/// Who holds a member of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hold<'a> {
    pub(super) ready: ReadyReason,
    pub(super) master: Option<&'a str>,
    /// Whether the addresses are just moving.
    pub(super) in_transit: bool,
}

/// None for an object that the plan does not know yet.
pub(super) fn virtual_ip<'a>(
    subject: &VirtualIPSubject<'a>,
    index: &'a Index<'a>,
    plan: &Plan,
    wanted: Option<&str>,
    earlier: Option<&Election>,
    (now, clock): (std::time::Duration, Timestamp),
) -> Option<Outcome<'a>> {
    let verdict = plan.virtual_ips.get(subject.name);
    let accepted = subject.accepted(verdict.map(|verdict| &verdict.accepted), AcceptedReason::InvalidSpec)?;
    let mut standings = standings(subject, index);
    let judgement = judge(subject, &mut standings, earlier, now);
    let unnamed = earlier.and_then(|election| election.unnamed.as_ref());
    let finding = naming::judge(subject, &judgement.mastership, &standings, unnamed, now);
    let (programmed, programmed_message) = programmed(subject, &standings);
    let (ready, ready_message) = ready(subject, &judgement.mastership, &standings, |name| index.exists(name));
    let (degraded, degraded_message) = degraded(subject, &judgement, &standings, programmed);
    let surroundings = Surroundings { mastership: &judgement.mastership, wanted, before: subject.before, now: clock };
    let nodes = nodes(&standings, &surroundings);
    let reasons = Reasons { accepted: accepted.0, programmed, ready, degraded };
    let backups = backups(&judgement, &standings);
    let summary = summary(subject, &judgement.mastership, &standings, &nodes, backups, &reasons);

    let before = subject.before.map_or(&[][..], |status| &status.conditions);
    let mut conditions = Conditions::new(before, subject.generation, clock);
    conditions.set(accepted.0, accepted.1);
    conditions.set(programmed, programmed_message);
    conditions.set(ready, ready_message);
    conditions.set(degraded, degraded_message);

    let running = || standings.iter().find_map(|standing| standing.planned.first());
    let status = VirtualIPStatus {
        observed_generation: subject.generation,
        virtual_router_id: verdict
            .and_then(|verdict| verdict.virtual_router_id)
            .or_else(|| running().map(|router| router.virtual_router_id)),
        // These belong to the agents.
        master: None,
        master_since: None,
        transitions: Some(judgement.election.transitions),
        nodes,
        summary: Some(summary),
        conditions: conditions.only(CONDITIONS),
    };
    let master = match judgement.mastership {
        Mastership::Held(place) => standings.get(place).map(|standing| standing.node.name),
        _ => None,
    };
    let hold = Hold { ready, master, in_transit: judgement.in_transit };
    Some(Outcome { status, judgement, finding, hold })
}

/// The nodes that have to do with a `VirtualIP`, by name.
fn standings<'a>(subject: &VirtualIPSubject<'a>, index: &'a Index<'a>) -> Vec<Standing<'a>> {
    let claim = subject.before.and_then(|status| Some((status.master.as_deref()?, status.master_since.as_ref()?)));
    let standing = |placement| {
        let node = index.node(placement)?;
        let claim = claim.filter(|(name, _)| *name == node.name).map(|(_, since)| since);
        Standing::of(placement, node, claim)
    };
    index.placements(subject.name).iter().filter_map(standing).collect()
}

/// The node that somebody has asked for, for each group of a plan: the first member that asks speaks for all.
pub(super) fn wanted_nodes<'a>(virtual_ips: &'a [VirtualIP], index: &Index<'a>) -> BTreeMap<&'a str, &'a str> {
    let asking = virtual_ips.iter().filter_map(|vip| {
        let wanted = vip.metadata.annotations.as_ref()?.get(holdfast_plan::PREFER_NODE)?;
        Some((vip.metadata.name.as_deref()?, wanted.as_str())).filter(|(_, wanted)| !wanted.is_empty())
    });
    // The last entry of a group stays: in reverse order that is the first member's.
    let asking: BTreeMap<&str, &str> = asking.collect();
    let by_group = asking.into_iter().rev().filter_map(|(name, wanted)| Some((index.group_of(name)?, wanted)));
    by_group.collect()
}
