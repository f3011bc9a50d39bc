//! The clock of this process: it never goes back, and nobody can set it.

use std::time::{Duration, Instant};

/// Time since the start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero.
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// The time.
    pub fn now(self) -> Duration {
        self.start.elapsed()
    }

    /// The instant of a time, for timers.
    pub fn instant(self, time: Duration) -> tokio::time::Instant {
        (self.start + time).into()
    }
}
