//! Where masters are wanted for a while, against the rule: away from nodes that are being emptied, and onto the node that
//! somebody asks for.
//!
//! Only priorities change, so agents move the addresses as they move them for any better node: the old master answers
//! until the new one does. When the reason is gone the rule holds again, and addresses that may preempt come back.

use std::collections::{BTreeMap, BTreeSet};

use crate::node::ClusterNode;
use crate::priority::Ranking;
use crate::unit::Unit;

/// The annotation on a `VirtualIP` that asks for a node.
pub const PREFER_NODE: &str = "holdfast.dev/prefer-node";

/// The priority of a node that was asked for: above all that are not, and not that of an owner (RFC 9568, section 5.2.4),
/// so that health checks still count.
const ASKED_FOR: u8 = 254;

/// The priority of a node that is being emptied. It takes over if nobody else can.
const LEAVING: u8 = 1;

/// The node that a `VirtualIP` is asked to be on.
pub(crate) fn wanted_node<'a>(unit: &Unit<'_, 'a>) -> Option<&'a str> {
    unit.members.iter().find_map(|member| prefer_node(member.vip.metadata.annotations.as_ref()))
}

pub(crate) fn prefer_node(annotations: Option<&BTreeMap<String, String>>) -> Option<&str> {
    annotations?.get(PREFER_NODE).map(String::as_str).filter(|name| !name.is_empty())
}

/// Ranks the nodes of a unit anew. That a node is emptied counts more than that it was asked for.
pub(crate) fn steer(ranking: &mut Ranking, unit: &Unit<'_, '_>, nodes: &[ClusterNode], draining: &BTreeSet<&str>) {
    let rule = ranking.priorities.clone();
    let place = |name: &str| nodes.iter().position(|node| node.name == name);
    if let Some(wanted) = wanted_node(unit).and_then(place)
        && rule.contains_key(&wanted)
    {
        for (node, priority) in &mut ranking.priorities {
            *priority = if *node == wanted { ASKED_FOR } else { (*priority).min(ASKED_FOR - 1) };
        }
    }
    let leaves = |place: &usize| nodes.get(*place).is_some_and(|node| draining.contains(node.name.as_str()));
    let stays = ranking.priorities.keys().any(|place| !leaves(place));
    if stays && ranking.priorities.keys().any(leaves) {
        for (node, priority) in &mut ranking.priorities {
            *priority = if leaves(node) { LEAVING } else { (*priority).max(LEAVING + 1) };
        }
    }
    ranking.steered = ranking.priorities != rule;
}
