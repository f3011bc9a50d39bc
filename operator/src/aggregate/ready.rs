//! The condition `Ready` of a `VirtualIP`: whether exactly one node holds the addresses.

use holdfast_crds::condition::ReadyReason;
use holdfast_crds::{RouterState, Transport, VirtualIP, VirtualIPStatus};

use super::mastership::Mastership;
use super::standing::Standing;
use super::subject::Subject;
use super::wording::list;

pub(super) fn ready(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    mastership: &Mastership<'_>,
    standings: &[Standing<'_>],
    exists: impl Fn(&str) -> bool,
) -> (ReadyReason, String) {
    let name = |place: &usize| standings.get(*place).map_or("", |standing| standing.node.name);
    match mastership {
        Mastership::Held(place) => (ReadyReason::MasterElected, format!("The addresses are on node {:?}", name(place))),
        Mastership::External(peer) => {
            let peer = match &peer.name {
                Some(name) => format!("{name:?} ({})", peer.address),
                None => peer.address.clone(),
            };
            (ReadyReason::MasterElected, format!("The addresses are outside the cluster, on the external peer {peer}"))
        }
        Mastership::SplitBrain(places) => {
            let names: Vec<&str> = places.iter().map(name).collect();
            (ReadyReason::SplitBrain, split_brain(&names, subject))
        }
        Mastership::Stale(place) => (ReadyReason::Stale, stale(*place, standings)),
        Mastership::Vacant => (ReadyReason::NoMaster, vacant(subject, standings, exists)),
    }
}

/// The message for several masters; the condition `Degraded` says the same.
pub(super) fn split_brain(names: &[&str], subject: &Subject<'_, VirtualIP, VirtualIPStatus>) -> String {
    let transport = subject.object.map(|vip| vip.spec.transport).unwrap_or_default();
    let how = match transport {
        Transport::Multicast => {
            "lets multicast to 224.0.0.18 and ff02::12 pass; where it cannot, write spec.transport: Unicast"
        }
        Transport::Unicast => "lets IP protocol 112 pass between their addresses",
    };
    format!(
        "The addresses are on several nodes at once: {}. They do not hear each other's VRRP advertisements (IP protocol \
         112): check that the network between them, and the firewall of each, {how}",
        list(names)
    )
}

fn stale(place: usize, standings: &[Standing<'_>]) -> String {
    let Some(standing) = standings.get(place) else { return String::new() };
    let name = standing.node.name;
    let readiness = if standing.node.is_ready { "" } else { "; the node is not ready" };
    let mut hearing = standings.iter().filter(|other| other.state == RouterState::Backup);
    let heard = hearing.find_map(|other| {
        let address = other.reported.iter().find_map(|router| router.master_address.as_deref())?;
        Some(format!("; node {:?} still hears a master at {address}", other.node.name))
    });
    format!(
        "The addresses were on node {name:?} when it was last heard of, and no other node has taken them{}{readiness}. Check \
         that the agent's pod runs there and reaches the API server",
        heard.unwrap_or_default()
    )
}

fn vacant(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    standings: &[Standing<'_>],
    exists: impl Fn(&str) -> bool,
) -> String {
    let last = subject.before.and_then(|status| status.master.as_deref()).filter(|name| !exists(name));
    let last =
        last.map(|name| format!(". Node {name:?}, which held them, does not exist any more")).unwrap_or_default();
    if !standings.iter().any(Standing::is_planned) {
        return format!("No node has to hold the addresses: see the condition Accepted{last}");
    }
    let states: Vec<String> = standings
        .iter()
        .map(|standing| match standing.reason_word().filter(|_| standing.state != RouterState::Unknown) {
            Some(reason) => format!("{} {} ({reason})", standing.node.name, standing.state),
            None => format!("{} {}", standing.node.name, standing.state),
        })
        .collect();
    format!("No node holds the addresses: {}{last}", list(&states))
}
