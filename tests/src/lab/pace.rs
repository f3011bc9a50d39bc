//! A steady beat: absolute deadlines, so that a late wake-up does not shift the ones after it.

use std::process::Stdio;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::time::TimeSpec;
use nix::time::{ClockId, ClockNanosleepFlags, clock_gettime, clock_nanosleep};

use super::program;

/// Real-time priority of the lab's probes: low among real-time threads, above everything else.
const REALTIME_PRIORITY: &str = "10";

/// Real-time priority of those who note when something happened: above the programs that do it.
const WITNESS_PRIORITY: &str = "60";

/// Beats of a fixed period on the monotonic clock.
#[derive(Debug)]
pub struct Pace {
    period: Duration,
    next: Duration,
}

impl Pace {
    /// The first beat is at once.
    pub fn every(period: Duration) -> Self {
        Self { period, next: now() }
    }

    /// Sleeps until the next beat. Beats that were missed are left out: catching up would ask several questions at one
    /// moment.
    pub fn wait(&mut self) {
        let deadline = TimeSpec::from_duration(self.next);
        while clock_nanosleep(ClockId::CLOCK_MONOTONIC, ClockNanosleepFlags::TIMER_ABSTIME, &deadline)
            == Err(Errno::EINTR)
        {}
        self.next += self.period;
        let now = now();
        if self.next < now {
            self.next = now;
        }
    }
}

fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default()
}

/// Asks for real-time scheduling of the calling thread. Returns whether it was granted; without it measurements are noisier
/// on a busy machine, but not wrong.
pub fn become_realtime() -> bool {
    schedule(REALTIME_PRIORITY)
}

/// As [`become_realtime`], for a thread that only reads what the kernel tells, and takes the time of it. It must do little.
pub fn become_witness() -> bool {
    schedule(WITNESS_PRIORITY)
}

fn schedule(priority: &str) -> bool {
    let thread = nix::unistd::gettid().to_string();
    let mut command = program::command("chrt");
    command.args(["--fifo", "--pid", priority, &thread]).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
