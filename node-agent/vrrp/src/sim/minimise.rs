//! Makes a failing scenario as small as it can be and still fail in the same way (delta debugging).
//!
//! What is left is written down as a script, given a name that says what it is about, and played by the test suite from
//! then on.

use std::time::Duration;

use super::clock::Clock;
use super::grouping::Grouping;
use super::mutant::Mutant;
use super::rules::Rule;
use super::script::{End, Script};
use super::setup::{ElectionIndex, InstanceSetup, NodeIndex};
use super::step::{Change, NodeSet, Step};

use crate::config::{Announcements, Preemption};

/// The smallest scenario that was found to break the same rule; `None` if the given one breaks none.
pub fn minimise(script: &Script, mutant: Option<Mutant>) -> Option<Script> {
    let rule = broken_rule(script, mutant)?;
    let still_fails = |candidate: &Script| broken_rule(candidate, mutant) == Some(rule);
    let mut smallest = script.clone();
    while shrink_steps(&mut smallest, &still_fails) | shrink_setup(&mut smallest, &still_fails) {}
    Some(smallest)
}

fn broken_rule(script: &Script, mutant: Option<Mutant>) -> Option<Rule> {
    script.play_with(mutant, super::log::Log::default()).failure.map(|failure| failure.broken.rule)
}

/// Takes away steps: first all, then halves, and so on to single ones. Returns whether any went.
fn shrink_steps(smallest: &mut Script, still_fails: &impl Fn(&Script) -> bool) -> bool {
    let before = smallest.steps.len();
    let mut chunk = before;
    while chunk > 0 {
        // From the end: what comes last is least likely to be needed.
        let mut place = smallest.steps.len();
        while place > 0 {
            place = place.saturating_sub(chunk);
            let mut candidate = smallest.clone();
            let end = candidate.steps.len().min(place + chunk);
            candidate.steps.drain(place..end);
            if still_fails(&candidate) {
                *smallest = candidate;
            }
        }
        chunk /= 2;
    }
    smallest.steps.len() < before
}

/// Makes the world simpler, one thing at a time. Returns whether anything was simplified.
fn shrink_setup(smallest: &mut Script, still_fails: &impl Fn(&Script) -> bool) -> bool {
    let mut simplified = false;
    let mut number = 0;
    while let Some(candidate) = simpler(smallest).into_iter().nth(number) {
        if candidate != *smallest && still_fails(&candidate) {
            *smallest = candidate;
            simplified = true;
        } else {
            number += 1;
        }
    }
    simplified
}

/// Scenarios that differ from the given one by being simpler in one respect, or not at all.
fn simpler(script: &Script) -> Vec<Script> {
    let nodes = script.setup.nodes.len();
    let elections = script.setup.elections.len();
    let mut candidates: Vec<Script> = Vec::new();
    candidates.extend((0..elections).rev().filter_map(|election| without_election(script, election)));
    candidates.extend((0..nodes).rev().filter_map(|node| without_node(script, node)));
    let mut with = |change: &dyn Fn(&mut Script)| {
        let mut candidate = script.clone();
        change(&mut candidate);
        candidates.push(candidate);
    };
    with(&|script| script.end = End { core: NodeSet::first(nodes), listeners: NodeSet::default(), ..script.end });
    with(&|script| script.setup.driver.lateness = Duration::ZERO);
    with(&|script| script.setup.driver.report_delay = Duration::ZERO);
    with(&|script| script.setup.driver.batch = false);
    with(&|script| script.setup.driver.queue = 256);
    with(&|script| script.setup.quality.jitter = Duration::ZERO);
    for election in 0..elections {
        with(&|script| with_one_member(script, election));
    }
    for node in 0..nodes {
        with(&|script| {
            for setup in script.setup.nodes.iter_mut().skip(node).take(1) {
                setup.clock = Clock::default();
            }
        });
        for election in 0..elections {
            for change in INSTANCE_CHANGES {
                with(&|script| instance(script, node, election).into_iter().for_each(change));
            }
        }
    }
    candidates
}

const INSTANCE_CHANGES: [fn(&mut InstanceSetup); 6] = [
    |instance| instance.trackers.clear(),
    |instance| instance.preemption = Preemption::Preempt { delay: Duration::ZERO },
    |instance| instance.rival_known = false,
    |instance| instance.unicast = false,
    |instance| instance.addresses = 1,
    |instance| instance.announcements = Announcements { count: 1, delay: Duration::ZERO, refresh: None },
];

fn with_one_member(script: &mut Script, election: ElectionIndex) {
    for setup in script.setup.elections.iter_mut().skip(election).take(1) {
        setup.members.truncate(1);
    }
    for node in &mut script.setup.nodes {
        for instance in node.instances.iter_mut().skip(election).take(1) {
            instance.grouping = Grouping::whole(1);
        }
    }
    let regroups = |step: &Step| matches!(step, Step::Reconfigure { election: of, change: Change::Grouping(_), .. } if *of == election);
    script.steps.retain(|(_, step)| !regroups(step));
}

fn instance(script: &mut Script, node: NodeIndex, election: ElectionIndex) -> Option<&mut InstanceSetup> {
    script.setup.nodes.get_mut(node)?.instances.get_mut(election)
}

fn without_election(script: &Script, gone: ElectionIndex) -> Option<Script> {
    let mut smaller = script.clone();
    if smaller.setup.elections.len() < 2 {
        return None;
    }
    smaller.setup.elections.remove(gone);
    for node in &mut smaller.setup.nodes {
        node.instances.remove(gone);
    }
    let keep = |election: &mut ElectionIndex| renumber(election, gone);
    smaller.steps.retain_mut(|(_, step)| match step {
        Step::Delete { address, .. } | Step::Claim { address } => keep(&mut address.router.election),
        Step::Track { election, .. } | Step::Reconfigure { election, .. } => keep(election),
        Step::Stranger { router, .. } | Step::Junk { router, .. } => keep(&mut router.election),
        _ => true,
    });
    Some(smaller)
}

fn without_node(script: &Script, gone: NodeIndex) -> Option<Script> {
    let mut smaller = script.clone();
    if smaller.setup.nodes.len() < 2 {
        return None;
    }
    smaller.setup.nodes.remove(gone);
    let keep = |node: &mut NodeIndex| renumber(node, gone);
    smaller.steps.retain_mut(|(_, step)| match step {
        Step::Crash { node, .. }
        | Step::Restart { node }
        | Step::Drain { node }
        | Step::Abort { node }
        | Step::Stall { node, .. }
        | Step::Interface { node, .. }
        | Step::Refuse { node, .. }
        | Step::Delete { node, .. }
        | Step::Track { node, .. }
        | Step::Reconfigure { node, .. }
        | Step::Echo { node, .. } => keep(node),
        Step::Partition { side, .. } => {
            *side = renumbered(*side, gone);
            true
        }
        _ => true,
    });
    smaller.end.core = renumbered(smaller.end.core, gone);
    smaller.end.listeners = renumbered(smaller.end.listeners, gone);
    (!smaller.end.core.is_empty()).then_some(smaller)
}

/// What comes after the one that is gone moves up. Returns whether the number is not that one.
fn renumber(number: &mut usize, gone: usize) -> bool {
    let stays = *number != gone;
    *number -= usize::from(*number > gone);
    stays
}

fn renumbered(nodes: NodeSet, gone: NodeIndex) -> NodeSet {
    let renumber = |mut node: NodeIndex| renumber(&mut node, gone).then_some(node);
    nodes.iter().filter_map(renumber).collect()
}
