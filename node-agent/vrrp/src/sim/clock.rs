//! The true time of the simulated world, and the clocks of its nodes, which see it each in their own way.

use std::fmt;
use std::time::Duration;

use crate::time::Instant;

/// True time: nanoseconds since the world began. No node knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A node's clock: it began at some other time, and runs a little too fast or too slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Clock {
    /// What the clock showed when the world began.
    pub offset: Duration,
    /// How much too fast it runs, in parts per million.
    pub drift_ppm: i32,
}

const MILLION: i128 = 1_000_000;

// === impl Time ===

impl Time {
    /// When the world begins.
    pub const ZERO: Self = Self(0);

    /// The time `since_start` after the beginning.
    pub fn after(since_start: Duration) -> Self {
        Self(nanoseconds(since_start))
    }

    /// Nanoseconds since the beginning.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time `duration` later.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanoseconds(duration)))
    }

    /// How long ago `earlier` was; zero if it has not come yet.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl fmt::Display for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{}.{:09}", self.0 / 1_000_000_000, self.0 % 1_000_000_000);
        formatter.pad_integral(true, "", &text)
    }
}

// === impl Clock ===

impl Clock {
    /// What the clock shows at a true time.
    pub fn read(&self, time: Time) -> Instant {
        let elapsed = i128::from(time.0);
        let shown = i128::from(nanoseconds(self.offset)) + elapsed + elapsed * i128::from(self.drift_ppm) / MILLION;
        Instant::from_nanos(u64::try_from(shown).unwrap_or_default())
    }

    /// The first true time at which the clock shows `instant` or more.
    pub fn when(&self, instant: Instant) -> Time {
        let elapsed = i128::from(instant.as_nanos()) - i128::from(nanoseconds(self.offset));
        let guess = elapsed * MILLION / (MILLION + i128::from(self.drift_ppm));
        let mut time = Time(u64::try_from(guess.max(0)).unwrap_or(u64::MAX));
        while time.0 > 0 && self.read(Time(time.0 - 1)) >= instant {
            time.0 -= 1;
        }
        while self.read(time) < instant && time.0 < u64::MAX {
            time.0 += 1;
        }
        time
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_shows_an_instant_at_the_time_that_it_names_and_not_before() {
        for drift_ppm in [-200, -7, 0, 3, 200] {
            let clock = Clock { offset: Duration::from_secs(5), drift_ppm };
            for nanoseconds in [5_000_000_000, 5_000_000_001, 6_234_567_891, 999_999_999_999] {
                let instant = Instant::from_nanos(nanoseconds);
                let time = clock.when(instant);
                assert!(clock.read(time) >= instant, "{drift_ppm} ppm, {nanoseconds}");
                assert!(time == Time::ZERO || clock.read(Time(time.0 - 1)) < instant, "{drift_ppm} ppm, {nanoseconds}");
            }
        }
    }

    #[test]
    fn a_drift_adds_up() {
        let clock = Clock { offset: Duration::ZERO, drift_ppm: 200 };
        assert_eq!(clock.read(Time::after(Duration::from_secs(10))), Instant::from_nanos(10_002_000_000));
    }
}
