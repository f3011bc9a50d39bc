//! One server of the control plane, which can be killed, stopped and started again.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use nix::sys::signal::Signal;

use super::place::Place;
use crate::lab::Process;

/// How many lines of its log an error shows.
const SHOWN_LINES: usize = 15;

/// A program with its arguments and its log, whether or not it runs.
#[derive(Debug)]
pub(super) struct Server {
    name: String,
    command: Vec<String>,
    log: PathBuf,
    process: Option<Process>,
}

impl Server {
    /// Does not start it yet. The log is `NAME.log` in `folder`, and goes on through all its starts.
    pub(super) fn new(program: &Path, arguments: Vec<String>, folder: &Path) -> Result<Self> {
        let name = program.file_name().context("a program has a name")?.to_string_lossy().into_owned();
        let log = folder.join(format!("{name}.log"));
        let command = [vec![program.display().to_string()], arguments].concat();
        Ok(Self { name, command, log, process: None })
    }

    /// Starts it; what ran before is killed.
    pub(super) fn start(&mut self, place: &Place) -> Result<()> {
        self.kill()?;
        let process = place.spawn(&self.name, &self.command, &self.log.display().to_string())?;
        process.hide_log();
        self.process = Some(process);
        Ok(())
    }

    /// Kills it (SIGKILL), if it runs.
    pub(super) fn kill(&mut self) -> Result<()> {
        self.process.take().map_or(Ok(()), |process| process.kill_group().map(drop))
    }

    /// Starts it if it does not run, and lets it go on if it is stopped.
    pub(super) fn mend(&mut self, place: &Place) -> Result<()> {
        match &self.process {
            Some(process) if process.is_running() => process.signal(Signal::SIGCONT),
            _ => self.start(place),
        }
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) -> Result<()> {
        self.process.as_ref().with_context(|| format!("{} is not running", self.name))?.signal(signal)
    }

    /// An error with the end of its log if it has ended by itself.
    pub(super) fn check(&self) -> Result<()> {
        if self.process.as_ref().is_none_or(Process::is_running) {
            return Ok(());
        }
        bail!("{} has ended; the end of its log:\n{}", self.name, self.log_tail());
    }

    /// The last lines of its log.
    pub(super) fn log_tail(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let text = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = text.lines().collect();
        let shown = lines.get(lines.len().saturating_sub(SHOWN_LINES)..);
        shown.unwrap_or_default().join("\n")
    }
}
