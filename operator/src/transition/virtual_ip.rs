//! What there is to tell of a `VirtualIP`.

use holdfast_crds::condition::{
    AcceptedReason, ConditionReason, ConditionType, DegradedReason, ProgrammedReason, ReadyReason,
};
use holdfast_crds::{RouterState, VirtualIPNodeStatus, VirtualIPStatus};
use holdfast_plan::PREFER_NODE;

use super::{HasTransitions, Transition, accepted, message_of, reason_of};
use crate::aggregate::degraded::BY_WEIGHT;

impl HasTransitions for VirtualIPStatus {
    fn transitions_to(&self, new: &Self) -> Vec<Transition> {
        let mut transitions: Vec<Transition> =
            accepted(&self.conditions, &new.conditions, AcceptedReason::ALL).into_iter().collect();
        transitions.extend(ignored_preference(self, new));
        transitions.extend(programmed(self, new));
        mastership(self, new, &mut transitions);
        degraded(self, new, &mut transitions);
        transitions
    }
}

/// Somebody asks for a node that cannot be: that is no reason to refuse the rest.
fn ignored_preference(old: &VirtualIPStatus, new: &VirtualIPStatus) -> Option<Transition> {
    let message = |status| message_of(status, ConditionType::Accepted);
    let is_new = message(&new.conditions).contains(PREFER_NODE) && message(&new.conditions) != message(&old.conditions);
    let is_accepted = reason_of(&new.conditions, AcceptedReason::ALL) == Some(AcceptedReason::Accepted);
    (is_new && is_accepted).then(|| Transition::warning("PreferenceIgnored", "Validate", message(&new.conditions)))
}

/// That an agent is silent concerns the node, not each of its `VirtualIPs`.
fn programmed(old: &VirtualIPStatus, new: &VirtualIPStatus) -> Option<Transition> {
    use ProgrammedReason::{InterfaceNotFound, NodeRejected, PasswordKeyNotFound, Programmed};
    let is_wrong = |reason| matches!(reason, InterfaceNotFound | PasswordKeyNotFound | NodeRejected);
    let before = reason_of(&old.conditions, ProgrammedReason::ALL);
    let now = reason_of(&new.conditions, ProgrammedReason::ALL)?;
    if before == Some(now) {
        return None;
    }
    let message = message_of(&new.conditions, ConditionType::Programmed);
    if is_wrong(now) {
        Some(Transition::warning(now.as_str(), "Program", message))
    } else if now == Programmed && before.is_some_and(is_wrong) {
        Some(Transition::normal(now.as_str(), "Program", message))
    } else {
        None
    }
}

fn mastership(old: &VirtualIPStatus, new: &VirtualIPStatus, transitions: &mut Vec<Transition>) {
    let ready = |status: &VirtualIPStatus| reason_of(&status.conditions, ReadyReason::ALL);
    let (before, Some(now)) = (ready(old), ready(new)) else { return };
    let message = message_of(&new.conditions, ConditionType::Ready);
    let was_split = before == Some(ReadyReason::SplitBrain);
    if was_split && now != ReadyReason::SplitBrain {
        transitions.push(Transition::normal("SplitBrainResolved", "Elect", message));
    }
    match now {
        ReadyReason::MasterElected if !was_split => transitions.extend(elected(old, new, before)),
        // Before its first election nobody has lost anything.
        ReadyReason::NoMaster if before.is_some_and(|before| before != now) => {
            transitions.push(Transition::warning("MasterLost", "Elect", lost(old, new, message)));
        }
        ReadyReason::SplitBrain | ReadyReason::Stale if before != Some(now) => {
            transitions.push(Transition::warning(now.as_str(), "Elect", message));
        }
        _ => {}
    }
}

fn elected(old: &VirtualIPStatus, new: &VirtualIPStatus, before: Option<ReadyReason>) -> Option<Transition> {
    let message = message_of(&new.conditions, ConditionType::Ready);
    let was_elected = before == Some(ReadyReason::MasterElected);
    match (master(old), master(new)) {
        (Some(from), Some(to)) if from.name != to.name => {
            let from = new
                .nodes
                .iter()
                .find(|node| node.name == from.name)
                .map_or_else(|| format!("{:?} (which does not take part any more)", from.name), described);
            let note = format!("The addresses moved from node {from} to node {}", described(to));
            Some(Transition::normal("MasterChanged", "Elect", note))
        }
        (Some(_), Some(_)) => None,
        (None, Some(to)) => {
            let note = format!("The addresses are on node {}", described(to));
            Some(Transition::normal("MasterElected", "Elect", note))
        }
        // Outside the cluster.
        (Some(from), None) => {
            let note = format!("The addresses moved from node {:?}. {message}", from.name);
            Some(Transition::normal("MasterChanged", "Elect", note))
        }
        (None, None) if was_elected => None,
        (None, None) => Some(Transition::normal("MasterElected", "Elect", message)),
    }
}

fn lost(old: &VirtualIPStatus, new: &VirtualIPStatus, message: &str) -> String {
    let from = master(old).and_then(|from| new.nodes.iter().find(|node| node.name == from.name).or(Some(from)));
    match from {
        Some(from) => format!("Node {} does not hold the addresses any more. {message}", described(from)),
        None => message.to_owned(),
    }
}

/// The only node that holds the addresses, if it is one.
fn master(status: &VirtualIPStatus) -> Option<&VirtualIPNodeStatus> {
    let mut masters = status.nodes.iter().filter(|node| node.state == RouterState::Master);
    masters.next().filter(|_| masters.next().is_none())
}

/// A node with its state and the reason for that.
fn described(node: &VirtualIPNodeStatus) -> String {
    match &node.reason {
        Some(reason) => format!("{:?} ({}, {reason})", node.name, node.state),
        None => format!("{:?} ({})", node.name, node.state),
    }
}

fn degraded(old: &VirtualIPStatus, new: &VirtualIPStatus, transitions: &mut Vec<Transition>) {
    let before = reason_of(&old.conditions, DegradedReason::ALL);
    let Some(now) = reason_of(&new.conditions, DegradedReason::ALL).filter(|now| before != Some(*now)) else { return };
    let message = message_of(&new.conditions, ConditionType::Degraded);
    // What weighs more than all that is left has gone. What weighs less may still be there.
    if let Some(before) = before
        && weight(before) < weight(now)
        && let Some(mended) = mended(before)
    {
        transitions.push(Transition::normal(mended, "Observe", message));
    }
    // Of a split brain the condition Ready has told.
    if !matches!(now, DegradedReason::AsExpected | DegradedReason::SplitBrain) {
        transitions.push(Transition::warning(now.as_str(), "Observe", message));
    }
}

/// The place in the order of weights: the lower the heavier.
fn weight(reason: DegradedReason) -> usize {
    BY_WEIGHT.iter().position(|other| *other == reason).unwrap_or(BY_WEIGHT.len())
}

fn mended(reason: DegradedReason) -> Option<&'static str> {
    match reason {
        DegradedReason::AddressConflict => Some("AddressConflictResolved"),
        DegradedReason::ForeignRouter => Some("ForeignRouterGone"),
        DegradedReason::FencingUnavailable => Some("FencingAvailable"),
        DegradedReason::NoBackup => Some("BackupAvailable"),
        DegradedReason::HealthCheckFailing => Some("HealthCheckPassing"),
        DegradedReason::SplitBrain | DegradedReason::AsExpected => None,
    }
}
