//! When a backup may take over: after three intervals of silence and its skew, or after its skew when the master has
//! released the addresses (RFC 9568 section 6.4.2). A master that must not be preempted is never deposed.

use std::time::Duration;

use super::facts::{longest_handover, skew};
use super::{Case, Rule, Verdict};
use crate::action::Reason;
use crate::config::Preemption;
use crate::event::{Event, MemberIndex};
use crate::sim::probe::{Probe, Probes, Sight};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;
use crate::types::{Claim, Protocol};
use crate::wire::Advert;

/// What a backup has heard.
#[derive(Clone, Debug)]
pub(super) struct Patience {
    members: Vec<Waiting>,
    /// When a lower master was heard first: the preemption delay runs from then.
    first_lower: Option<Instant>,
    /// Until when a router that resigned leaves any master alone.
    held_down: Option<Instant>,
}

/// What one member waits for.
#[derive(Clone, Copy, Debug, Default)]
struct Waiting {
    /// The last sign of a master that is obeyed, and its interval; `None` if nothing certain can be said.
    obeyed: Option<(Instant, Duration)>,
    released: Option<Instant>,
}

impl Patience {
    pub(super) fn new(members: usize) -> Self {
        Self { members: vec![Waiting::default(); members], first_lower: None, held_down: None }
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
        }
        Ok(())
    }

    fn judge_takeover(&self, case: &Case<'_>, probes: &mut Probes) -> Verdict {
        if case.reason() == Some(Reason::AddressOwner) {
            return Rule::Patience
                .demand(case.facts.is_owner(), || "takes over at once without being owner".to_owned());
        }
        let delayed = matches!(case.facts.config.preemption, Preemption::Preempt { delay } if !delay.is_zero());
        if delayed && case.reason() == Some(Reason::Preempting) {
            probes.note(Probe::Saw(Sight::DelayedPreemption));
        }
        for ((index, config, _), waiting) in case.facts.parts().zip(&self.members) {
            let priority = case.facts.priority(config);
            let earliest = waiting.earliest(&config.protocol, priority);
            Rule::Patience.demand(case.now >= earliest, || {
                format!("{index:?} takes over at {}, not before {earliest}; {waiting:?}, {self:?}", case.now)
            })?;
        }
        Ok(())
    }

    /// A new state: what was heard before counts no more.
    fn begin(&mut self, case: &Case<'_>) {
        self.first_lower = None;
        self.held_down = None;
        for ((_, config, _), waiting) in case.facts.parts().zip(&mut self.members) {
            *waiting = Waiting { obeyed: Some((case.now, config.interval.get())), released: None };
        }
        if case.reason() == Some(Reason::Resigned) {
            let bounds =
                case.facts.parts().map(|(_, config, _)| longest_handover(&config.protocol, config.interval.get()));
            self.held_down = bounds.max().map(|bound| case.now.saturating_add(bound));
        }
        let yielded = matches!(case.input, Input::HigherPriority | Input::HigherAddress);
        if let (true, Some((index, _, interval))) = (yielded, claim(case)) {
            self.obey(case, index, interval);
        }
        if let Event::Reconfigure { .. } = case.event {
            self.doubt();
        }
    }

    /// What a backup hears.
    fn hear(&mut self, case: &Case<'_>, probes: &mut Probes) {
        match case.input {
            Input::Release => self.members.iter_mut().for_each(|member| {
                member.released.get_or_insert(case.now);
            }),
            Input::HigherPriority | Input::HigherAddress | Input::LowerAddress => {
                self.first_lower = None;
                if let Some((index, _, interval)) = claim(case) {
                    self.obey(case, index, interval);
                }
            }
            Input::LowerPriority => self.hear_lower(case, probes),
            // Intervals may be others than those that timers were set with.
            Input::Reconfigure => self.doubt(),
            _ => {}
        }
    }

    fn hear_lower(&mut self, case: &Case<'_>, probes: &mut Probes) {
        let Some((index, _, interval)) = claim(case) else { return };
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
            self.obey(case, index, interval);
        }
    }

    fn obey(&mut self, case: &Case<'_>, index: MemberIndex, interval: Duration) {
        if let Some(waiting) = self.members.get_mut(usize::from(index.0)) {
            *waiting = Waiting { obeyed: Some((case.now, interval)), released: None };
        }
    }

    /// Nothing certain can be said until the next sign of a master.
    fn doubt(&mut self) {
        self.members.iter_mut().for_each(|member| member.obeyed = None);
    }
}

impl Waiting {
    fn earliest(&self, protocol: &Protocol, priority: u8) -> Instant {
        let Some((since, interval)) = self.obeyed else { return Instant::ZERO };
        let skew = skew(protocol, priority, interval);
        let silence = since.saturating_add(interval * 3 + skew);
        self.released.map_or(silence, |released| silence.min(released.saturating_add(skew)))
    }
}

/// The member that heard a claim, the priority in it, and the interval that is learned from it.
fn claim(case: &Case<'_>) -> Option<(MemberIndex, u8, Duration)> {
    let Event::Packet { member, datagram } = case.event else { return None };
    let (config, _) = case.facts.member(*member)?;
    let policy = crate::wire::ReceivePolicy::unicast(config.protocol, config.family, config.interval);
    let advert = Advert::parse(datagram, &policy).ok()?;
    match advert.claim() {
        Claim::Master(priority) => Some((*member, priority.get(), advert.interval())),
        Claim::Release => None,
    }
}
