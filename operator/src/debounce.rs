//! Waits for quiet before work is done, but not for ever. Pure.

use std::time::Duration;

/// Collects changes.
#[derive(Clone, Debug)]
pub struct Debounce {
    quiet: Duration,
    limit: Duration,
    /// When the first and the last change came that no work has been done for.
    waiting: Option<(Duration, Duration)>,
}

impl Debounce {
    /// Work is due when nothing has changed for `quiet`, and at the latest `limit` after the first change.
    pub fn new(quiet: Duration, limit: Duration) -> Self {
        Self { quiet, limit, waiting: None }
    }

    /// Something has changed.
    pub fn note(&mut self, now: Duration) {
        let first = self.waiting.map_or(now, |(first, _)| first);
        self.waiting = Some((first, now));
    }

    /// When work is due; none if nothing has changed.
    pub fn due(&self) -> Option<Duration> {
        self.waiting.map(|(first, last)| (last + self.quiet).min(first + self.limit))
    }

    /// Whether work is due now; if so, it is taken to be done.
    pub fn take(&mut self, now: Duration) -> bool {
        let due = self.due().is_some_and(|due| due <= now);
        if due {
            self.waiting = None;
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    fn debounce() -> Debounce {
        Debounce::new(ms(100), ms(500))
    }

    #[test]
    fn nothing_is_due_when_nothing_has_changed() {
        let mut debounce = debounce();
        assert_eq!(debounce.due(), None);
        assert!(!debounce.take(ms(1000)));
    }

    #[test]
    fn work_is_due_once_it_is_quiet() {
        let mut debounce = debounce();
        debounce.note(ms(0));
        debounce.note(ms(90));
        assert!(!debounce.take(ms(189)));
        assert!(debounce.take(ms(190)));
        assert!(!debounce.take(ms(1000)), "it is done");
    }

    #[test]
    fn what_never_gets_quiet_does_not_wait_for_ever() {
        let mut debounce = debounce();
        for now in (0..500).step_by(10) {
            debounce.note(ms(now));
            assert!(!debounce.take(ms(now)), "{now}");
        }
        assert!(debounce.take(ms(500)));
    }
}
