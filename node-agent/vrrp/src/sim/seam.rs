//! The seam between a driver and a group, where mutants sit. Without one it passes everything through.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::frame::sealed;
use super::mutant::Mutant;
use crate::action::{Action, Notice, Reason, State};
use crate::config::{GroupConfig, MemberConfig, Preemption, Tracker, Transport};
use crate::event::{Event, Link, MemberIndex};
use crate::group::Group;
use crate::time::Instant;
use crate::timing;
use crate::tracking::TrackState;
use crate::types::{AdvertInterval, Claim, Priority, Protocol};
use crate::wire::{Advert, AdvertRepr, Datagram, EmitError, ReceivePolicy};

/// Passes events in and actions out, bent by a mutant if there is one.
#[derive(Clone, Debug)]
pub(super) struct Seam {
    mutant: Option<Mutant>,
    /// How far the clock that the group sees was put forward.
    ahead: Duration,
    /// Until when lower adverts are kept from a group that resigned.
    resigned_until: Instant,
}

impl Seam {
    pub(super) fn new(mutant: Option<Mutant>) -> Self {
        Self { mutant, ahead: Duration::ZERO, resigned_until: Instant::ZERO }
    }

    /// A seam for a group that is made of the members of others.
    pub(super) fn succeed(former: &[&Self]) -> Self {
        let first = former.first().map_or(Self::new(None), |seam| (*seam).clone());
        former.iter().fold(first, |seam, other| Self {
            mutant: seam.mutant,
            ahead: seam.ahead.max(other.ahead),
            resigned_until: seam.resigned_until.max(other.resigned_until),
        })
    }

    /// The configuration that the group gets to see.
    pub(super) fn config(&self, config: &GroupConfig) -> GroupConfig {
        let Some(mutant) = self.mutant else { return config.clone() };
        let members = config.members().iter().cloned().map(|member| bent_member(mutant, member)).collect();
        let preemption = match (mutant, config.preemption) {
            (Mutant::NeverPreempts, Preemption::Never) | (Mutant::DelayIgnored, Preemption::Preempt { .. }) => {
                Preemption::Preempt { delay: Duration::ZERO }
            }
            (_, preemption) => preemption,
        };
        let straight = |tracker: &Tracker| Tracker { reverse: false, ..*tracker };
        let trackers = match mutant {
            Mutant::ReverseIgnored => config.trackers.iter().map(straight).collect(),
            _ => config.trackers.clone(),
        };
        GroupConfig::new(members, preemption, trackers).unwrap_or_else(|_| config.clone())
    }

    /// The states of trackers that the group gets to see. There is one for each.
    pub(super) fn tracked(&self, config: &GroupConfig, tracked: &[TrackState]) -> Vec<TrackState> {
        let known = tracked.iter().copied().chain(std::iter::repeat(TrackState::Unknown));
        let seen = |(tracker, state): (&Tracker, TrackState)| match (self.mutant, state) {
            (Some(Mutant::ValueCountsOnce), TrackState::Value(_)) => counted_once(state),
            (Some(Mutant::FirstResultNotAwaited), TrackState::Unknown) if !tracker.reverse => TrackState::Up,
            _ if self.hides(*tracker, state) => TrackState::Unknown,
            _ => state,
        };
        config.trackers.iter().zip(known).map(seen).collect()
    }

    fn hides(&self, tracker: Tracker, state: TrackState) -> bool {
        match self.mutant {
            Some(Mutant::PriorityNotTracked) => tracker.weight.get() != 0,
            Some(Mutant::FaultIgnored) => tracker.is_fault(state),
            _ => false,
        }
    }

    pub(super) fn next_deadline(&self, group: &Group) -> Option<Instant> {
        let early = if self.mutant == Some(Mutant::SkewIgnored) { longest_skew(group) } else { Duration::ZERO };
        group.next_deadline().map(|deadline| deadline.saturating_sub(self.ahead).saturating_sub(early))
    }

    pub(super) fn handle(&mut self, group: &mut Group, now: Instant, event: &Event<'_>, actions: &mut Vec<Action>) {
        let Some(mutant) = self.mutant else {
            group.handle(now, *event, actions);
            return;
        };
        if self.swallows(mutant, group, now, event) {
            return;
        }
        let first = actions.len();
        self.handle_bent(mutant, group, now, event, actions);
        let mut added = actions.split_off(first.min(actions.len()));
        self.bend_actions(mutant, group, now, event, &mut added);
        actions.append(&mut added);
    }

    /// Whether the group does not get to see the event.
    fn swallows(&self, mutant: Mutant, group: &Group, now: Instant, event: &Event<'_>) -> bool {
        match (mutant, event) {
            (Mutant::LinkLossIgnored, Event::Link { link: Link::Down, .. })
            | (Mutant::RefusalNotReported, Event::AddressFailed { .. })
            | (Mutant::DeletionNotReported, Event::AddressDeleted { .. })
            | (Mutant::SendFailureNotReported, Event::SendFailed { .. }) => true,
            (_, Event::Track { tracker, state }) => {
                let tracker = group.config().trackers.get(*tracker);
                tracker.is_some_and(|tracker| self.hides(*tracker, *state))
            }
            (_, Event::Packet { member, datagram }) => {
                let Some((config, advert)) = parse(group, *member, datagram) else { return false };
                match (mutant, advert.claim()) {
                    (Mutant::ReleaseIgnored, claim) => claim == Claim::Release,
                    (Mutant::OtherTransportDropped, _) => {
                        datagram.destination.is_multicast() != (config.transport == Transport::Multicast)
                    }
                    (Mutant::ListMismatchDropped, _) => !advert.addresses().eq(config.addresses.iter().copied()),
                    (Mutant::HoldDownMissing, Claim::Master(priority)) => {
                        now < self.resigned_until && Some(priority) < group.priority(*member)
                    }
                    _ => false,
                }
            }
            _ => false,
        }
    }

    fn handle_bent(
        &mut self,
        mutant: Mutant,
        group: &mut Group,
        now: Instant,
        event: &Event<'_>,
        actions: &mut Vec<Action>,
    ) {
        match (mutant, *event) {
            (Mutant::SkewIgnored, event) => {
                let soon = self.next_deadline(group).is_some_and(|deadline| deadline <= now);
                if matches!(event, Event::Timer) && soon {
                    self.ahead += longest_skew(group);
                }
                group.handle(now.saturating_add(self.ahead), event, actions);
            }
            (Mutant::StallUnnoticed, event) => {
                while let Some(missed) = group.next_deadline().filter(|deadline| *deadline <= now) {
                    group.handle(missed, Event::Timer, actions);
                }
                group.handle(now, event, actions);
            }
            (Mutant::ValueCountsOnce, Event::Track { tracker, state }) => {
                group.handle(now, Event::Track { tracker, state: counted_once(state) }, actions);
            }
            (Mutant::NoHandover, Event::Drain) => group.handle(now, Event::Abort, actions),
            (Mutant::OutdatedReportBelieved, Event::AddressFailed { member, address, .. }) => {
                group.handle(now, Event::AddressFailed { member, address, epoch: group.epoch() }, actions);
            }
            (_, Event::Reconfigure { config, trackers }) => {
                let (config, trackers) = (self.config(config), self.tracked(config, trackers));
                group.handle(now, Event::Reconfigure { config: &config, trackers: &trackers }, actions);
            }
            (_, Event::Packet { member, datagram }) => handle_packet(mutant, group, now, member, datagram, actions),
            (_, event) => group.handle(now, event, actions),
        }
    }

    fn bend_actions(
        &mut self,
        mutant: Mutant,
        group: &Group,
        now: Instant,
        event: &Event<'_>,
        actions: &mut Vec<Action>,
    ) {
        let became = |state, actions: &[Action]| {
            let mut changes = actions.iter().filter_map(|action| match action {
                Action::Notify(Notice::StateChanged { to, reason, .. }) => Some((*to, *reason)),
                _ => None,
            });
            changes.next_back().filter(|(to, _)| *to == state).map(|(_, reason)| reason)
        };
        match mutant {
            Mutant::HoldDownMissing if became(State::Backup, actions) == Some(Reason::Resigned) => {
                let bounds = group.config().members().iter();
                let bounds = bounds.map(|config| timing::release_bound(&config.protocol, config.interval.get()));
                self.resigned_until = now.saturating_add(bounds.max().unwrap_or_default());
            }
            Mutant::ReleaseNotSent => {
                actions.retain(|action| !matches!(action, Action::SendAdvert { claim: Claim::Release, .. }));
            }
            Mutant::RemovalForgottenAtFault if group.state() == State::Fault => {
                actions.retain(|action| !matches!(action, Action::RemoveAddress { .. }));
            }
            Mutant::TakeoverNotAnnounced if became(State::Master, actions).is_some() => {
                actions.retain(|action| !matches!(action, Action::Announce { .. }));
            }
            Mutant::PhasesReversed => actions.reverse(),
            Mutant::AnnouncementStorm if group.state() == State::Master => storm(group, event, actions),
            Mutant::TalksAfterStop if group.state() == State::Initialize && matches!(event, Event::Packet { .. }) => {
                let priority = group.priority(MemberIndex(0));
                let claim = priority.map_or(Claim::Release, Claim::Master);
                actions.insert(0, Action::SendAdvert { member: MemberIndex(0), claim });
            }
            _ => {}
        }
    }

    /// Writes an advert of the group.
    pub(super) fn encode(
        &self,
        group: &Group,
        config: &GroupConfig,
        member: MemberIndex,
        claim: Claim,
        (source, destination): (IpAddr, IpAddr),
        buffer: &mut [u8],
    ) -> Result<usize, EmitError> {
        let intended = config.members().get(usize::from(member.0));
        match intended.filter(|_| self.mutant == Some(Mutant::WrongUnit)) {
            Some(config) => repr(config, claim, config.interval).emit(source, destination, buffer),
            None => group.encode(member, claim, source, destination, buffer),
        }
    }
}

/// A value as if it only passed or failed.
fn counted_once(state: TrackState) -> TrackState {
    match state {
        TrackState::Value(0) => TrackState::Up,
        TrackState::Value(_) => TrackState::Down,
        other => other,
    }
}

fn bent_member(mutant: Mutant, config: MemberConfig) -> MemberConfig {
    match mutant {
        Mutant::ResignationMissing => MemberConfig { rival: Some(Priority::MIN), ..config },
        Mutant::UnknownRivalDisregarded => MemberConfig { rival: config.rival.or(Some(Priority::MIN)), ..config },
        Mutant::StrangersObeyed => MemberConfig { known_peers: None, ..config },
        Mutant::WrongUnit => {
            let longer = config.interval.get() * 10;
            let longer = match config.protocol {
                Protocol::V2 { .. } => AdvertInterval::v2(longer.min(Duration::from_secs(255))),
                Protocol::V3 { .. } => AdvertInterval::v3(longer.min(Duration::from_millis(40_950))),
            };
            MemberConfig { interval: longer.unwrap_or(config.interval), ..config }
        }
        _ => config,
    }
}

fn longest_skew(group: &Group) -> Duration {
    if group.state() != State::Backup {
        return Duration::ZERO;
    }
    let members = (0..).map(MemberIndex).zip(group.config().members());
    let skews = members.filter_map(|(index, config)| {
        Some(timing::skew(&config.protocol, group.priority(index)?, config.interval.get()))
    });
    skews.max().unwrap_or_default()
}

fn parse<'a, 'b>(
    group: &'a Group,
    member: MemberIndex,
    datagram: &Datagram<'b>,
) -> Option<(&'a MemberConfig, Advert<'b>)> {
    let config = group.config().members().get(usize::from(member.0))?;
    let policy = ReceivePolicy::unicast(config.protocol, config.family, config.interval);
    Some((config, Advert::parse(datagram, &policy).ok()?))
}

fn repr(config: &MemberConfig, claim: Claim, interval: AdvertInterval) -> AdvertRepr<'_> {
    AdvertRepr {
        vrid: config.virtual_router_id,
        claim,
        protocol: config.protocol,
        interval,
        addresses: &config.addresses,
    }
}

fn handle_packet(
    mutant: Mutant,
    group: &mut Group,
    now: Instant,
    member: MemberIndex,
    datagram: Datagram<'_>,
    actions: &mut Vec<Action>,
) {
    match mutant {
        Mutant::ChecksumIgnored => {
            let payload = sealed((datagram.source, datagram.destination), datagram.payload.to_vec());
            let datagram = Datagram { payload: &payload, ..datagram };
            group.handle(now, Event::Packet { member, datagram }, actions);
        }
        Mutant::IntervalNotLearned => {
            let payload = with_own_interval(group, member, &datagram);
            let payload = payload.as_deref().unwrap_or(datagram.payload);
            let datagram = Datagram { payload, ..datagram };
            group.handle(now, Event::Packet { member, datagram }, actions);
        }
        Mutant::TieBreakFlipped | Mutant::OwnAdvertsObeyed => {
            let link = group.link(member);
            if let Link::Up { source: own } = link {
                let pretended = match mutant {
                    Mutant::TieBreakFlipped if own == datagram.source => own,
                    Mutant::TieBreakFlipped => extreme(own, datagram.source > own),
                    _ if own == datagram.source => extreme(own, false),
                    _ => own,
                };
                group.handle(now, Event::Link { member, link: Link::Up { source: pretended } }, actions);
            }
            group.handle(now, Event::Packet { member, datagram }, actions);
            group.handle(now, Event::Link { member, link }, actions);
        }
        _ => group.handle(now, Event::Packet { member, datagram }, actions),
    }
}

/// The highest or the lowest address of a family.
fn extreme(address: IpAddr, highest: bool) -> IpAddr {
    match (address, highest) {
        (IpAddr::V4(_), true) => Ipv4Addr::from(u32::MAX).into(),
        (IpAddr::V4(_), false) => Ipv4Addr::from(1).into(),
        (IpAddr::V6(_), true) => Ipv6Addr::from(u128::MAX).into(),
        (IpAddr::V6(_), false) => Ipv6Addr::from(1).into(),
    }
}

/// The message as if its sender had our interval.
fn with_own_interval(group: &Group, member: MemberIndex, datagram: &Datagram<'_>) -> Option<Vec<u8>> {
    let (config, advert) = parse(group, member, datagram)?;
    let addresses: Vec<IpAddr> = advert.addresses().collect();
    let repr = AdvertRepr { addresses: &addresses, ..repr(config, advert.claim(), config.interval) };
    let mut buffer = vec![0; repr.length()];
    repr.emit(datagram.source, datagram.destination, &mut buffer).ok()?;
    Some(buffer)
}

/// Announces everything because of a lower master.
fn storm(group: &Group, event: &Event<'_>, actions: &mut Vec<Action>) {
    let Event::Packet { member, datagram } = event else { return };
    let Some((config, advert)) = parse(group, *member, datagram) else { return };
    if matches!(advert.claim(), Claim::Master(priority) if Some(priority) < group.priority(*member)) {
        actions.extend(config.addresses.iter().map(|address| Action::Announce { member: *member, address: *address }));
        actions.sort_by_key(Action::phase);
    }
}
