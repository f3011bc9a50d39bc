//! Names what happened to a group, as the state table tells it apart.

use super::Standing;
use super::facts::{Facts, fails};
use crate::action::State;
use crate::config::{MemberConfig, Transport};
use crate::event::{Event, Link, MemberIndex};
use crate::sim::frame::Origin;
use crate::sim::table::Input;
use crate::tracking::TrackState;
use crate::types::Claim;
use crate::wire::{Advert, Datagram, ReceivePolicy};

/// What is known about a packet, and no receiver knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::sim) enum Truth {
    /// It is no packet.
    NoPacket,
    /// It is what somebody sent.
    Intact(Origin),
    /// It was broken on its way, or made to be refused.
    Broken,
}

pub(super) fn input(facts: &Facts, before: &Standing, event: &Event<'_>, truth: Truth) -> Input {
    match event {
        Event::Start => Input::Start,
        Event::Drain => Input::Drain,
        Event::Abort => Input::Abort,
        Event::Timer => Input::Timer,
        Event::Packet { member, datagram } => packet(facts, *member, datagram, truth),
        Event::Link { link: Link::Down, .. } => Input::LinkDown,
        Event::Link { .. } => Input::LinkUp,
        Event::Track { tracker, state } => track(facts, *tracker, *state),
        Event::NeighborClaim { .. } => Input::NeighborClaim,
        Event::AddressDeleted { .. } => Input::AddressDeleted,
        Event::AddressFailed { member, address, epoch } => {
            let ours = facts.member(*member).is_some_and(|(config, _)| config.addresses.contains(address));
            let current = before.state == State::Master && before.epoch == *epoch && ours;
            if current { Input::AddressRefused } else { Input::OutdatedRefusal }
        }
        Event::SendFailed { .. } => Input::SendRefused,
        Event::Reconfigure { .. } => Input::Reconfigure,
    }
}

fn packet(facts: &Facts, index: MemberIndex, datagram: &Datagram<'_>, truth: Truth) -> Input {
    let Some((config, member)) = facts.member(index) else { return Input::Junk };
    let advert = match Advert::parse(datagram, &policy(config)) {
        Ok(advert) if truth != Truth::Broken => advert,
        _ => return Input::Junk,
    };
    let own = match member.link {
        Link::Up { source } => Some(source),
        Link::Unknown | Link::Down => None,
    };
    if own == Some(datagram.source) {
        return Input::OwnAdvert;
    }
    if config.known_peers.as_ref().is_some_and(|peers| !peers.contains(&datagram.source)) {
        return Input::StrangerAdvert;
    }
    let Claim::Master(claimed) = advert.claim() else { return Input::Release };
    match claimed.get().cmp(&facts.priority(config)) {
        std::cmp::Ordering::Greater => Input::HigherPriority,
        std::cmp::Ordering::Less => Input::LowerPriority,
        // Unsigned, in network order: as the standard library compares addresses.
        std::cmp::Ordering::Equal if own < Some(datagram.source) => Input::HigherAddress,
        std::cmp::Ordering::Equal => Input::LowerAddress,
    }
}

fn policy(config: &MemberConfig) -> ReceivePolicy {
    match config.transport {
        Transport::Multicast => ReceivePolicy::multicast(config.protocol, config.family, config.interval),
        Transport::Unicast(_) => ReceivePolicy::unicast(config.protocol, config.family, config.interval),
    }
}

fn track(facts: &Facts, number: usize, state: TrackState) -> Input {
    let Some(tracker) = facts.config.trackers.get(number).copied() else { return Input::NoNews };
    let failed = facts.tracked.get(number).is_some_and(|known| fails(tracker, *known));
    if fails(tracker, state) {
        return Input::CheckFails;
    }
    if tracker.weight.get() == 0 || failed {
        return if state == TrackState::Unknown { Input::NoNews } else { Input::CheckPasses };
    }
    let mut members = facts.config.members().iter();
    let change = members.find_map(|config| {
        let (before, after) = (facts.priority(config), facts.priority_if(config, number, state));
        (before != after).then_some(after > before)
    });
    match change {
        None => Input::NoNews,
        Some(true) => Input::PriorityRises,
        Some(false) => Input::PriorityFalls,
    }
}
