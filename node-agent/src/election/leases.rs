//! Which addresses are due for renewal when.
//!
//! The kernel removes an address when its lifetime ends. Within a period, a queue in the order of the last renewals is in
//! the order of the next ones too, and there are only two periods.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use holdfast_vrrp::Instant;

use crate::network::interfaces::Placement;

/// How often an address is renewed: three times within its lifetime.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Period {
    /// Its lifetime is all that takes it from a dead agent.
    #[default]
    Short,
    /// The fence silences a dead agent; the lifetime is for what it leaves behind.
    Long,
}

impl Period {
    /// An address is renewed when it is this old.
    pub(super) const fn length(self) -> Duration {
        match self {
            Self::Short => Duration::from_millis(650),
            Self::Long => Duration::from_secs(10),
        }
    }
}

/// Renewals that are due within this time of each other share a wake-up.
const SLACK: Duration = Duration::from_millis(50);

/// No more are asked for at once: what is ordered after a renewal has to wait for it.
const RENEWALS_AT_ONCE: usize = 64;

/// The addresses that this node holds, by when they were last renewed.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    short: VecDeque<(Instant, Placement)>,
    long: VecDeque<(Instant, Placement)>,
    renewed: HashMap<Placement, (Instant, Period)>,
}

impl Leases {
    /// An address was added or renewed.
    pub(super) fn begin(&mut self, placement: Placement, period: Period, now: Instant) {
        self.renewed.insert(placement, (now, period));
        self.queue(period).push_back((now, placement));
    }

    /// An address is not held any more.
    pub(super) fn end(&mut self, placement: &Placement) {
        self.renewed.remove(placement);
    }

    /// When an address was last renewed.
    pub(super) fn renewed(&self, placement: &Placement) -> Option<Instant> {
        self.renewed.get(placement).map(|(renewed, _)| *renewed)
    }

    /// From now on all are renewed often: the next time as soon as if they always had been.
    pub(super) fn shorten(&mut self) {
        let mut all: Vec<(Instant, Placement)> =
            self.renewed.iter().map(|(placement, (renewed, _))| (*renewed, *placement)).collect();
        all.sort_unstable_by_key(|(renewed, _)| *renewed);
        self.renewed.values_mut().for_each(|(_, period)| *period = Period::Short);
        self.long.clear();
        self.short = all.into();
    }

    /// When the next renewal is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        let due = |leases: &mut Self, period: Period| {
            leases.drop_outdated(period);
            leases.queue(period).front().map(|(renewed, _)| renewed.saturating_add(period.length()))
        };
        [due(self, Period::Short), due(self, Period::Long)].into_iter().flatten().min()
    }

    /// Takes out those that are due, or nearly; they count as renewed now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Placement> {
        let mut due = Vec::new();
        if self.next().is_none_or(|first| now < first) {
            return due;
        }
        for period in [Period::Short, Period::Long] {
            let first = due.len();
            self.take_due_of(period, now.saturating_add(SLACK), &mut due);
            for placement in due.iter().skip(first) {
                self.begin(*placement, period, now);
            }
        }
        due
    }

    fn take_due_of(&mut self, period: Period, horizon: Instant, due: &mut Vec<Placement>) {
        while due.len() < RENEWALS_AT_ONCE {
            self.drop_outdated(period);
            match self.queue(period).front() {
                Some((renewed, placement)) if renewed.saturating_add(period.length()) <= horizon => {
                    due.push(*placement);
                }
                _ => return,
            }
            self.queue(period).pop_front();
        }
    }

    /// Entries of addresses that are gone, or have been renewed since.
    fn drop_outdated(&mut self, period: Period) {
        while let Some((renewed, placement)) = self.queue(period).front().copied() {
            if self.renewed.get(&placement) == Some(&(renewed, period)) {
                return;
            }
            self.queue(period).pop_front();
        }
    }

    fn queue(&mut self, period: Period) -> &mut VecDeque<(Instant, Placement)> {
        match period {
            Period::Short => &mut self.short,
            Period::Long => &mut self.long,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::fence::BROOM;
    use crate::network::interfaces::InterfaceIndex;
    use crate::network::netlink::Lifetime;

    fn placement(last: u8) -> Placement {
        let address = [10, 0, 0, last].into();
        Placement { interface: InterfaceIndex::new(2), address, prefix_length: 32 }
    }

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    #[test]
    fn one_missed_renewal_loses_no_address() {
        assert!(Period::Short.length() * 2 + SLACK < Lifetime::SHORT.as_duration());
        assert!(Period::Long.length() * 2 + SLACK < BROOM);
    }

    #[test]
    fn those_with_a_fence_are_renewed_seldom_until_it_is_lost() {
        let mut leases = Leases::default();
        leases.begin(placement(1), Period::Long, at(0));
        leases.begin(placement(2), Period::Short, at(0));
        assert_eq!(leases.take_due(at(650)), [placement(2)]);
        leases.shorten();
        assert_eq!(leases.next(), Some(at(650)), "the first is overdue");
        assert_eq!(leases.take_due(at(660)), [placement(1)]);
        assert_eq!(leases.next(), Some(at(1_300)));
    }

    #[test]
    fn a_lease_that_changed_its_period_is_due_once() {
        let mut leases = Leases::default();
        leases.begin(placement(1), Period::Short, at(0));
        leases.begin(placement(1), Period::Long, at(100));
        assert_eq!(leases.take_due(at(650)), []);
        assert_eq!(leases.take_due(at(10_100)), [placement(1)]);
    }

    #[test]
    fn an_address_is_due_one_period_after_its_last_renewal() {
        let mut leases = Leases::default();
        leases.begin(placement(1), Period::Short, at(0));
        assert_eq!(leases.next(), Some(at(650)));
        assert_eq!(leases.take_due(at(649)), []);
        assert_eq!(leases.take_due(at(650)), [placement(1)]);
        assert_eq!(leases.next(), Some(at(1_300)));
    }

    #[test]
    fn those_that_are_nearly_due_come_along() {
        let mut leases = Leases::default();
        for (last, begun) in [(1, 0), (2, 40), (3, 60)] {
            leases.begin(placement(last), Period::Short, at(begun));
        }
        assert_eq!(leases.take_due(at(650)), [placement(1), placement(2)]);
        assert_eq!(leases.next(), Some(at(710)));
    }

    #[test]
    fn an_address_that_was_given_up_is_never_due() {
        let mut leases = Leases::default();
        leases.begin(placement(1), Period::Short, at(0));
        leases.end(&placement(1));
        assert_eq!(leases.next(), None);
        assert_eq!(leases.take_due(at(10_000)), []);
    }

    #[test]
    fn an_address_that_came_back_counts_from_its_return() {
        let mut leases = Leases::default();
        leases.begin(placement(1), Period::Short, at(0));
        leases.end(&placement(1));
        leases.begin(placement(1), Period::Short, at(500));
        assert_eq!(leases.take_due(at(700)), []);
        assert_eq!(leases.take_due(at(1_150)), [placement(1)]);
    }

    #[test]
    fn thousands_are_renewed_in_pieces_and_none_is_forgotten() {
        let mut leases = Leases::default();
        let all: Vec<_> = (0..1_000_u32)
            .map(|number| Placement { address: std::net::Ipv4Addr::from(number).into(), ..placement(0) })
            .collect();
        for placement in &all {
            leases.begin(*placement, Period::Short, at(0));
        }
        let mut renewed = Vec::new();
        loop {
            let due = leases.take_due(at(650));
            assert!(due.len() <= RENEWALS_AT_ONCE);
            if due.is_empty() {
                break;
            }
            renewed.extend(due);
        }
        assert_eq!(renewed, all);
    }
}
