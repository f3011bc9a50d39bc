//! How long to wait before the next attempt (pure).

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

/// Waits that double from [`Backoff::SHORTEST`] up to a limit. Each is shortened by up to a half, differently in every
/// process: a thousand agents must not come back to a new API server in step.
#[derive(Clone, Debug)]
pub(super) struct Backoff {
    limit: Duration,
    next: Duration,
    jitter: RandomState,
    attempts: u64,
}

impl Backoff {
    /// The first wait.
    pub(super) const SHORTEST: Duration = Duration::from_millis(100);

    /// Waits up to `limit`.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, next: Self::SHORTEST, jitter: RandomState::new(), attempts: 0 }
    }

    /// The wait before the next attempt. `at_most` shortens the limit for this time.
    pub(super) fn next(&mut self, at_most: Duration) -> Duration {
        let wait = self.next.min(self.limit).min(at_most);
        self.next = self.next.saturating_mul(2).min(self.limit);
        self.attempts += 1;
        let share = u32::try_from(self.jitter.hash_one(self.attempts) % 512).unwrap_or_default();
        wait.saturating_sub(wait * share / 1024)
    }

    /// After a success the next wait is the shortest again.
    pub(super) fn reset(&mut self) {
        self.next = Self::SHORTEST;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn waits_double_up_to_the_limit_less_up_to_a_half() {
        let mut backoff = Backoff::new(Duration::from_secs(1));
        for full in [100, 200, 400, 800, 1000, 1000] {
            let (wait, full) = (backoff.next(MINUTE), Duration::from_millis(full));
            assert!(wait <= full && wait >= full / 2, "{wait:?} of {full:?}");
        }
    }

    #[test]
    fn a_success_begins_anew() {
        let mut backoff = Backoff::new(MINUTE);
        let waits = (0..20).map(|_| backoff.next(MINUTE));
        assert_eq!(waits.count(), 20);
        backoff.reset();
        assert!(backoff.next(MINUTE) <= Backoff::SHORTEST);
    }

    #[test]
    fn a_single_wait_can_be_bounded_more_closely() {
        let mut backoff = Backoff::new(MINUTE);
        let waits = (0..20).map(|_| backoff.next(MINUTE));
        assert_eq!(waits.count(), 20);
        assert!(backoff.next(Duration::from_secs(2)) <= Duration::from_secs(2));
    }
}
