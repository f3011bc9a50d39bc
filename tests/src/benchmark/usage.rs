//! What processes take of the machine, as the kernel accounts it: `/proc/PID/task/*/schedstat` and `/proc/PID/status`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::unistd::Pid;

use super::samples::count;
use crate::lab::memory;

/// Time on a processor of all threads of these processes.
pub(super) fn processor_time(processes: &[Pid]) -> Result<Duration> {
    processes.iter().map(|pid| processor_time_of(*pid)).sum()
}

fn processor_time_of(pid: Pid) -> Result<Duration> {
    let folder = format!("/proc/{pid}/task");
    let mut time = Duration::ZERO;
    for thread in fs::read_dir(&folder).with_context(|| format!("cannot list {folder}"))? {
        let path = thread.with_context(|| format!("cannot list {folder}"))?.path().join("schedstat");
        // A thread that has ended meanwhile has no file any more.
        let text = fs::read_to_string(&path).unwrap_or_default();
        time += first_nanoseconds(&text).unwrap_or_default();
    }
    Ok(time)
}

/// `RUNNING WAITING SLICES`, in nanoseconds.
fn first_nanoseconds(schedstat: &str) -> Option<Duration> {
    schedstat.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

/// Part of one core, in percent, since an earlier look.
pub(super) fn percent(earlier: Duration, later: Duration, begun: Instant) -> f64 {
    later.saturating_sub(earlier).as_secs_f64() / begun.elapsed().as_secs_f64() * 100.0
}

/// Resident memory of these processes in MiB; pages that they share count for each of them.
pub(super) fn resident(processes: &[Pid]) -> Result<f64> {
    let mut sum = 0.0;
    for pid in processes {
        let kibibytes = usize::try_from(memory::resident(*pid)? >> 10)?;
        sum += count(kibibytes) / 1_024.0;
    }
    Ok(sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_accounts_are_read() {
        assert_eq!(first_nanoseconds("1500000 20 3\n"), Some(Duration::from_micros(1_500)));
        assert_eq!(first_nanoseconds(""), None);
    }

    #[test]
    fn a_process_has_time_and_memory() {
        let own = [Pid::this()];
        assert!(processor_time(&own).unwrap() > Duration::ZERO);
        assert!(resident(&own).unwrap() > 0.5);
    }
}
