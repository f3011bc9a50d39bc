//! How often something may be done: a burst, then steadily. Pure.

use std::time::Duration;

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    /// Between two times, in the long run.
    pub(super) interval: Duration,
    /// As many may follow each other at once after a quiet time: at least 1.
    pub(super) burst: u32,
}

/// For the writes of one object: three at once, then one a second.
pub(super) const OBJECT: Limit = Limit { interval: Duration::from_secs(1), burst: 3 };

impl Limit {
    /// So many a second, and twice as many at once.
    pub(super) fn per_second(rate: u32) -> Self {
        Self { interval: Duration::from_secs(1) / rate.max(1), burst: rate.max(1).saturating_mul(2) }
    }
}

/// What remains of a limit. It stores one time: when the next turn would be if all had come evenly.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rate {
    even: Duration,
}

impl Rate {
    /// When the next turn may be.
    pub(super) fn next(&self, limit: Limit) -> Duration {
        self.even.saturating_sub(limit.interval.saturating_mul(limit.burst.saturating_sub(1)))
    }

    /// A turn is taken now.
    pub(super) fn spend(&mut self, limit: Limit, now: Duration) {
        self.even = self.even.max(now) + limit.interval;
    }

    /// Whether nothing need be remembered any more.
    pub(super) fn is_rested(&self, now: Duration) -> bool {
        self.even <= now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_then_one_in_each_interval() {
        for (limit, expected) in [
            (OBJECT, [0, 0, 0, 1000, 1000, 1000]),
            (Limit::per_second(2), [0, 0, 0, 0, 500, 500]),
            (Limit::per_second(0), [0, 0, 1000, 1000, 1000, 1000]),
        ] {
            let mut rate = Rate::default();
            let mut now = Duration::from_secs(100);
            let gaps = [(); 6].map(|()| {
                let next = rate.next(limit).max(now);
                let gap = next.saturating_sub(now);
                now = next;
                rate.spend(limit, now);
                gap.as_millis()
            });
            assert_eq!(gaps, expected, "{limit:?}");
        }
    }

    #[test]
    fn after_a_rest_nothing_need_be_remembered() {
        let mut rate = Rate::default();
        rate.spend(OBJECT, Duration::from_secs(10));
        assert!(!rate.is_rested(Duration::from_secs(10)));
        assert!(rate.is_rested(Duration::from_secs(11)));
    }
}
