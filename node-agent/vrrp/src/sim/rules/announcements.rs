//! Addresses are announced on schedule after a takeover, again when somebody else was heard, and no more often: a
//! master must never flood the network.

use std::time::Duration;

use super::succeed::{Origin, collect};
use super::{Case, Rule, Verdict};
use crate::action::Action;
use crate::event::{Event, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;

/// What each member may still announce.
#[derive(Clone, Debug)]
pub(super) struct AnnouncementBudget(Vec<Budget>);

#[derive(Clone, Copy, Debug, Default)]
struct Budget {
    /// Since when the schedule runs: a takeover or a new configuration.
    since: Instant,
    /// Announcements on schedule since then, of the address that had most.
    on_schedule: u64,
    /// When this member became master, or last repeated its announcements because of somebody else.
    fresh: Instant,
    /// Whether somebody else was heard since then: the repetition may have been put off.
    others: bool,
}

/// Repetitions because of others are at least so far apart; what comes earlier is put off.
const LEAST_DISTANCE: Duration = Duration::from_secs(1);

impl AnnouncementBudget {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![Budget::default(); members])
    }

    pub(super) fn succeed(origins: &[Origin<'_>]) -> Self {
        let mut budgets: Vec<Budget> = collect(origins, |referee| &referee.announcements.0);
        // A group repeats its announcements as a whole: for all members because of what one has heard.
        let others = budgets.iter().any(|budget| budget.others);
        for budget in &mut budgets {
            budget.others = others;
        }
        Self(budgets)
    }

    pub(super) fn judge(&mut self, case: &Case<'_>) -> Verdict {
        // Who joins a group repeats its announcements with the others.
        let others = self.0.iter().any(|budget| budget.others);
        for (place, budget) in (0..).zip(&mut self.0) {
            budget.others |= others && case.joins(MemberIndex(place));
            budget.judge(case, MemberIndex(place))?;
        }
        Ok(())
    }
}

/// Somebody else is master too, or says that an address is its own.
fn is_about_others(case: &Case<'_>) -> bool {
    let lower = matches!(case.input, Input::LowerPriority | Input::LowerAddress | Input::HigherAddress);
    case.facts.situation == Situation::Master && (lower || case.input == Input::NeighborClaim)
}

impl Budget {
    fn judge(&mut self, case: &Case<'_>, index: MemberIndex) -> Verdict {
        let announced = most_often(case, index);
        if case.joins(index) {
            *self = Self { since: case.now, fresh: case.now, others: self.others, ..Self::default() };
        } else if case.became(Situation::Master) {
            *self = Self { since: case.now, fresh: case.now, ..Self::default() };
        } else if let Event::Reconfigure { .. } = case.event {
            (self.since, self.on_schedule) = (case.now, 0);
        }
        self.others |= is_about_others(case);
        if announced == 0 {
            return Ok(());
        }
        Rule::Announcement
            .demand(case.situation == Situation::Master, || format!("{index:?} announces in {:?}", case.situation))?;
        match case.input {
            Input::Timer if !case.became(Situation::Master) => self.by_timer(case, index, announced),
            _ if is_about_others(case) => self.because_of_others(case, index),
            _ => Rule::Announcement.demand(announced == 1, || format!("{index:?} announces {announced} times at once")),
        }
    }

    fn by_timer(&mut self, case: &Case<'_>, index: MemberIndex, announced: u64) -> Verdict {
        let Some((config, _)) = case.facts.member(index) else { return Ok(()) };
        let schedule = config.announcements;
        let elapsed = case.now.saturating_since(self.since);
        let refreshes = schedule.refresh.map_or(0, |refresh| elapsed.as_nanos() / refresh.as_nanos().max(1) + 1);
        let put_off = if self.others { elapsed.as_nanos() / LEAST_DISTANCE.as_nanos() + 1 } else { 0 };
        let most = u128::from(schedule.count) + refreshes + put_off;
        self.on_schedule += announced;
        Rule::Announcement.demand(u128::from(self.on_schedule) <= most, || {
            format!("{index:?} has announced {} times within {elapsed:?}, {most} at most", self.on_schedule)
        })
    }

    fn because_of_others(&mut self, case: &Case<'_>, index: MemberIndex) -> Verdict {
        let since = case.now.saturating_since(self.fresh);
        self.fresh = case.now;
        Rule::Announcement
            .demand(since >= LEAST_DISTANCE, || format!("{index:?} repeats its announcements after {since:?}"))
    }
}

/// How often the most announced address of a member is announced.
fn most_often(case: &Case<'_>, index: MemberIndex) -> u64 {
    let Some(config) = case.config.members().get(usize::from(index.0)) else { return 0 };
    let announced = |address| {
        let wanted = Action::Announce { member: index, address };
        case.actions.iter().filter(|action| **action == wanted).count() as u64
    };
    config.addresses.iter().map(|address| announced(*address)).max().unwrap_or_default()
}
