//! Two masters of equal priority: the lower address yields (RFC 9568 section 6.4.3). A group has one answer, that of
//! the first of its members that has heard of the tie lately.

use std::time::Duration;

use super::{Case, Rule, Verdict};
use crate::event::{Event, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;

/// When each member last heard a master of equal priority and lower address.
#[derive(Clone, Debug)]
pub(super) struct Ties(Vec<Option<Instant>>);

impl Ties {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![None; members])
    }

    pub(super) fn judge(&mut self, case: &Case<'_>) -> Verdict {
        let verdict = self.judge_tie(case);
        if case.situation != Situation::Master || case.became(Situation::Master) {
            self.0.fill(None);
        } else if let (Input::LowerAddress, Event::Packet { member, .. }) = (case.input, case.event)
            && let Some(won) = self.0.get_mut(usize::from(member.0))
        {
            *won = Some(case.now);
        }
        verdict
    }

    fn judge_tie(&self, case: &Case<'_>) -> Verdict {
        let (Input::HigherAddress, Event::Packet { member, .. }) = (case.input, case.event) else { return Ok(()) };
        if case.situation_before() != Situation::Master {
            return Ok(());
        }
        let (won, stays) = (self.won_before(case, *member), case.situation == Situation::Master);
        Rule::Tie.demand(won == stays, || format!("{member:?}: an earlier member has won: {won}, but stays: {stays}"))
    }

    fn won_before(&self, case: &Case<'_>, index: MemberIndex) -> bool {
        let silence = |interval: Duration| interval * 3;
        let mut earlier = case.facts.parts().zip(&self.0).take(usize::from(index.0));
        earlier.any(|((_, config, _), won)| {
            won.is_some_and(|won| case.now.saturating_since(won) < silence(config.interval.get()))
        })
    }
}
