//! The one clock of the election thread.

use std::cell::Cell;

use holdfast_vrrp::Instant;
use nix::time::ClockId;

/// Reads `CLOCK_BOOTTIME`: like `CLOCK_MONOTONIC`, but it goes on while the machine is suspended. So a master that
/// wakes from suspend sees how long it was away, and steps down before it speaks.
#[derive(Debug, Default)]
pub(super) struct Clock {
    last: Cell<Instant>,
}

impl Clock {
    /// The time now; never earlier than before.
    pub(super) fn now(&self) -> Instant {
        let read = ClockId::CLOCK_BOOTTIME.now().ok().and_then(|time| {
            let (seconds, nanoseconds) = (u64::try_from(time.tv_sec()).ok()?, u64::try_from(time.tv_nsec()).ok()?);
            Some(Instant::from_nanos(seconds.checked_mul(1_000_000_000)?.checked_add(nanoseconds)?))
        });
        let now = read.map_or(self.last.get(), |read| read.max(self.last.get()));
        self.last.set(now);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_does_not_go_back() {
        let clock = Clock::default();
        let readings: Vec<_> = (0..1_000).map(|_| clock.now()).collect();
        assert!(readings.is_sorted());
        assert!(readings.first() > Some(&Instant::ZERO));
    }
}
