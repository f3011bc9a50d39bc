//! Who held an address, round by round, as a second host saw it. Pure: it is given times and answers, and computes.

use std::collections::BTreeSet;
use std::fmt;
use std::time::{Duration, Instant};

use super::mac::Mac;

/// One question "who has it?" and the stations that answered before the next one.
#[derive(Clone, Debug)]
pub struct Round {
    /// When the question was sent.
    pub asked: Instant,
    /// Ethernet addresses of those who answered.
    pub holders: BTreeSet<Mac>,
}

/// All rounds in the order of their asking.
#[derive(Clone, Debug)]
pub struct HolderReport {
    rounds: Vec<Round>,
    period: Duration,
}

impl HolderReport {
    /// `period` is the time between two rounds: the resolution of every figure below.
    pub fn new(rounds: Vec<Round>, period: Duration) -> Self {
        Self { rounds, period }
    }

    /// The longest time in one piece in which two or more stations answered.
    pub fn longest_with_two(&self) -> Duration {
        self.longest(|round| round.holders.len() >= 2)
    }

    /// The longest time in one piece in which nobody answered.
    pub fn longest_with_none(&self) -> Duration {
        self.longest(|round| round.holders.is_empty())
    }

    /// True if `old` answered before `event`, and `new` after it and for longer than `old`: the watch has seen the address
    /// move, and not just nothing.
    pub fn moved(&self, event: Instant, old: Mac, new: Mac) -> bool {
        let seen_before = self.rounds.iter().any(|round| round.asked < event && round.holders.contains(&old));
        seen_before && self.held_until(event, new) > self.held_until(event, old)
    }

    /// Time from `event` to the last round after it that `mac` answered; zero if it answered none.
    pub fn held_until(&self, event: Instant, mac: Mac) -> Duration {
        let last = self.after(event).filter(|round| round.holders.contains(&mac)).last();
        last.map(|round| round.asked.duration_since(event)).unwrap_or_default()
    }

    /// Time from `event` to the first round after it that `mac` answered.
    pub fn held_from(&self, event: Instant, mac: Mac) -> Option<Duration> {
        let first = self.after(event).find(|round| round.holders.contains(&mac));
        first.map(|round| round.asked.duration_since(event))
    }

    /// The stations that answered the last question before a moment; `None` if none was asked within a period before it.
    pub fn answering_at(&self, moment: Instant) -> Option<&BTreeSet<Mac>> {
        let after = self.rounds.partition_point(|round| round.asked <= moment);
        let round = self.rounds.get(after.checked_sub(1)?)?;
        (moment.duration_since(round.asked) < self.period * 2).then_some(&round.holders)
    }

    /// The first round, and each in which others answered than in the one before.
    pub fn changes(&self) -> impl Iterator<Item = &Round> {
        let mut last = None;
        self.rounds.iter().filter(move |round| last.replace(&round.holders) != Some(&round.holders))
    }

    /// Rounds asked.
    pub fn rounds(&self) -> usize {
        self.rounds.len()
    }

    fn after(&self, event: Instant) -> impl Iterator<Item = &Round> {
        self.rounds.iter().filter(move |round| round.asked >= event)
    }

    /// Each round stands for one period; runs are measured from the first question to one period after the last.
    fn longest(&self, holds: impl Fn(&Round) -> bool) -> Duration {
        let mut longest = Duration::ZERO;
        let mut began = None;
        for round in &self.rounds {
            if holds(round) {
                let began = *began.get_or_insert(round.asked);
                longest = longest.max(round.asked.duration_since(began) + self.period);
            } else {
                began = None;
            }
        }
        longest
    }
}

impl fmt::Display for HolderReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (two, none) = (self.longest_with_two(), self.longest_with_none());
        write!(out, "{} rounds, longest with two holders {two:?}, with none {none:?}", self.rounds.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_millis(20);
    const A: Mac = Mac::of_host(0, 1);
    const B: Mac = Mac::of_host(0, 2);

    fn report(start: Instant, rounds: &[&[Mac]]) -> HolderReport {
        let round = |(index, holders): (usize, &&[Mac])| Round {
            asked: start + PERIOD * u32::try_from(index).unwrap(),
            holders: holders.iter().copied().collect(),
        };
        HolderReport::new(rounds.iter().enumerate().map(round).collect(), PERIOD)
    }

    #[test]
    fn a_handover_with_two_holders_and_then_none_is_measured() {
        let start = Instant::now();
        let report = report(start, &[&[A], &[A, B], &[A, B], &[B], &[], &[B], &[A, B]]);
        assert_eq!(report.longest_with_two(), PERIOD * 2);
        assert_eq!(report.longest_with_none(), PERIOD);
        assert_eq!(report.held_from(start, B), Some(PERIOD));
        assert_eq!(report.held_until(start, A), PERIOD * 6);
        assert_eq!(report.held_until(start + PERIOD * 3, Mac::ZERO), Duration::ZERO);
    }

    #[test]
    fn an_address_has_moved_only_if_the_old_holder_was_seen_before_and_the_new_one_last() {
        let start = Instant::now();
        let event = start + PERIOD;
        let table: [(&[&[Mac]], bool); 6] = [
            (&[&[A], &[A, B], &[B]], true),
            (&[&[A], &[], &[B], &[]], true),
            (&[&[], &[A], &[B]], false),
            (&[&[A], &[A], &[A]], false),
            (&[&[A], &[B], &[A]], false),
            (&[&[A], &[], &[]], false),
        ];
        for (rounds, moved) in table {
            assert_eq!(report(start, rounds).moved(event, A, B), moved, "{rounds:?}");
        }
    }
}
