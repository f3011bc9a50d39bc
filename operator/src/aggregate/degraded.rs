//! The condition `Degraded` of a `VirtualIP`: what is wrong although the addresses may be served.
//!
//! Its reason is the heaviest that there is, and its message tells of all, the heaviest first.

use std::collections::BTreeMap;

use holdfast_crds::condition::{DegradedReason as Reason, ProgrammedReason};
use holdfast_crds::{RouterProblemReason, RouterState, VirtualIP, VirtualIPStatus};

use super::mastership::{Judgement, Mastership};
use super::programmed::problems;
use super::ready::split_brain;
use super::standing::Standing;
use super::subject::Subject;
use super::wording::{by_message, list, shortened};

/// The reasons that say that something is wrong, the heaviest first.
pub(crate) const BY_WEIGHT: [Reason; 6] = [
    Reason::SplitBrain,
    Reason::AddressConflict,
    Reason::ForeignRouter,
    Reason::NoBackup,
    Reason::FencingUnavailable,
    Reason::HealthCheckFailing,
];

/// The longest text of one reason, in characters: all of them fit into a message.
const LONGEST_PART: usize = 400;

pub(super) fn degraded(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    judgement: &Judgement<'_>,
    standings: &[Standing<'_>],
    programmed: ProgrammedReason,
) -> (Reason, String) {
    let heard: Vec<&Standing<'_>> =
        standings.iter().filter(|standing| standing.state != RouterState::Unknown).collect();
    let find = |reason| match reason {
        Reason::SplitBrain => split(subject, &judgement.mastership, standings),
        Reason::AddressConflict => said(&heard, RouterProblemReason::AddressConflict),
        Reason::ForeignRouter => said(&heard, RouterProblemReason::ForeignRouter),
        Reason::FencingUnavailable => said(&heard, RouterProblemReason::FencingUnavailable),
        Reason::NoBackup => no_backup(judgement, standings, programmed),
        Reason::HealthCheckFailing => failing_checks(&heard),
        Reason::AsExpected => None,
    };
    let found = BY_WEIGHT.into_iter().filter_map(|reason| Some((reason, shortened(find(reason)?, LONGEST_PART))));
    let found: Vec<(Reason, String)> = found.collect();
    match found.first() {
        None => (Reason::AsExpected, "Nothing is wrong on any node".to_owned()),
        Some((heaviest, _)) => {
            let messages: Vec<&str> = found.iter().map(|(_, message)| message.as_str()).collect();
            (*heaviest, messages.join(". "))
        }
    }
}

fn split(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    mastership: &Mastership<'_>,
    standings: &[Standing<'_>],
) -> Option<String> {
    let Mastership::SplitBrain(places) = mastership else { return None };
    let names: Vec<&str> =
        places.iter().filter_map(|place| standings.get(*place)).map(|standing| standing.node.name).collect();
    Some(split_brain(&names, subject))
}

fn said(heard: &[&Standing<'_>], reason: RouterProblemReason) -> Option<String> {
    let said: Vec<_> = problems(heard, reason).collect();
    (!said.is_empty()).then(|| by_message(said))
}

/// The nodes that could take over now, and how many there should be.
pub(super) fn backups(judgement: &Judgement<'_>, standings: &[Standing<'_>]) -> (usize, usize) {
    let planned = standings.iter().filter(|standing| standing.is_planned());
    let ready = planned.clone().filter(|standing| standing.state == RouterState::Backup).count();
    let wanted = match judgement.mastership {
        Mastership::External(_) => planned.count(),
        _ => planned.count().saturating_sub(1),
    };
    // While nobody is master, all may be backups.
    (ready.min(wanted), wanted)
}

/// What moves or has just begun has no backup for a moment; that is nothing to tell.
fn no_backup(judgement: &Judgement<'_>, standings: &[Standing<'_>], programmed: ProgrammedReason) -> Option<String> {
    let planned: Vec<&Standing<'_>> = standings.iter().filter(|standing| standing.is_planned()).collect();
    let (ready, _) = backups(judgement, standings);
    let has_backup = ready > 0 || planned.iter().any(|standing| standing.state == RouterState::Backup);
    // It is a backup as soon as its checks have their first results; while they are not known, nothing is known.
    let is_beginning = planned.iter().any(|standing| standing.state == RouterState::Init);
    if has_backup || is_beginning || judgement.in_transit || programmed == ProgrammedReason::Pending {
        return None;
    }
    match planned.as_slice() {
        [] => None,
        [only] => Some(format!(
            "Only node {:?} may hold the addresses, so no other could take over: let spec.nodeSelector match more nodes",
            only.node.name
        )),
        _ => {
            let unfit = planned.iter().filter(|standing| standing.state != RouterState::Master);
            let unfit: Vec<String> = unfit
                .map(|standing| match standing.reason_word().filter(|_| standing.state != RouterState::Unknown) {
                    Some(reason) => format!("{} is {} ({reason})", standing.node.name, standing.state),
                    None => format!("{} is {}", standing.node.name, standing.state),
                })
                .collect();
            let unfit = if unfit.is_empty() { "all nodes are masters".to_owned() } else { list(&unfit) };
            Some(format!("No other node could take over: {unfit}"))
        }
    }
}

/// The checks that fail, each with the nodes. What the probes found stands with the `HealthCheck`: it may change all the time.
fn failing_checks(heard: &[&Standing<'_>]) -> Option<String> {
    let mut nodes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for standing in heard.iter().filter(|standing| standing.is_planned() && standing.node.is_heard()) {
        let group = standing.planned.first().map(|router| router.group.as_str()).unwrap_or_default();
        for check in standing.node.failing_checks(group) {
            nodes.entry(check).or_default().push(standing.node.name);
        }
    }
    let failing: Vec<String> =
        nodes.iter().map(|(check, nodes)| format!("HealthCheck {check:?} fails on {}", list(nodes))).collect();
    (!failing.is_empty()).then(|| format!("{}: kubectl describe healthcheck tells what it found", list(&failing)))
}
