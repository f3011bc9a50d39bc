//! How long and how often is measured.

use std::time::Duration;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Runs of each single failover.
    pub runs: usize,
    /// Runs of what lasts long: a frozen agent, and thousands of VIPs.
    pub long_runs: usize,
    /// Intervals of planned stops.
    pub stop_intervals: Vec<Duration>,
    /// Intervals of node crashes.
    pub crash_intervals: Vec<Duration>,
    /// How many VIPs fail over together.
    pub sizes: Vec<usize>,
    /// How many VIPs are held, at which interval, while processor time is counted.
    pub steady: Vec<(usize, Duration)>,
    /// The same while others want the processors.
    pub busy: Vec<(usize, Duration)>,
    /// How many VIPs are handed over together.
    pub released: usize,
    /// How long an agent is frozen.
    pub freeze: Duration,
    /// How long the holders are watched after an agent was killed.
    pub watch: Duration,
    /// How long processor time is counted for one sample.
    pub window: Duration,
    /// How many such samples there are of each size.
    pub windows: usize,
    /// How long false transitions are waited for.
    pub patience: Duration,
}

const SECOND: Duration = Duration::from_secs(1);
const MILLISECOND: Duration = Duration::from_millis(1);

impl Settings {
    /// About 40 minutes.
    pub fn full() -> Self {
        Self {
            runs: 7,
            long_runs: 3,
            stop_intervals: vec![SECOND, MILLISECOND * 100, MILLISECOND * 20],
            crash_intervals: vec![SECOND, MILLISECOND * 100, MILLISECOND * 20, MILLISECOND * 10],
            sizes: vec![250, 1_000, 2_000],
            steady: vec![
                (1, MILLISECOND * 100),
                (250, MILLISECOND * 100),
                (1_000, MILLISECOND * 100),
                (2_000, MILLISECOND * 100),
                (250, MILLISECOND * 10),
            ],
            busy: vec![(2_000, MILLISECOND * 100), (250, MILLISECOND * 10)],
            released: 2_000,
            freeze: SECOND * 10,
            watch: SECOND * 5,
            window: SECOND * 10,
            windows: 3,
            patience: SECOND * 60,
        }
    }

    /// Less than 5 minutes: enough to see that something has become much worse.
    pub fn quick() -> Self {
        Self {
            runs: 2,
            long_runs: 1,
            stop_intervals: vec![MILLISECOND * 100],
            crash_intervals: vec![MILLISECOND * 100, MILLISECOND * 10],
            sizes: vec![1_000],
            steady: vec![(1_000, MILLISECOND * 100), (250, MILLISECOND * 10)],
            busy: vec![(250, MILLISECOND * 10)],
            released: 500,
            freeze: SECOND * 3,
            watch: SECOND,
            window: SECOND * 4,
            windows: 1,
            patience: SECOND * 5,
        }
    }
}

/// `1 s`, `100 ms`.
pub(super) fn shown(interval: Duration) -> String {
    if interval.subsec_nanos() == 0 {
        format!("{} s", interval.as_secs())
    } else {
        format!("{} ms", interval.as_millis())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_shown_in_whole_numbers() {
        assert_eq!(shown(SECOND), "1 s");
        assert_eq!(shown(MILLISECOND * 20), "20 ms");
    }
}
