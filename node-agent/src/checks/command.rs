//! The `command` probe and the command of a recovery: programs that the administrator of the node has put into one
//! folder.
//!
//! A health check that names a command is code execution on every node, so everything about it is confined: off without
//! a command folder; only programs in that folder, which nobody but root may be able to change (`program`); an
//! unprivileged user unless the check names another; nothing of the agent's environment; output read and thrown away but
//! for its end; and after the timeout, or when the check is dropped, SIGKILL for the whole process group (`child`).
//!
//! A process that makes a session of its own (setsid) leaves that group and is not found again. What outlives its
//! program without doing so is killed when the program ends. If the agent itself is killed, the kernel kills the program
//! that it was running, though not what that has started.

mod account;
mod child;
mod output;
mod program;

use std::path::PathBuf;
use std::time::Duration;

use holdfast_crds::DurationString;
use thiserror::Error;
use tokio::time::{Instant, timeout_at};

use super::finding::Finding;
use super::own_thread::OwnThread;
use child::{Child, End};
use program::{Program, ProgramError};

/// How long a killed process may take to disappear before the next probe has to deal with it.
const KILL_GRACE: Duration = Duration::from_millis(100);

/// What a node lets commands do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct CommandPolicy {
    /// Where programs are; without it there are no commands.
    pub(super) folder: Option<PathBuf>,
    /// Who runs them if the check does not say.
    pub(super) user: String,
}

/// Runs one command again and again, never twice at once.
pub(super) struct CommandRunner {
    check: String,
    command: Vec<String>,
    user: String,
    folder: Option<PathBuf>,
    starts: OwnThread<Result<Child, CommandError>>,
    /// Killed, but not gone: a process in an uninterruptible system call dies only when that returns.
    undead: Option<Child>,
}

/// How a run ended in time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) succeeded: bool,
    pub(super) message: String,
}

/// Why a command did not run, or not to its end.
#[derive(Debug, Error)]
pub(super) enum CommandError {
    #[error("commands are off on this node: start the agent with --command-dir; on Kubernetes, set agent.commandDir")]
    Off,
    #[error(transparent)]
    Program(#[from] ProgramError),
    #[error("cannot start {}: {source}", program.display())]
    Start { program: PathBuf, source: std::io::Error },
    #[error("the earlier run (process {0}) was killed but does not end")]
    Undead(u32),
    #[error("cannot follow the command: {0}")]
    Follow(std::io::Error),
    #[error("timed out after {0}")]
    TimedOut(DurationString),
}

impl CommandRunner {
    /// Runs `command` for the check of the given name as `user`, or as the policy's user.
    pub(super) fn new(check: &str, command: &[String], user: Option<&str>, policy: &CommandPolicy) -> Self {
        Self {
            check: check.to_owned(),
            command: command.to_vec(),
            user: user.unwrap_or(&policy.user).to_owned(),
            folder: policy.folder.clone(),
            starts: OwnThread::new("command"),
            undead: None,
        }
    }

    /// Runs the command once as a probe.
    pub(super) async fn probe(&mut self, limit: DurationString) -> Result<Finding, CommandError> {
        let ended = self.run(limit).await?;
        Ok(if ended.succeeded { Finding::passed(ended.message) } else { Finding::failed(ended.message) })
    }

    /// Runs the command once. After `limit` it is killed, with everything that it started.
    ///
    /// May be dropped at any point: the command is killed then.
    pub(super) async fn run(&mut self, limit: DurationString) -> Result<Ended, CommandError> {
        let deadline = Instant::now() + limit.as_duration();
        self.bury()?;
        let mut child =
            timeout_at(deadline, self.start(deadline, limit)).await.map_err(|_| CommandError::TimedOut(limit))??;
        if let Ok(end) = timeout_at(deadline, child.run()).await {
            return Ok(ended(&end.map_err(CommandError::Follow)?));
        }
        child.kill();
        if timeout_at(Instant::now() + KILL_GRACE, child.gone()).await.is_err() {
            self.undead = Some(child);
        }
        Err(CommandError::TimedOut(limit))
    }

    async fn start(&mut self, deadline: Instant, limit: DurationString) -> Result<Child, CommandError> {
        let folder = self.folder.clone().ok_or(CommandError::Off)?;
        let (command, user, check) = (self.command.clone(), self.user.clone(), self.check.clone());
        let start = move || {
            // Checked at each run: folder, file and user may change under a check that runs for years.
            let program = Program::find(&folder, &command, &user)?;
            let child = Child::start(&program, &check)
                .map_err(|source| CommandError::Start { program: program.path, source })?;
            // Whoever asked may have given up while the file system was slow. Then the child must not live on.
            if Instant::now() < deadline { Ok(child) } else { Err(CommandError::TimedOut(limit)) }
        };
        self.starts.run(start).await.map_err(CommandError::Follow)?
    }

    fn bury(&mut self) -> Result<(), CommandError> {
        if let Some(child) = &mut self.undead
            && !child.has_ended()
        {
            return Err(CommandError::Undead(child.number()));
        }
        self.undead = None;
        Ok(())
    }
}

fn ended(end: &End) -> Ended {
    let mut message = match (end.status.code(), end.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by {signal}"),
        (None, None) => end.status.to_string(),
    };
    if let Some(line) = &end.last_line {
        message = format!("{message}: {line}");
    }
    Ended { succeeded: end.status.success(), message }
}
