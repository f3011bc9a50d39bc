//! Two masters of equal priority: the lower address yields (RFC 9568 section 6.4.3).
//!
//! A group has one answer, that of its first member. A later member has a say only if the earlier ones hear nothing of
//! the other master: after an interval of the other's in which none of them has won.

use std::time::Duration;

use super::succeed::{Origin, collect};
use super::{Case, Rule, Verdict};
use crate::event::{Event, MemberIndex};
use crate::sim::table::{Input, Situation};
use crate::time::Instant;
use crate::wire::{Advert, ReceivePolicy};

/// What each member knows of a tie.
#[derive(Clone, Debug)]
pub(super) struct Ties(Vec<Tie>);

#[derive(Clone, Copy, Debug, Default)]
struct Tie {
    /// When a master of equal priority and lower address was heard last.
    won: Option<Instant>,
    /// Since when one with a higher address is heard.
    losing: Option<Instant>,
}

impl Ties {
    pub(super) fn new(members: usize) -> Self {
        Self(vec![Tie::default(); members])
    }

    pub(super) fn succeed(origins: &[Origin<'_>]) -> Self {
        Self(collect(origins, |referee| &referee.ties.0))
    }

    pub(super) fn judge(&mut self, case: &Case<'_>) -> Verdict {
        if case.situation_before() != Situation::Master || case.became(Situation::Master) {
            self.0.fill(Tie::default());
            return Ok(());
        }
        let Event::Packet { member, .. } = case.event else { return Ok(()) };
        match case.input {
            Input::LowerAddress => {
                self.0.iter_mut().skip(usize::from(member.0)).take(1).for_each(|tie| tie.won = Some(case.now));
                Ok(())
            }
            Input::HigherAddress => {
                let (lost, yields) = (self.loses(case, *member), case.situation == Situation::Backup);
                Rule::Tie.demand(lost == yields, || format!("{member:?}: lost: {lost}, yields: {yields}; {self:?}"))
            }
            _ => Ok(()),
        }
    }

    fn loses(&mut self, case: &Case<'_>, index: MemberIndex) -> bool {
        let (won, interval) = (self.won_before(case, index), interval_of_the_other(case));
        let Some(tie) = self.0.get_mut(usize::from(index.0)) else { return true };
        if won {
            tie.losing = None;
            return false;
        }
        let fresh = |since: &Instant| case.now.saturating_since(*since) < interval * 3;
        let since = tie.losing.filter(fresh).unwrap_or(case.now);
        tie.losing = Some(since);
        index.0 == 0 || case.now.saturating_since(since) >= interval
    }

    fn won_before(&self, case: &Case<'_>, index: MemberIndex) -> bool {
        let mut earlier = case.facts.parts().zip(&self.0).take(usize::from(index.0));
        earlier.any(|((_, config, _), tie)| {
            tie.won.is_some_and(|won| case.now.saturating_since(won) < config.interval.get() * 3)
        })
    }
}

fn interval_of_the_other(case: &Case<'_>) -> Duration {
    let Event::Packet { member, datagram } = case.event else { return Duration::ZERO };
    let Some((config, _)) = case.facts.member(*member) else { return Duration::ZERO };
    let policy = ReceivePolicy::unicast(config.protocol, config.family, config.interval);
    Advert::parse(datagram, &policy).map_or(Duration::ZERO, |advert| advert.interval())
}
