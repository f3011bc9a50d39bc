//! Adverts are an interval apart, but for answers, and claim the priority that the trackers make. Who slept for as
//! long as its peers wait has to be silent.

use std::time::Duration;

use super::succeed::{Origin, collect};
use super::takeover::priority_after;
use super::{Case, Rule, Verdict};
use crate::action::Action;
use crate::event::{Event, Link, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;
use crate::types::Claim;

/// When each member sent its last advert, and when the next one is due.
#[derive(Clone, Debug)]
pub(super) struct AdvertSchedule(Vec<Schedule>);

#[derive(Clone, Copy, Debug, Default)]
struct Schedule {
    last: Option<Sent>,
    /// The next advert of the timer comes no earlier.
    next: Instant,
}

#[derive(Clone, Copy, Debug)]
struct Sent {
    at: Instant,
    /// The interval that the advert announced: so long its receivers wait, three times.
    interval: Duration,
}

/// Answers may come this many times an interval.
const ANSWERS_PER_INTERVAL: u32 = 8;

impl AdvertSchedule {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![Schedule::default(); members])
    }

    pub(super) fn succeed(origins: &[Origin<'_>]) -> Self {
        Self(collect(origins, |referee| &referee.adverts.0))
    }

    /// Whether a peer may have taken over since the last advert.
    pub(super) fn slept_too_long(&self, now: Instant) -> bool {
        let mut last = self.0.iter().filter_map(|schedule| schedule.last);
        last.any(|sent| now.saturating_since(sent.at) >= sent.interval * 3)
    }

    pub(super) fn judge(&mut self, case: &Case<'_>) -> Verdict {
        for (place, schedule) in (0..).zip(&mut self.0) {
            let index = MemberIndex(place);
            let mut claims = case.actions.iter().filter_map(|action| match action {
                Action::SendAdvert { member, claim: Claim::Master(priority) } if *member == index => Some(*priority),
                _ => None,
            });
            if let Some(priority) = claims.next() {
                let expected = priority_after(case, index);
                Rule::Advert.demand(priority.get() == expected, || format!("claims {priority}, not {expected}"))?;
                schedule.send(case, index)?;
            }
            Rule::Advert.demand(claims.next().is_none(), || format!("{index:?} sends two adverts at once"))?;
            schedule.follow(case, index)?;
        }
        Ok(())
    }
}

impl Schedule {
    fn send(&mut self, case: &Case<'_>, index: MemberIndex) -> Verdict {
        let Some(interval) = interval_of(case, index) else { return Ok(()) };
        let Schedule { last, next } = *self;
        let was_master = case.facts.situation == Situation::Master && !case.stalled;
        self.last = Some(Sent { at: case.now, interval });
        self.next = case.now.saturating_add(interval);
        if was_master && case.input == Input::Timer {
            let on_schedule = next.saturating_add(interval);
            if on_schedule > case.now {
                self.next = on_schedule;
            }
            return Rule::Advert
                .demand(case.now >= next, || format!("{index:?} advertises at {}, before {next}", case.now));
        }
        let least = interval / ANSWERS_PER_INTERVAL;
        let too_soon = last.is_some_and(|sent| case.now.saturating_since(sent.at) < least);
        let answer = was_master && case.input.is_packet();
        Rule::Advert.demand(!(answer && too_soon), || format!("{index:?} answers again within {least:?}"))
    }

    /// What the schedule looks like after the event, and whether it was kept.
    fn follow(&mut self, case: &Case<'_>, index: MemberIndex) -> Verdict {
        if case.situation != Situation::Master {
            *self = Self::default();
            return Ok(());
        }
        let Some(interval) = interval_of(case, index) else { return Ok(()) };
        if let Event::Reconfigure { .. } = case.event {
            self.next = self.next.min(case.now.saturating_add(interval));
        }
        let silent = self.last.map(|sent| case.now.saturating_since(sent.at));
        if silent.is_none() && case.group.link(index) == Link::Unknown {
            // It joins its group when its interface is known.
            return Ok(());
        }
        let overdue = case.input == Input::Timer && silent.is_none_or(|silent| silent >= interval);
        Rule::Advert.demand(!overdue, || format!("{index:?} is silent for {silent:?} at an interval of {interval:?}"))
    }
}

fn interval_of(case: &Case<'_>, index: MemberIndex) -> Option<Duration> {
    case.config.members().get(usize::from(index.0)).map(|config| config.interval.get())
}
