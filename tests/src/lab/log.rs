//! What a program printed, line by line, each with the moment at which it was read.

use std::io::{BufRead, BufReader, Read};
use std::sync::{Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The zero of every printed log, so that the lines of several programs can be laid side by side.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

/// Time from the lab's first use in this process to `at`.
pub fn since_start(at: Instant) -> Duration {
    at.saturating_duration_since(*START)
}

/// One line of output.
#[derive(Clone, Debug)]
pub struct LogLine {
    /// When it was read from the program's pipe.
    pub at: Instant,
    /// The line without its end.
    pub text: String,
}

/// A growing log; clones see the same lines.
#[derive(Clone, Debug, Default)]
pub struct Log {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    lines: Mutex<Vec<LogLine>>,
    grown: Condvar,
}

impl Log {
    /// Reads `stream` to its end on a thread of its own.
    pub(super) fn follow(&self, stream: impl Read + Send + 'static) {
        LazyLock::force(&START);
        let log = self.clone();
        thread::spawn(move || log.read(stream));
    }

    fn read(&self, stream: impl Read) {
        let mut reader = BufReader::new(stream);
        let mut bytes = Vec::new();
        // A read error means the same as the end: the program is gone.
        while reader.read_until(b'\n', &mut bytes).is_ok_and(|length| length > 0) {
            let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            self.lock().push(LogLine { at: Instant::now(), text });
            self.shared.grown.notify_all();
            bytes.clear();
        }
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<LogLine> {
        self.lock().clone()
    }

    /// The first line after `since` that satisfies `wanted`, awaited for at most `timeout`.
    pub fn wait_for(&self, since: Instant, timeout: Duration, wanted: impl Fn(&str) -> bool) -> Result<LogLine> {
        let deadline = Instant::now() + timeout;
        let mut lines = self.lock();
        loop {
            if let Some(line) = lines.iter().find(|line| line.at >= since && wanted(&line.text)) {
                return Ok(line.clone());
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                bail!("waited {timeout:?} in vain for a line in the log");
            }
            lines = self.shared.grown.wait_timeout(lines, remaining).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<LogLine>> {
        self.shared.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
