//! When to write a status that has changed (pure): at once after a quiet time, and never more often than once a second.

use std::time::{Duration, Instant};

/// Several changes that belong together are one.
const GATHERING: Duration = Duration::from_millis(10);

/// Between two writes.
const INTERVAL: Duration = Duration::from_secs(1);

/// Between two writes if only the words of a health check have changed: a command may print another line each time.
const INTERVAL_OF_WORDS: Duration = Duration::from_secs(30);

/// How what should be written differs from what was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// In nothing.
    None,
    /// In words only.
    Words,
    /// In what people and the operator act on.
    Substance,
}

/// When to write.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Pace {
    changed: Option<Instant>,
    attempted: Option<Instant>,
    not_before: Option<Instant>,
}

impl Pace {
    /// What should be written now differs like this from what was written last.
    pub(super) fn note(&mut self, difference: Difference, now: Instant) {
        self.changed = match difference {
            Difference::None => None,
            Difference::Words | Difference::Substance => self.changed.or(Some(now)),
        };
    }

    /// An attempt to write begins.
    pub(super) fn attempt(&mut self, now: Instant) {
        self.attempted = Some(now);
        self.changed = None;
    }

    /// The attempt failed: not again before this time.
    pub(super) fn put_off(&mut self, until: Instant) {
        self.not_before = Some(until);
    }

    /// Nothing speaks against an attempt any more.
    pub(super) fn encourage(&mut self) {
        self.not_before = None;
    }

    /// When to write; never while nothing differs.
    pub(super) fn due(&self, difference: Difference) -> Option<Instant> {
        let interval = match difference {
            Difference::None => return None,
            Difference::Words => INTERVAL_OF_WORDS,
            Difference::Substance => INTERVAL,
        };
        let gathered = self.changed.map(|changed| changed + GATHERING);
        let rested = self.attempted.map(|attempted| attempted + interval);
        [gathered, rested, self.not_before].into_iter().flatten().max()
    }
}

#[cfg(test)]
mod tests {
    use Difference::{None as Nothing, Substance, Words};

    use super::*;

    /// A pace with a write at the start.
    fn written(start: Instant) -> Pace {
        let mut pace = Pace::default();
        pace.attempt(start);
        pace
    }

    #[test]
    fn what_is_written_already_is_never_due() {
        let start = Instant::now();
        let mut pace = written(start);
        pace.note(Nothing, start);
        assert_eq!(pace.due(Nothing), None);
    }

    #[test]
    fn after_a_quiet_time_a_change_is_written_at_once() {
        let start = Instant::now();
        let (mut pace, later) = (written(start), start + Duration::from_secs(60));
        pace.note(Substance, later);
        assert_eq!(pace.due(Substance), Some(later + GATHERING));
    }

    #[test]
    fn changes_that_follow_each_other_wait_for_the_second_to_pass_and_not_longer() {
        let start = Instant::now();
        let mut pace = written(start);
        for milliseconds in (0..990).step_by(30) {
            pace.note(Substance, start + Duration::from_millis(milliseconds));
            assert_eq!(pace.due(Substance), Some(start + INTERVAL), "{milliseconds}");
        }
    }

    #[test]
    fn words_wait_longer_and_not_if_there_is_more() {
        let start = Instant::now();
        let mut pace = written(start);
        pace.note(Words, start);
        assert_eq!(pace.due(Words), Some(start + INTERVAL_OF_WORDS));
        pace.note(Substance, start);
        assert_eq!(pace.due(Substance), Some(start + INTERVAL));
    }

    #[test]
    fn a_change_that_was_undone_before_it_was_written_is_none() {
        let start = Instant::now();
        let (mut pace, later) = (written(start), start + Duration::from_secs(60));
        pace.note(Substance, later);
        pace.note(Nothing, later);
        pace.note(Substance, later + INTERVAL);
        assert_eq!(pace.due(Substance), Some(later + INTERVAL + GATHERING));
    }

    #[test]
    fn a_failed_attempt_is_put_off_until_there_is_hope() {
        let start = Instant::now();
        let (mut pace, until) = (written(start), start + Duration::from_secs(30));
        pace.put_off(until);
        assert_eq!(pace.due(Substance), Some(until));
        pace.encourage();
        assert_eq!(pace.due(Substance), Some(start + INTERVAL));
    }
}
