//! What the rules remember about a group: its configuration as the operator meant it, and what it was told.

use std::net::IpAddr;
use std::time::Duration;

use super::{Rule, Verdict};
use crate::action::{Reason, State};
use crate::config::{GroupConfig, MemberConfig, Preemption, Tracker};
use crate::event::{Event, Link, MemberIndex};
use crate::sim::table::Situation;
use crate::tracking::TrackState;
use crate::types::Protocol;

/// What is known about a group without asking it.
#[derive(Clone, Debug)]
pub(in crate::sim) struct Facts {
    pub(in crate::sim) config: GroupConfig,
    pub(in crate::sim) tracked: Vec<TrackState>,
    pub(in crate::sim) situation: Situation,
    pub(in crate::sim) members: Vec<MemberFacts>,
    /// What the kernel has refused, while that is a cause of a fault; it may have ended with a timer event since.
    pub(in crate::sim) refused: Option<Reason>,
}

#[derive(Clone, Debug, Default)]
pub(in crate::sim) struct MemberFacts {
    pub(in crate::sim) link: Link,
    /// Whether it is master: it has been told to speak as one.
    pub(in crate::sim) master: bool,
    /// The highest priority that a peer has claimed since the group last became backup.
    pub(in crate::sim) best_heard: Option<u8>,
    /// The addresses that the group asked for and has not released.
    pub(in crate::sim) held: Vec<IpAddr>,
}

impl Facts {
    pub(in crate::sim) fn new(config: GroupConfig, tracked: &[TrackState]) -> Self {
        let members = vec![MemberFacts::default(); config.members().len()];
        let mut facts = Self { config, tracked: Vec::new(), situation: Situation::New, members, refused: None };
        facts.set_tracked(tracked);
        facts
    }

    fn set_tracked(&mut self, tracked: &[TrackState]) {
        let rest = std::iter::repeat(TrackState::Unknown);
        self.tracked = tracked.iter().copied().chain(rest).take(self.config.trackers.len()).collect();
    }

    pub(in crate::sim) fn member(&self, index: MemberIndex) -> Option<(&MemberConfig, &MemberFacts)> {
        let place = usize::from(index.0);
        self.config.members().get(place).zip(self.members.get(place))
    }

    /// All members, with what they are configured to be.
    pub(in crate::sim) fn parts(&self) -> impl Iterator<Item = (MemberIndex, &MemberConfig, &MemberFacts)> {
        let members = self.config.members().iter().zip(&self.members);
        (0..).zip(members).map(|(index, (config, member))| (MemberIndex(index), config, member))
    }

    /// The effective priority: the sum is clamped to 1..=254, and an owner's does not move.
    pub(in crate::sim) fn priority(&self, config: &MemberConfig) -> u8 {
        effective(config.priority.get(), &self.config.trackers, &self.tracked)
    }

    /// The effective priority of a member if one tracker had another state.
    pub(in crate::sim) fn priority_if(&self, config: &MemberConfig, tracker: usize, state: TrackState) -> u8 {
        let mut states = self.tracked.clone();
        if let Some(known) = states.get_mut(tracker) {
            *known = state;
        }
        effective(config.priority.get(), &self.config.trackers, &states)
    }

    /// Whether every member's addresses are the router's own.
    pub(in crate::sim) fn is_owner(&self) -> bool {
        self.config.members().iter().all(|config| config.priority.get() == 255)
    }

    /// Whether a live master of lower priority may be preempted at all. An owner always may (RFC 9568 section 6.1).
    pub(in crate::sim) fn preempts(&self) -> bool {
        self.is_owner() || self.config.preemption != Preemption::Never
    }

    /// How long a group that was master keeps its addresses when it hears of no successor: as long as the lowest live
    /// peer of its slowest member may need, and the time that keepalived takes to answer after its first advert.
    pub(in crate::sim) fn longest_handover(&self) -> Duration {
        let bounds = self.config.members().iter().map(|config| {
            let interval = config.interval.get();
            interval * 3 + skew(&config.protocol, 1, interval) + GRACE
        });
        bounds.max().unwrap_or_default()
    }

    /// Whether something makes the group unfit to be master, as far as it was told.
    pub(in crate::sim) fn has_fault(&self) -> bool {
        let link = self.members.iter().any(|member| member.link == Link::Down);
        link || self.config.trackers.iter().zip(&self.tracked).any(|(tracker, state)| fails(*tracker, *state))
    }

    /// Where the group stands after an event, if that is its state now.
    pub(super) fn situation_after(&self, event: &Event<'_>, state: State) -> Situation {
        match (state, event, self.situation) {
            (State::Initialize, Event::Drain | Event::Abort, _) => Situation::Stopped,
            (State::Initialize, Event::Start, Situation::New) => Situation::Pending,
            (State::Initialize, _, situation @ (Situation::New | Situation::Stopped)) => situation,
            (State::Initialize, ..) => Situation::Pending,
            (State::Fault, ..) => Situation::Fault,
            (State::Backup, ..) => Situation::Backup,
            (State::Master, ..) => Situation::Master,
        }
    }

    /// Takes in what an event said, and what became of it.
    pub(super) fn learn(&mut self, event: &Event<'_>, situation: Situation, held: Vec<Vec<IpAddr>>) {
        self.refused = self.refused.filter(|reason| situation == Situation::Fault && !self.ends(event, *reason));
        self.situation = situation;
        for (member, held) in self.members.iter_mut().zip(held) {
            member.held = held;
        }
        match event {
            Event::Link { member, link } => {
                if let Some(member) = self.members.get_mut(usize::from(member.0)) {
                    member.link = *link;
                }
            }
            Event::Track { tracker, state } => {
                if let Some(known) = self.tracked.get_mut(*tracker) {
                    *known = *state;
                }
            }
            Event::Reconfigure { config, trackers } => {
                self.config = (*config).clone();
                self.set_tracked(trackers);
            }
            _ => {}
        }
        for member in &mut self.members {
            member.master = situation == Situation::Master && matches!(member.link, Link::Up { .. });
        }
    }

    /// Whether an event ends the fault that the kernel's refusal was: what was refused is not asked for any more.
    fn ends(&self, event: &Event<'_>, refused: Reason) -> bool {
        match event {
            Event::Link { member, link } => self.member(*member).is_some_and(|(_, known)| known.link != *link),
            Event::Reconfigure { config, .. } if refused == Reason::AddressFailed => {
                let mut members = self.config.members().iter().zip(config.members());
                members.any(|(old, new)| old.addresses != new.addresses)
            }
            _ => false,
        }
    }

    /// A peer claims to be master.
    pub(super) fn hear(&mut self, index: MemberIndex, priority: u8) {
        if let Some(member) = self.members.get_mut(usize::from(index.0)) {
            member.best_heard = member.best_heard.max(Some(priority));
        }
    }

    /// Whatever was heard before counts no more.
    pub(super) fn forget_heard(&mut self) {
        self.members.iter_mut().for_each(|member| member.best_heard = None);
    }

    /// The first cause of a fault that is known.
    fn cause(&self) -> Option<Reason> {
        let link = self.members.iter().any(|member| member.link == Link::Down);
        let check = self.config.trackers.iter().zip(&self.tracked).any(|(tracker, state)| fails(*tracker, *state));
        match (link, check) {
            (true, _) => Some(Reason::InterfaceDown),
            (false, true) => Some(Reason::CheckFailed),
            (false, false) => self.refused,
        }
    }

    /// Whether a first result is still waited for: of an interface, or of a check that may be a fault.
    fn is_pending(&self) -> bool {
        let mut checks = self.config.trackers.iter().zip(&self.tracked);
        self.members.iter().any(|member| member.link == Link::Unknown)
            || checks.any(|(tracker, state)| tracker.weight.get() == 0 && *state == TrackState::Unknown)
    }

    /// A group with a cause of a fault says so and which, one without leaves that state, and none begins to elect before it knows whether there is one.
    pub(super) fn judge(&self, before: Situation, reason: Reason) -> Verdict {
        let unnoticed = self.situation.is_running() && self.situation != Situation::Fault && self.has_fault();
        let rash = self.situation.is_electing() && !before.is_electing() && self.is_pending();
        let tell = || format!("from {before:?} to {:?} with {self:?}", self.situation);
        Rule::FaultNoticed.demand(!unnoticed && !rash, tell)?;
        let right = self.situation != Situation::Fault || Some(reason) == self.cause();
        Rule::FaultNoticed.demand(right, || format!("in fault because {reason:?}, not {:?}", self.cause()))
    }
}

pub(super) fn effective(base: u8, trackers: &[Tracker], tracked: &[TrackState]) -> u8 {
    if base == 255 {
        return base;
    }
    let sum: i32 = trackers.iter().zip(tracked).map(|(tracker, state)| contribution(*tracker, *state)).sum();
    u8::try_from((i32::from(base) + sum).clamp(1, 254)).unwrap_or(1)
}

/// A positive weight counts while up, a negative one while down, and either as often as a value says; `reverse` turns the
/// sign.
fn contribution(tracker: Tracker, state: TrackState) -> i32 {
    let weight = i32::from(tracker.weight.get()) * if tracker.reverse { -1 } else { 1 };
    match state {
        TrackState::Up if tracker.weight.get() > 0 => weight,
        TrackState::Down if tracker.weight.get() < 0 => weight,
        TrackState::Value(value) => (weight * value).min(253),
        _ => 0,
    }
}

/// Whether a tracker reports a fault: one of weight zero whose check fails, or a value that outweighs every priority.
pub(super) fn fails(tracker: Tracker, state: TrackState) -> bool {
    let good = match state {
        TrackState::Unknown => return false,
        TrackState::Up => true,
        TrackState::Down => false,
        TrackState::Value(_) if tracker.weight.get() != 0 => return contribution(tracker, state) <= -254,
        TrackState::Value(value) => value == 0,
    };
    tracker.weight.get() == 0 && good == tracker.reverse
}

/// `Skew_Time` in nanoseconds: of the interval (RFC 9568), or of a second (RFC 3768).
pub(in crate::sim) fn skew(protocol: &Protocol, priority: u8, interval: Duration) -> Duration {
    let whole = if protocol.version() == 2 { Duration::from_secs(1) } else { interval };
    let nanoseconds = whole.as_nanos() * u128::from(256 - u16::from(priority)) / 256;
    Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
}

/// How long a successor of thousands of addresses gets from its first advert to its last announcement.
pub(in crate::sim) const ANNOUNCEMENT: Duration = Duration::from_millis(300);

/// How long a successor gets until it answers.
pub(in crate::sim) const GRACE: Duration = Duration::from_millis(50);
