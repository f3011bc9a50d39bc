//! The condition `Programmed` of a `VirtualIP`: whether the nodes carry it out.

use holdfast_crds::condition::{ConditionReason, ConditionType, ProgrammedReason as Reason, find_condition};
use holdfast_crds::{RouterProblemReason, VirtualIP, VirtualIPStatus};

use super::index::{NodeView, Progress};
use super::nodes::MOST_NODES;
use super::standing::Standing;
use super::subject::Subject;
use super::wording::{by_message, list, nodes};
use crate::heartbeat::Heartbeat;

/// What must be mended comes before what may pass by itself.
pub(super) fn programmed(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    standings: &[Standing<'_>],
) -> (Reason, String) {
    let planned: Vec<&Standing<'_>> = standings.iter().filter(|standing| standing.is_planned()).collect();
    if planned.is_empty() {
        return (Reason::Pending, "No node has to run it: see the condition Accepted".to_owned());
    }
    let (heard, silent): (Vec<_>, Vec<_>) = planned.iter().copied().partition(|standing| standing.node.is_heard());
    rejected(&heard)
        .or_else(|| obstructed(&heard, RouterProblemReason::PasswordKeyNotFound, Reason::PasswordKeyNotFound))
        .or_else(|| obstructed(&heard, RouterProblemReason::InterfaceNotFound, Reason::InterfaceNotFound))
        .or_else(|| unreachable(&silent))
        .or_else(|| pending(subject, &heard))
        .unwrap_or_else(|| (Reason::Programmed, done(planned.len(), standings.len())))
}

fn done(planned: usize, all: usize) -> String {
    let listed = if all > MOST_NODES {
        format!("; status.nodes lists the {MOST_NODES} of them that tell most")
    } else {
        String::new()
    };
    format!("{} run{} it{listed}", nodes(planned), if planned == 1 { "s" } else { "" })
}

/// Single virtual routers that a node refuses, or its NodeConfig as a whole.
fn rejected(heard: &[&Standing<'_>]) -> Option<(Reason, String)> {
    let whole = heard.iter().filter_map(|standing| Some((standing.node.name, standing.node.rejection?)));
    let single = problems(heard, RouterProblemReason::NodeRejected);
    let said: Vec<_> = whole.chain(single).collect();
    (!said.is_empty()).then(|| (Reason::NodeRejected, by_message(said)))
}

fn obstructed(heard: &[&Standing<'_>], problem: RouterProblemReason, reason: Reason) -> Option<(Reason, String)> {
    let said: Vec<_> = problems(heard, problem).collect();
    (!said.is_empty()).then(|| (reason, by_message(said)))
}

/// What the nodes say of a kind of problem.
pub(super) fn problems<'a>(
    standings: &[&Standing<'a>],
    reason: RouterProblemReason,
) -> impl Iterator<Item = (&'a str, &'a str)> {
    let of_standing = move |standing: &&Standing<'a>| {
        let name = standing.node.name;
        let problems = standing.reported.iter().flat_map(|router| &router.problems);
        let messages = problems.filter(|problem| problem.reason == reason).map(|problem| problem.message.as_str());
        messages.map(|message| (name, message)).collect::<Vec<_>>()
    };
    standings.iter().flat_map(of_standing)
}

fn unreachable(silent: &[&Standing<'_>]) -> Option<(Reason, String)> {
    let named = |node: &NodeView<'_>| {
        if node.is_ready { node.name.to_owned() } else { format!("{} (not ready)", node.name) }
    };
    let (never, late): (Vec<_>, Vec<_>) =
        silent.iter().map(|standing| standing.node).partition(|node| node.pulse.heartbeat == Heartbeat::Never);
    let mut parts = Vec::new();
    if !late.is_empty() {
        parts.push(format!(
            "the agent is not heard of any more on {}",
            list(&late.into_iter().map(named).collect::<Vec<_>>())
        ));
    }
    if !never.is_empty() {
        parts.push(format!(
            "no agent has ever been heard of on {}",
            list(&never.into_iter().map(named).collect::<Vec<_>>())
        ));
    }
    let message = format!("{}. Check that its pod runs there and reaches the API server", sentence(&parts.join("; ")));
    (!parts.is_empty()).then_some((Reason::AgentUnreachable, message))
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Nodes that have not answered to the newest spec.
///
/// A NodeConfig that is behind concerns those whose own spec has changed since it was last programmed: otherwise a change of
/// one `VirtualIP` would be seen in the statuses of all others.
fn pending(subject: &Subject<'_, VirtualIP, VirtualIPStatus>, heard: &[&Standing<'_>]) -> Option<(Reason, String)> {
    let is_new = !was_programmed(subject);
    let waits = |standing: &&&Standing<'_>| match standing.node.progress {
        Progress::Stuck => true,
        Progress::Behind => is_new || !standing.is_complete,
        Progress::UpToDate => !standing.is_complete,
    };
    let waiting: Vec<&str> = heard.iter().filter(waits).map(|standing| standing.node.name).collect();
    if waiting.is_empty() {
        return None;
    }
    let message = format!(
        "{} of {} have not carried it out yet: {}. If it stays so, see the log of the agent there",
        waiting.len(),
        nodes(heard.len()),
        list(&waiting)
    );
    Some((Reason::Pending, message))
}

/// Whether the status says of this very generation that it was carried out, or not for other reasons.
fn was_programmed(subject: &Subject<'_, VirtualIP, VirtualIPStatus>) -> bool {
    let condition = subject.before.and_then(|status| find_condition(&status.conditions, ConditionType::Programmed));
    condition.is_some_and(|condition| {
        condition.observed_generation == subject.generation && condition.reason != Reason::Pending.as_str()
    })
}
