//! `VirtualIP.status.nodes`: its state on each node, and why.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use holdfast_crds::{RouterState, VirtualIPNodeStatus, VirtualIPStatus};
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::mastership::Mastership;
use super::standing::Standing;
use super::wording::shortened;
use crate::heartbeat::Heartbeat;

/// How many nodes are listed: a status must fit into an object, and be written often.
pub(super) const MOST_NODES: usize = 256;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 256;

/// What the list of nodes needs beside the standings.
pub(super) struct Surroundings<'a> {
    pub(super) mastership: &'a Mastership<'a>,
    /// The node that somebody has asked for.
    pub(super) wanted: Option<&'a str>,
    pub(super) before: Option<&'a VirtualIPStatus>,
    pub(super) now: Timestamp,
}

/// What is said of a node whose agent is silent.
const UNREACHABLE: &str = "AgentUnreachable";

/// Whether a status says of a node that its agent is silent.
pub(super) fn is_unreachable(node: &VirtualIPNodeStatus) -> bool {
    node.state == RouterState::Unknown && node.reason.as_ref().is_some_and(|reason| reason.contains(UNREACHABLE))
}

/// The nodes by name. Of very many, those that tell most.
pub(super) fn nodes(standings: &[Standing<'_>], surroundings: &Surroundings<'_>) -> Vec<VirtualIPNodeStatus> {
    let mut listed: Vec<&Standing<'_>> = standings.iter().collect();
    if listed.len() > MOST_NODES {
        listed.sort_by_key(|standing| (rank(standing.state), Reverse(standing.priority()), standing.node.name));
        listed.truncate(MOST_NODES);
        listed.sort_by_key(|standing| standing.node.name);
    }
    let before: BTreeMap<&str, &VirtualIPNodeStatus> = surroundings
        .before
        .into_iter()
        .flat_map(|status| &status.nodes)
        .filter(|node| node.state == RouterState::Unknown)
        .map(|node| (node.name.as_str(), node))
        .collect();
    listed.into_iter().map(|standing| node(standing, surroundings, &before)).collect()
}

/// Masters are never left out.
fn rank(state: RouterState) -> u8 {
    match state {
        RouterState::Master => 0,
        RouterState::Unknown => 1,
        RouterState::Fault => 2,
        RouterState::Init => 3,
        RouterState::Backup => 4,
    }
}

fn node(
    standing: &Standing<'_>,
    surroundings: &Surroundings<'_>,
    unknown_before: &BTreeMap<&str, &VirtualIPNodeStatus>,
) -> VirtualIPNodeStatus {
    let name = standing.node.name;
    let since = if standing.state == RouterState::Unknown {
        let before = unknown_before.get(name).and_then(|node| node.since.clone());
        Some(before.unwrap_or(Time(surroundings.now)))
    } else {
        standing.since.cloned()
    };
    VirtualIPNodeStatus {
        name: name.to_owned(),
        state: standing.state,
        priority: standing.priority(),
        interface: standing.interface().map(str::to_owned),
        since,
        reason: reason(standing, surroundings),
    }
}

/// Why it is in this state: what people have asked for first, then what the agent says.
fn reason(standing: &Standing<'_>, surroundings: &Surroundings<'_>) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(draining) = standing.node.draining {
        parts.push(format!("Draining: {draining}"));
    }
    if surroundings.wanted == Some(standing.node.name) && standing.is_planned() {
        parts.push(format!("Preferred: annotation {}", holdfast_plan::PREFER_NODE));
    }
    parts.extend(state_reason(standing, surroundings.mastership));
    (!parts.is_empty()).then(|| shortened(parts.join("; "), LONGEST_REASON))
}

fn state_reason(standing: &Standing<'_>, mastership: &Mastership<'_>) -> Option<String> {
    if standing.state == RouterState::Unknown {
        let was_master = standing.was_master();
        return Some(match (standing.node.pulse.heartbeat, mastership) {
            // It is the same for a node that has just died and for one that is late, and needs no second write.
            (_, Mastership::Held(_) | Mastership::External(_)) if was_master => {
                "Superseded: it was MASTER when last heard of, and another is now".to_owned()
            }
            (Heartbeat::Never, _) => format!("{UNREACHABLE}: its agent was never heard of"),
            _ if was_master => format!("{UNREACHABLE}: it was MASTER when last heard of"),
            _ => format!("{UNREACHABLE}: its agent is not heard of any more"),
        });
    }
    if !standing.is_planned() {
        return Some("Leaving: it need not run here any more".to_owned());
    }
    if !standing.is_complete && !standing.is_claimed {
        return Some("Pending: not carried out yet".to_owned());
    }
    standing.reason().map(str::to_owned)
}
