//! Which addresses are due for renewal when.
//!
//! The kernel removes an address when its lifetime ends. Every address has the same period, so a queue in the order of
//! the last renewals is in the order of the next ones too.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use holdfast_vrrp::Instant;

use crate::network::interfaces::Placement;

/// An address is renewed when it is this old, three times within its lifetime.
pub(super) const RENEW_AFTER: Duration = Duration::from_millis(650);

/// Renewals that are due within this time of each other share a wake-up.
const SLACK: Duration = Duration::from_millis(50);

/// No more are asked for at once: what is ordered after a renewal has to wait for it.
const RENEWALS_AT_ONCE: usize = 64;

/// The addresses that this node holds, by when they were last renewed.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    queue: VecDeque<(Instant, Placement)>,
    renewed: HashMap<Placement, Instant>,
}

impl Leases {
    /// An address was added or renewed.
    pub(super) fn begin(&mut self, placement: Placement, now: Instant) {
        self.renewed.insert(placement, now);
        self.queue.push_back((now, placement));
    }

    /// An address is not held any more.
    pub(super) fn end(&mut self, placement: &Placement) {
        self.renewed.remove(placement);
    }

    /// When an address was last renewed.
    pub(super) fn renewed(&self, placement: &Placement) -> Option<Instant> {
        self.renewed.get(placement).copied()
    }

    /// When the next renewal is due.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.drop_outdated();
        self.queue.front().map(|(renewed, _)| renewed.saturating_add(RENEW_AFTER))
    }

    /// Takes out those that are due, or nearly; they count as renewed now.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<Placement> {
        let mut due = Vec::new();
        if self.next().is_none_or(|first| now < first) {
            return due;
        }
        let horizon = now.saturating_add(SLACK);
        while due.len() < RENEWALS_AT_ONCE {
            self.drop_outdated();
            match self.queue.front() {
                Some((renewed, placement)) if renewed.saturating_add(RENEW_AFTER) <= horizon => due.push(*placement),
                _ => break,
            }
            self.queue.pop_front();
        }
        for placement in &due {
            self.begin(*placement, now);
        }
        due
    }

    /// Entries of addresses that are gone, or have been renewed since.
    fn drop_outdated(&mut self) {
        while let Some((renewed, placement)) = self.queue.front() {
            if self.renewed.get(placement) == Some(renewed) {
                return;
            }
            self.queue.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::interfaces::InterfaceIndex;
    use crate::network::netlink::LEASE_SECONDS;

    fn placement(last: u8) -> Placement {
        let address = [10, 0, 0, last].into();
        Placement { interface: InterfaceIndex::new(2), address, prefix_length: 32 }
    }

    fn at(milliseconds: u64) -> Instant {
        Instant::from_nanos(milliseconds * 1_000_000)
    }

    #[test]
    fn one_missed_renewal_loses_no_address() {
        assert!(RENEW_AFTER * 2 + SLACK < Duration::from_secs(LEASE_SECONDS.into()));
    }

    #[test]
    fn an_address_is_due_one_period_after_its_last_renewal() {
        let mut leases = Leases::default();
        leases.begin(placement(1), at(0));
        assert_eq!(leases.next(), Some(at(650)));
        assert_eq!(leases.take_due(at(649)), []);
        assert_eq!(leases.take_due(at(650)), [placement(1)]);
        assert_eq!(leases.next(), Some(at(1_300)));
    }

    #[test]
    fn those_that_are_nearly_due_come_along() {
        let mut leases = Leases::default();
        for (last, begun) in [(1, 0), (2, 40), (3, 60)] {
            leases.begin(placement(last), at(begun));
        }
        assert_eq!(leases.take_due(at(650)), [placement(1), placement(2)]);
        assert_eq!(leases.next(), Some(at(710)));
    }

    #[test]
    fn an_address_that_was_given_up_is_never_due() {
        let mut leases = Leases::default();
        leases.begin(placement(1), at(0));
        leases.end(&placement(1));
        assert_eq!(leases.next(), None);
        assert_eq!(leases.take_due(at(10_000)), []);
    }

    #[test]
    fn an_address_that_came_back_counts_from_its_return() {
        let mut leases = Leases::default();
        leases.begin(placement(1), at(0));
        leases.end(&placement(1));
        leases.begin(placement(1), at(500));
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
            leases.begin(*placement, at(0));
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
