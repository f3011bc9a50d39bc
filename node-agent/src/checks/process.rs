//! The `process` probe: passes while enough processes of a name or a command line run.
//!
//! The table of processes is read once. From then on the kernel tells when one ends: as long as `minimum` matching
//! processes live there are enough, so exactly that many are watched, each by a pidfd. The end of one of them is a notice
//! that makes the check look again at once, and too few processes are a failure for certain: `fall` does not delay it.
//! New processes give no notice. They are found by reading the table at the interval, for as long as there are too few,
//! or always where `maximum` is set; too many are an ordinary failure, since a reading may catch a process between its
//! fork and its exec.

mod table;

use std::future::poll_fn;
use std::io;
use std::os::fd::OwnedFd;
use std::task::Poll;

use holdfast_crds::probe::ProcessProbe;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, pidfd_open};
use thiserror::Error;

use super::blocking::OneAtATime;
use super::finding::Finding;
use crate::readable::Readable;
use table::Pattern;

pub(super) struct ProcessProber {
    pattern: Pattern,
    minimum: usize,
    maximum: Option<usize>,
    readings: OneAtATime<io::Result<Reading>>,
    watched: Vec<Watched>,
    /// Whether the agent has a table of processes for itself, as in a pod that does not share that of its node.
    is_alone: bool,
}

/// A living process whose end will be noticed.
struct Watched {
    pid: Pid,
    end: Readable,
}

/// What the table of processes says.
enum Reading {
    /// The processes that are watched are all alive and still match.
    Unchanged,
    /// How many match in all, and the first of them, opened.
    Counted { count: usize, opened: Vec<(Pid, OwnedFd)> },
}

/// A process that is to be watched.
enum Opened {
    Yes(OwnedFd),
    /// It has ended, and its number may be that of another process by now.
    Gone,
    /// Too many files are open. It goes unwatched, and the interval has to do.
    No,
}

#[derive(Debug, Error)]
pub(super) enum ProcessError {
    #[error("cannot read the processes of the node: {0}")]
    Read(io::Error),
    #[error("cannot watch process {}: {source}", pid.as_raw_nonzero())]
    Watch { pid: Pid, source: io::Error },
}

impl ProcessProber {
    pub(super) fn new(probe: &ProcessProbe) -> Self {
        Self {
            pattern: Pattern::new(probe.name.as_deref(), probe.command_line.as_deref()),
            minimum: usize::from(probe.minimum.max(1)),
            maximum: probe.maximum.map(usize::from),
            readings: OneAtATime::new(),
            watched: Vec::new(),
            is_alone: std::process::id() == 1,
        }
    }

    pub(super) async fn probe(&mut self) -> Result<Finding, ProcessError> {
        let pattern = self.pattern.clone();
        let minimum = self.minimum;
        let sufficient = (self.maximum.is_none() && self.watched.len() == minimum)
            .then(|| self.watched.iter().map(|watched| watched.pid).collect::<Vec<_>>());
        let reading = self.readings.run(move || read(&pattern, minimum, sufficient.as_deref())).await;
        match reading.flatten().map_err(ProcessError::Read)? {
            Reading::Unchanged => Ok(Finding::passed(self.running())),
            Reading::Counted { count, opened } => {
                self.watch(opened)?;
                Ok(self.judge(count))
            }
        }
    }

    /// Waits for the end of a watched process; for ever if none is watched.
    pub(super) async fn notice(&mut self) {
        poll_fn(|context| {
            let ended = self.watched.iter().any(|watched| watched.end.poll(context).is_ready());
            if ended { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        // One end is one notice, also if the next look fails.
        self.watched.clear();
    }

    fn watch(&mut self, opened: Vec<(Pid, OwnedFd)>) -> Result<(), ProcessError> {
        self.watched.clear();
        for (pid, descriptor) in opened {
            let end = Readable::new(descriptor).map_err(|source| ProcessError::Watch { pid, source })?;
            self.watched.push(Watched { pid, end });
        }
        Ok(())
    }

    fn judge(&self, count: usize) -> Finding {
        let pattern = &self.pattern;
        match (count, self.minimum, self.maximum) {
            (0, ..) => Finding::failed_for_certain(none_found(pattern, self.is_alone)),
            (count, minimum, _) if count < minimum => {
                Finding::failed_for_certain(format!("{count} of at least {minimum} processes {pattern}"))
            }
            (count, _, Some(maximum)) if count > maximum => {
                Finding::failed(format!("{count} processes {pattern}, at most {maximum} expected"))
            }
            _ => Finding::passed(self.running()),
        }
    }

    /// Names the first process, since people look for its number.
    fn running(&self) -> String {
        match self.watched.as_slice() {
            [only] => format!("process {} runs", only.pid.as_raw_nonzero()),
            [first, rest @ ..] => format!("process {} and {} more run", first.pid.as_raw_nonzero(), rest.len()),
            [] => "enough processes run, but their end will give no notice".to_owned(),
        }
    }
}

/// Whoever sees only itself looks in the wrong place.
fn none_found(pattern: &Pattern, is_alone: bool) -> String {
    let hint = if is_alone { "; the agent sees no processes but its own: set agent.hostPID of the chart" } else { "" };
    format!("no process {pattern}{hint}")
}

/// Reads the table of processes, unless those that are known already are `sufficient`.
fn read(pattern: &Pattern, minimum: usize, sufficient: Option<&[Pid]>) -> io::Result<Reading> {
    if let Some(pids) = sufficient
        && all_match(pids, pattern)?
    {
        return Ok(Reading::Unchanged);
    }
    let mut pids = table::matching(pattern)?;
    if pids.len() < minimum {
        // Reading the table takes a while, and a daemon that forks and exits in the meantime may be missed in it.
        pids = table::matching(pattern)?;
    }
    open_some(pids, minimum, pattern)
}

/// Opens the first processes, as many as there must be at least, and counts all.
fn open_some(pids: Vec<Pid>, minimum: usize, pattern: &Pattern) -> io::Result<Reading> {
    let mut count = pids.len();
    let mut opened = Vec::new();
    for pid in pids {
        if opened.len() == minimum {
            break;
        }
        match open(pid, pattern)? {
            Opened::Yes(descriptor) => opened.push((pid, descriptor)),
            // It must not count: nothing would ever tell of its end.
            Opened::Gone => count -= 1,
            Opened::No => {}
        }
    }
    Ok(Reading::Counted { count, opened })
}

fn all_match(pids: &[Pid], pattern: &Pattern) -> io::Result<bool> {
    for &pid in pids {
        if !table::matches(pid, pattern)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn open(pid: Pid, pattern: &Pattern) -> io::Result<Opened> {
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(descriptor) if table::matches(pid, pattern)? => Ok(Opened::Yes(descriptor)),
        Ok(_) | Err(Errno::SRCH) => Ok(Opened::Gone),
        Err(_) => Ok(Opened::No),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    fn a_process_that_ends_before_it_can_be_watched_does_not_count() {
        let mut short = Command::new("/bin/true").spawn().unwrap();
        let ended = Pid::from_child(&short);
        short.wait().unwrap();
        let this = Pid::from_raw(std::process::id().cast_signed()).unwrap();

        let reading = open_some(vec![ended, this], 2, &Pattern::new(None, None)).unwrap();

        let Reading::Counted { count, opened } = reading else { panic!("everything was read") };
        let opened: Vec<Pid> = opened.into_iter().map(|(pid, _)| pid).collect();
        assert_eq!((count, opened), (1, vec![this]));
    }
}
