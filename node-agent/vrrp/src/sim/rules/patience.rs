//! When a backup takes over: after three intervals of silence and its skew, or after its skew when the master has
//! released the addresses (RFC 9568 section 6.4.2). A master that must not be preempted is never deposed.

use std::net::IpAddr;
use std::time::Duration;

use super::facts::{MemberFacts, skew};
use super::succeed::{Origin, collect, former, only};
use super::{Case, Rule, Verdict};
use crate::action::Reason;
use crate::config::{MemberConfig, Preemption};
use crate::event::{Event, Link, MemberIndex};
use crate::sim::probe::{Probe, Probes, Sight};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;
use crate::types::Claim;
use crate::wire::{Advert, ReceivePolicy};

/// What a backup has heard.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    members: Vec<Waiting>,
    /// When a lower master was heard first: the preemption delay runs from then.
    first_lower: Option<Instant>,
    /// Whether a timer event has come since the delay was over.
    delay_over: bool,
    /// Until when a router that resigned leaves any master alone.
    held_down: Option<Instant>,
}

/// What one member waits for. Where the specification leaves a moment open, there is an earliest and a latest end.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    earliest: Deadline,
    latest: Deadline,
    followed: Followed,
}

/// Whose release counts.
#[derive(Clone, Copy, Debug, Default)]
enum Followed {
    /// No master is known, so anybody's does.
    #[default]
    Nobody,
    /// This router's, of this priority.
    Router(IpAddr, u8),
    /// It cannot be told.
    Unknown,
}

/// The end of a wait, for whatever priority.
#[derive(Clone, Copy, Debug, Default)]
struct Deadline {
    /// The last sign of a master that is obeyed, and its interval; `None` if nothing can be said.
    obeyed: Option<(Instant, Duration)>,
    /// When that master released the addresses.
    released: Option<Instant>,
}

/// Whether an advert sets the timer of the backup that hears it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Obedience {
    Obeyed,
    Ignored,
    /// A delay that is over ends with the next timer event: until then the advert may be obeyed, or not.
    Open,
}

const NO_DELAY: Preemption = Preemption::Preempt { delay: Duration::ZERO };

impl Patience {
    pub(super) fn new(members: usize) -> Self {
        Self { members: vec![Waiting::default(); members], first_lower: None, delay_over: false, held_down: None }
    }

    /// What was heard of preemption counts only if all members heard it together.
    pub(super) fn succeed(origins: &[Origin<'_>]) -> Self {
        let only = only(origins).map(|referee| &referee.patience);
        Self {
            members: collect(origins, |referee| &referee.patience.members),
            first_lower: only.and_then(|patience| patience.first_lower),
            delay_over: only.is_some_and(|patience| patience.delay_over),
            held_down: former(origins).filter_map(|referee| referee.patience.held_down).max(),
        }
    }

    pub(super) fn judge(&mut self, case: &Case<'_>, probes: &mut Probes) -> Verdict {
        if case.became(Situation::Master) {
            self.judge_takeover(case, probes)?;
        }
        if case.situation != case.facts.situation || case.stalled {
            self.begin(case);
        }
        if case.situation == Situation::Backup && (case.facts.situation == Situation::Backup || case.stalled) {
            self.hear(case, probes);
            self.judge_waiting(case)?;
        }
        Ok(())
    }

    fn judge_takeover(&self, case: &Case<'_>, probes: &mut Probes) -> Verdict {
        if case.reason() == Some(Reason::AddressOwner) {
            let owner = case.config.members().iter().all(|config| config.priority.is_owner());
            return Rule::Patience.demand(owner, || "takes over at once without being owner".to_owned());
        }
        let delayed = matches!(case.facts.config.preemption, Preemption::Preempt { delay } if !delay.is_zero());
        if delayed && case.reason() == Some(Reason::Preempting) {
            probes.note(Probe::Saw(Sight::DelayedPreemption));
        }
        for ((index, config, _), waiting) in case.facts.parts().zip(&self.members) {
            let earliest = waiting.earliest.end(config, case.facts.priority(config)).unwrap_or(Instant::ZERO);
            Rule::Patience.demand(case.now >= earliest, || {
                format!("{index:?} takes over at {}, not before {earliest}; {self:?}", case.now)
            })?;
        }
        Ok(())
    }

    /// A backup whose members all have waited long enough is master after the next timer event.
    fn judge_waiting(&self, case: &Case<'_>) -> Verdict {
        let waits = |((_, config, member), waiting): ((_, &MemberConfig, &MemberFacts), &Waiting)| {
            member.link == Link::Unknown
                || waiting.latest.end(config, case.facts.priority(config)).is_none_or(|latest| latest > case.now)
        };
        let waits = case.input != Input::Timer || case.facts.parts().zip(&self.members).any(waits);
        Rule::Patience.demand(waits, || format!("is still backup at {}; {self:?}", case.now))
    }

    /// A new state: what was heard before counts no more.
    fn begin(&mut self, case: &Case<'_>) {
        self.forget_lower();
        self.held_down = None;
        for ((_, config, _), waiting) in case.facts.parts().zip(&mut self.members) {
            let deadline = Deadline { obeyed: Some((case.now, config.interval.get())), released: None };
            *waiting = Waiting { earliest: deadline, latest: deadline, followed: Followed::Nobody };
        }
        if case.reason() == Some(Reason::Resigned) {
            self.held_down = Some(case.now.saturating_add(case.facts.longest_handover()));
        }
        let yielded = matches!(case.input, Input::HigherPriority | Input::HigherAddress);
        if let (true, Some(claim)) = (yielded, claim(case)) {
            self.take_in(case, &claim, Obedience::Obeyed);
        }
        if let Event::Reconfigure { .. } = case.event {
            self.doubt();
        }
    }

    /// What a backup hears.
    fn hear(&mut self, case: &Case<'_>, probes: &mut Probes) {
        match case.input {
            Input::Timer => self.end_delays(case),
            Input::LinkUp => self.join(case),
            Input::Release => self.hear_release(case),
            Input::HigherPriority | Input::HigherAddress | Input::LowerAddress => {
                self.forget_lower();
                if let Some(claim) = claim(case) {
                    self.take_in(case, &claim, Obedience::Obeyed);
                }
            }
            Input::LowerPriority => {
                if let Some(claim) = claim(case) {
                    let obedience = self.obedience_to_lower(case, probes);
                    self.take_in(case, &claim, obedience);
                }
            }
            Input::Reconfigure => {
                if case.config.preemption != case.facts.config.preemption {
                    self.forget_lower();
                }
                // Intervals may be others than those that timers were set with.
                self.doubt();
            }
            _ => {}
        }
    }

    /// A member whose interface was not known waits from now on.
    fn join(&mut self, case: &Case<'_>) {
        let Event::Link { member: index, .. } = case.event else { return };
        let unknown = case.facts.member(*index).filter(|(_, member)| member.link == Link::Unknown);
        let Some((config, _)) = unknown else { return };
        let deadline = Deadline { obeyed: Some((case.now, config.interval.get())), released: None };
        for waiting in self.members.iter_mut().skip(usize::from(index.0)).take(1) {
            *waiting = Waiting { earliest: deadline, latest: deadline, followed: Followed::Nobody };
        }
    }

    fn forget_lower(&mut self) {
        self.first_lower = None;
        self.delay_over = false;
    }

    fn end_delays(&mut self, case: &Case<'_>) {
        if let (Some(since), Preemption::Preempt { delay }) = (self.first_lower, case.facts.config.preemption) {
            self.delay_over |= case.now >= since.saturating_add(delay);
        }
        self.held_down = self.held_down.filter(|until| case.now < *until);
    }

    /// A group leaves as a whole, so its release is for all members. Others than the master have nothing to release.
    fn hear_release(&mut self, case: &Case<'_>) {
        let Event::Packet { member, datagram } = case.event else { return };
        let sure = match self.members.get(usize::from(member.0)).map(|waiting| waiting.followed) {
            Some(Followed::Nobody) => true,
            Some(Followed::Router(followed, _)) => followed == datagram.source,
            Some(Followed::Unknown) | None => false,
        };
        for waiting in &mut self.members {
            waiting.earliest.released.get_or_insert(case.now);
            if sure {
                waiting.latest.released.get_or_insert(case.now);
            }
        }
    }

    fn obedience_to_lower(&mut self, case: &Case<'_>, probes: &mut Probes) -> Obedience {
        let since = *self.first_lower.get_or_insert(case.now);
        let delayed = match case.facts.config.preemption {
            Preemption::Preempt { delay } => case.now < since.saturating_add(delay) && !case.facts.is_owner(),
            Preemption::Never => false,
        };
        let held_down = self.held_down.is_some_and(|until| case.now < until);
        if !case.facts.preempts() {
            probes.note(Probe::Saw(Sight::LeftAlone));
        }
        if held_down {
            probes.note(Probe::Saw(Sight::HeldDown));
        }
        if delayed || held_down || !case.facts.preempts() {
            Obedience::Obeyed
        } else if self.held_down.is_none()
            && (self.delay_over || case.facts.config.preemption == NO_DELAY || case.facts.is_owner())
        {
            Obedience::Ignored
        } else {
            Obedience::Open
        }
    }

    fn take_in(&mut self, case: &Case<'_>, claim: &Heard, obedience: Obedience) {
        let Some((config, _)) = case.facts.member(claim.member) else { return };
        let Some(waiting) = self.members.get_mut(usize::from(claim.member.0)) else { return };
        let own = case.facts.priority(config);
        let obeyed = Deadline { obeyed: Some((case.now, claim.interval)), released: None };
        let end = |deadline: &Deadline| deadline.end(config, own);
        // A better master is awaited for as long as its own interval says.
        let outranked = !claim.may_replace(waiting.followed);
        let surely_sooner = end(&obeyed) < end(&waiting.earliest);
        let surely_later = waiting.latest.obeyed.is_some() && end(&obeyed) >= end(&waiting.latest);
        let obedience = match (obedience, waiting.followed) {
            (Obedience::Obeyed, _) if outranked && surely_sooner => return,
            (Obedience::Obeyed, _) if outranked && !surely_later => Obedience::Open,
            (Obedience::Obeyed, Followed::Unknown) => Obedience::Open,
            (obedience, _) => obedience,
        };
        match obedience {
            Obedience::Obeyed => {
                let followed = Followed::Router(claim.sender, claim.priority);
                *waiting = Waiting { earliest: obeyed, latest: obeyed, followed };
            }
            Obedience::Open => *waiting = Waiting { followed: Followed::Unknown, ..Waiting::default() },
            Obedience::Ignored => match waiting.followed {
                // A master that is obeyed stays the one whose release counts, whoever else claims to be it.
                Followed::Router(_, priority) if priority >= own => {}
                Followed::Unknown => {}
                _ => waiting.followed = Followed::Router(claim.sender, claim.priority),
            },
        }
    }

    /// Nothing certain can be said until the next sign of a master.
    fn doubt(&mut self) {
        for waiting in &mut self.members {
            waiting.earliest.obeyed = None;
            waiting.latest.obeyed = None;
        }
    }
}

impl Deadline {
    fn end(&self, config: &MemberConfig, priority: u8) -> Option<Instant> {
        let (since, interval) = self.obeyed?;
        let skew = skew(&config.protocol, priority, interval);
        let silence = since.saturating_add(interval * 3 + skew);
        Some(self.released.map_or(silence, |released| silence.min(released.saturating_add(skew))))
    }
}

/// A claim to be master that a member heard.
pub(super) struct Heard {
    pub(super) member: MemberIndex,
    sender: IpAddr,
    pub(super) priority: u8,
    /// What is learned from it.
    interval: Duration,
}

impl Heard {
    /// Whether the sender is no worse than the master that is followed.
    fn may_replace(&self, followed: Followed) -> bool {
        match followed {
            Followed::Router(address, priority) => (self.priority, self.sender) >= (priority, address),
            Followed::Nobody | Followed::Unknown => true,
        }
    }
}

pub(super) fn claim(case: &Case<'_>) -> Option<Heard> {
    let Event::Packet { member, datagram } = case.event else { return None };
    let (config, _) = case.facts.member(*member)?;
    let policy = ReceivePolicy::unicast(config.protocol, config.family, config.interval);
    let advert = Advert::parse(datagram, &policy).ok()?;
    match advert.claim() {
        Claim::Master(priority) => {
            let (sender, priority, interval) = (datagram.source, priority.get(), advert.interval());
            Some(Heard { member: *member, sender, priority, interval })
        }
        Claim::Release => None,
    }
}
