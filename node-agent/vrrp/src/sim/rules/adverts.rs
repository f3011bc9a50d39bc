//! Adverts are an interval apart, but for answers and to be in step with the group, and claim the priority that the trackers
//! make. Who slept for as long as its peers wait has to be silent.

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
        let before = self.0.clone();
        for (place, schedule) in (0..).zip(&mut self.0) {
            let index = MemberIndex(place);
            // Who is due itself keeps its own schedule once more.
            let pace = pace(case, index, &before).filter(|_| case.now < schedule.next);
            let mut claims = case.actions.iter().filter_map(|action| match action {
                Action::SendAdvert { member, claim: Claim::Master(priority) } if *member == index => Some(*priority),
                _ => None,
            });
            if let Some(priority) = claims.next() {
                let expected = priority_after(case, index);
                Rule::Advert.demand(priority.get() == expected, || format!("claims {priority}, not {expected}"))?;
                schedule.send(case, index, pace)?;
            }
            Rule::Advert.demand(claims.next().is_none(), || format!("{index:?} sends two adverts at once"))?;
            schedule.follow(case, index, pace)?;
        }
        Ok(())
    }
}

impl Schedule {
    fn send(&mut self, case: &Case<'_>, index: MemberIndex, pace: Option<Instant>) -> Verdict {
        let Some(interval) = interval_of(case, index) else { return Ok(()) };
        let Schedule { last, next } = *self;
        let was_master = case.facts.situation == Situation::Master && !case.stalled;
        self.last = Some(Sent { at: case.now, interval });
        self.next = case.now.saturating_add(interval);
        if pace.is_some() {
            return Ok(());
        }
        if was_master && case.input == Input::Timer {
            self.next = after(next, interval, case.now);
            return Rule::Advert
                .demand(case.now >= next, || format!("{index:?} advertises at {}, before {next}", case.now));
        }
        let least = interval / ANSWERS_PER_INTERVAL;
        let too_soon = last.is_some_and(|sent| case.now.saturating_since(sent.at) < least);
        let answer = was_master && case.input.is_packet();
        Rule::Advert.demand(!(answer && too_soon), || format!("{index:?} answers again within {least:?}"))
    }

    /// What the schedule looks like after the event, and whether it was kept.
    fn follow(&mut self, case: &Case<'_>, index: MemberIndex, pace: Option<Instant>) -> Verdict {
        if case.situation != Situation::Master {
            *self = Self::default();
            return Ok(());
        }
        let Some(interval) = interval_of(case, index) else { return Ok(()) };
        if let Event::Reconfigure { .. } = case.event {
            self.next = self.next.min(case.now.saturating_add(interval));
        }
        let silent = self.last.map(|sent| case.now.saturating_since(sent.at));
        self.next = pace.unwrap_or(self.next);
        let in_step = pace.is_none() || silent == Some(Duration::ZERO);
        Rule::Advert.demand(in_step, || format!("{index:?} does not advertise with the first of its interval"))?;
        if silent.is_none() && case.group.link(index) == Link::Unknown {
            // It joins its group when its interface is known.
            return Ok(());
        }
        let overdue = case.input == Input::Timer && silent.is_none_or(|silent| silent >= interval);
        Rule::Advert.demand(!overdue, || format!("{index:?} is silent for {silent:?} at an interval of {interval:?}"))
    }
}

/// When the next advert of the timer is due that follows one which was due at `due`.
fn after(due: Instant, interval: Duration, now: Instant) -> Instant {
    let on_schedule = due.saturating_add(interval);
    if on_schedule > now { on_schedule } else { now.saturating_add(interval) }
}

/// Members with one interval advertise with the first of them. If that one was due now: when its next advert is.
fn pace(case: &Case<'_>, index: MemberIndex, schedules: &[Schedule]) -> Option<Instant> {
    let was_master = case.facts.situation == Situation::Master && !case.stalled;
    if !was_master || case.input != Input::Timer {
        return None;
    }
    let interval = interval_of(case, index)?;
    let mut members = (0..).map(MemberIndex).zip(schedules).filter(|(_, schedule)| schedule.last.is_some());
    let (first, schedule) = members.find(|(other, _)| interval_of(case, *other) == Some(interval))?;
    let has_joined = members.any(|(other, _)| other == index);
    (first != index && has_joined && schedule.next <= case.now).then(|| after(schedule.next, interval, case.now))
}

fn interval_of(case: &Case<'_>, index: MemberIndex) -> Option<Duration> {
    case.config.members().get(usize::from(index.0)).map(|config| config.interval.get())
}
