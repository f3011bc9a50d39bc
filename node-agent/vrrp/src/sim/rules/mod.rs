//! What must never happen. Every event that a group handles is judged, by rules that know the specification but not
//! the code: they see what went in, what came out, and what can be asked from outside.
//!
//! | file | judges |
//! | --- | --- |
//! | `facts.rs` | nothing: it keeps what the rules have to remember |
//! | `classify.rs` | nothing: it names what happened |
//! | `order.rs` | phases, timers, the state table, silence after a stop |
//! | `patience.rs` | when a backup may take over |
//! | `tie.rs` | who yields when priorities are equal |
//! | `takeover.rs` | what a takeover and a farewell consist of, resigning |
//! | `adverts.rs` | how often adverts are sent and what they claim |
//! | `addresses.rs` | adding and removing, holding for a successor |
//! | `announcements.rs` | how often addresses are announced |
//! | `strangers.rs` | that who has no say moves nothing |
//! | `succeed.rs` | nothing: it remembers for groups that are made of others |
//!
//! What concerns several nodes at once is judged by the world itself.

mod addresses;
mod adverts;
mod announcements;
mod classify;
mod facts;
mod order;
mod patience;
mod strangers;
mod succeed;
mod takeover;
mod tie;

use std::fmt;

pub(super) use classify::Truth;
pub(super) use facts::Facts;
pub(super) use facts::{GRACE, skew};
pub(super) use succeed::Origin;

use self::addresses::Handover;
use self::adverts::AdvertSchedule;
use self::announcements::AnnouncementBudget;
use self::patience::Patience;
use self::tie::Ties;
use super::probe::{Deed, Probe, Probes, Sight};
use super::table::{Input, Situation};
use crate::action::{Action, Notice, Reason, State};
use crate::config::{GroupConfig, Transport};
use crate::event::{Epoch, Event, Link, MemberIndex};
use crate::group::Group;
use crate::time::Instant;
use crate::tracking::TrackState;

/// A rule of the simulated world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Rule {
    /// Actions of one call come in non-decreasing phase.
    PhaseOrder,
    /// Only the outcomes of the state table come about.
    StateTable,
    /// A group that was stopped does nothing but release addresses; one that was not started does nothing.
    Silence,
    /// After a timer event the next deadline lies ahead; a backup and a master always have one.
    Deadline,
    /// A timer event that comes early changes nothing.
    EarlyTimer,
    /// A backup bears three intervals of silence and its skew, or its skew after a release; it leaves alone a master
    /// that it may not preempt.
    Patience,
    /// Of two masters of equal priority the one with the lower address yields; in a group the first member that hears
    /// of a tie decides.
    Tie,
    /// A takeover sends an advert, adds every address and announces it; so does a member that joins a master.
    Takeover,
    /// A master that leaves by itself says so.
    Farewell,
    /// A master that a tracker put below its rival resigns, and no other does.
    Resignation,
    /// Adverts are an interval apart, but for answers; they claim the priority that the trackers make.
    Advert,
    /// A master that slept while others took over says nothing before it has stepped down, and no other steps down.
    Stall,
    /// Addresses are added and removed in turn, and the group's account of them is right.
    Balance,
    /// Addresses are kept until a successor answers or a bound has passed, and not longer.
    Handover,
    /// Addresses are announced on schedule, and no more often.
    Announcement,
    /// Routers that are no peers, own packets and broken packets change nothing.
    Strangers,
    /// Who has a cause of a fault is in that state, and who does not know yet waits.
    FaultNoticed,
    /// A master's kernel has every address.
    MasterHolds,
    /// A kernel has no address whose group is not master, unless its removal is due.
    OthersLetGo,
    /// Two masters that hear each other stay so no longer than a bound.
    Overlap,
    /// A silent master is replaced when strict fencing has silenced its kernel, and before overlapping fencing has.
    Fence,
    /// Within a bound after the last fault the best of the core is master, and nobody else.
    Convergence,
    /// What was agreed on stays.
    Stability,
    /// Virtual routers that are regrouped go on as they were.
    Regrouping,
    /// A run comes to its end.
    Progress,
    /// What the group asks for can be written.
    Encoding,
}

/// A rule that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub rule: Rule,
    /// How.
    pub how: String,
}

pub(super) type Verdict = Result<(), Broken>;

/// One event that a group has handled.
pub(super) struct Case<'a> {
    pub(super) now: Instant,
    pub(super) event: &'a Event<'a>,
    pub(super) input: Input,
    /// What was known before the event.
    pub(super) facts: &'a Facts,
    pub(super) before: Standing,
    /// The group afterwards.
    pub(super) group: &'a Group,
    /// What it is configured to be, afterwards.
    pub(super) config: &'a GroupConfig,
    pub(super) after: Standing,
    pub(super) situation: Situation,
    pub(super) actions: &'a [Action],
    /// Whether the group was master and had slept too long.
    pub(super) stalled: bool,
}

/// What is asked of a group before and after it handles an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Standing {
    pub(super) state: State,
    pub(super) epoch: Epoch,
    pub(super) deadline: Option<Instant>,
}

/// One event, what it is to the group that handles it, and how the group stood before and stands after.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handled<'a> {
    pub(super) now: Instant,
    pub(super) event: &'a Event<'a>,
    pub(super) input: Input,
    pub(super) before: Standing,
    pub(super) after: Standing,
}

/// Judges one group.
#[derive(Clone, Debug)]
pub(super) struct Referee {
    facts: Facts,
    patience: Patience,
    adverts: AdvertSchedule,
    announcements: AnnouncementBudget,
    handover: Handover,
    ties: Ties,
}

// === impl Broken ===

impl fmt::Display for Broken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {}", self.rule, self.how)
    }
}

impl Rule {
    /// The rule was broken, and how.
    pub(super) fn broken<T>(self, how: impl Into<String>) -> Result<T, Broken> {
        Err(Broken { rule: self, how: how.into() })
    }

    /// The rule holds if `kept`.
    pub(super) fn demand(self, kept: bool, how: impl FnOnce() -> String) -> Verdict {
        if kept { Ok(()) } else { self.broken(how()) }
    }
}

// === impl Case ===

impl Case<'_> {
    /// Where the group stood when the event reached it: a master that had slept too long is a backup by then.
    fn situation_before(&self) -> Situation {
        if self.stalled { Situation::Backup } else { self.facts.situation }
    }

    fn became(&self, situation: Situation) -> bool {
        self.facts.situation != situation && self.situation == situation
    }

    /// Whether a member begins to take part in what its group does as master.
    fn joins(&self, index: MemberIndex) -> bool {
        let Event::Link { member, link: Link::Up { .. } } = self.event else { return false };
        let unknown = self.facts.member(index).is_some_and(|(_, facts)| facts.link == Link::Unknown);
        *member == index && unknown && self.facts.situation == Situation::Master && self.situation == Situation::Master
    }

    /// What the kernel refused, if that has just become a fault.
    fn refused(&self) -> Option<Reason> {
        match self.input {
            Input::AddressRefused if self.situation == Situation::Fault => Some(Reason::AddressFailed),
            Input::SendRefused if self.became(Situation::Fault) => Some(Reason::SendFailed),
            _ => None,
        }
    }

    /// Why the state changed last in this call.
    fn reason(&self) -> Option<Reason> {
        self.actions.iter().rev().find_map(|action| match action {
            Action::Notify(Notice::StateChanged { reason, .. }) => Some(*reason),
            _ => None,
        })
    }
}

// === impl Referee ===

impl Referee {
    pub(super) fn new(facts: Facts) -> Self {
        let members = facts.members.len();
        Self {
            facts,
            patience: Patience::new(members),
            adverts: AdvertSchedule::new(members),
            announcements: AnnouncementBudget::new(members),
            handover: Handover::new(members),
            ties: Ties::new(members),
        }
    }

    pub(super) fn facts(&self) -> &Facts {
        &self.facts
    }

    /// Whether the group is a master that has slept too long.
    pub(super) fn is_stalled(&self, now: Instant) -> bool {
        self.facts.situation == Situation::Master && self.adverts.slept_too_long(now)
    }

    /// What an event is to the group as it stands. To be asked before the group handles it.
    pub(super) fn classify(&self, before: &Standing, event: &Event<'_>, truth: Truth) -> Input {
        classify::input(&self.facts, before, event, truth)
    }

    /// Judges an event that the group has just handled, and remembers it.
    pub(super) fn judge(
        &mut self,
        handled: Handled<'_>,
        group: &Group,
        actions: &[Action],
        probes: &mut Probes,
    ) -> Verdict {
        let Handled { now, event, input, before, after } = handled;
        let facts = &self.facts;
        let stalled = self.is_stalled(now);
        // A master that slept is none any more when the report reaches it.
        let input = if stalled && input == Input::AddressRefused { Input::OutdatedRefusal } else { input };
        let situation = facts.situation_after(event, after.state);
        let config = match event {
            Event::Reconfigure { config, .. } => config,
            _ => &facts.config,
        };
        let case = Case { now, event, input, facts, before, group, config, after, situation, actions, stalled };
        note(&case, probes);
        order::judge(&case)?;
        strangers::judge(&case)?;
        takeover::judge(&case)?;
        self.ties.judge(&case)?;
        self.patience.judge(&case, probes)?;
        self.adverts.judge(&case)?;
        self.announcements.judge(&case)?;
        let held = self.handover.judge(&case)?;
        let became_backup = case.situation == Situation::Backup && (case.became(Situation::Backup) || stalled);
        let refused = case.refused();
        let before = self.facts.situation;
        // Who has not been started takes no part, and does not listen.
        let heard = patience::claim(&case).filter(|_| input.is_claim() && before != Situation::New);
        self.facts.learn(event, situation, held);
        self.facts.refused = refused.or(self.facts.refused);
        if became_backup {
            self.facts.forget_heard();
        }
        if let Some(heard) = heard {
            self.facts.hear(heard.member, heard.priority);
        }
        self.facts.judge(before, group.reason())
    }
}

fn note(case: &Case<'_>, probes: &mut Probes) {
    if case.stalled {
        probes.note(Probe::Saw(Sight::StalledMaster));
    } else {
        probes.note(Probe::Cell(case.facts.situation, case.input, case.situation));
    }
    for action in case.actions {
        probes.note(Probe::Did(Deed::of(action)));
        if let Action::Notify(Notice::StateChanged { reason, .. }) = action {
            probes.note(Probe::Because(*reason));
        }
    }
    if let Event::Track { tracker, state: TrackState::Value(value) } = case.event
        && *value != 0
        && case.facts.config.trackers.get(*tracker).is_some_and(|tracker| tracker.weight.get() != 0)
    {
        let failed = case.input == Input::CheckFails;
        probes.note(Probe::Saw(if failed { Sight::ValueFailed } else { Sight::ValueCounted }));
    }
    if let Event::Packet { member, datagram } = case.event
        && let (true, Some(config)) = (case.input.is_claim(), case.config.members().get(usize::from(member.0)))
        && datagram.destination.is_multicast() != (config.transport == Transport::Multicast)
    {
        probes.note(Probe::Saw(Sight::OtherTransport));
    }
    let deaf = case.group.deaf_members().count();
    if deaf > 0 && deaf < case.facts.members.len() {
        probes.note(Probe::Saw(Sight::DeafMember));
    }
}
