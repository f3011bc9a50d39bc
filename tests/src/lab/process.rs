//! A running program: its signals, its end, and its log. It never outlives its handle.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::Pid;

use super::log::{self, Log};

/// How long a program may take to die of SIGKILL.
const DEATH: Duration = Duration::from_secs(10);

/// How a program ended, and when.
#[derive(Clone, Copy, Debug)]
pub struct Exit {
    /// Its exit status.
    pub status: ExitStatus,
    /// When the kernel told of it.
    pub at: Instant,
}

impl Exit {
    /// The exit code; `None` after a signal.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }

    /// The signal that ended it, as a number.
    pub fn signal(&self) -> Option<i32> {
        self.status.signal()
    }
}

/// A program in a process group of its own.
#[derive(Debug)]
pub struct Process {
    name: String,
    pid: Pid,
    log: Log,
    life: Arc<Life>,
    shows_log: AtomicBool,
}

/// Shared with the thread that waits for the end. While the lock is held and there is no exit, the process id is taken, if
/// only by a zombie: a signal can never reach a stranger.
#[derive(Debug, Default)]
struct Life {
    exit: Mutex<Option<Exit>>,
    ended: Condvar,
}

impl Process {
    /// Starts `command` as a child of the calling thread, in whose namespaces it begins.
    pub(super) fn spawn(command: &mut Command) -> Result<Child> {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        command.spawn().with_context(|| format!("cannot start {command:?}"))
    }

    /// Takes charge of a child; `name` marks its lines in the shown log. Not for a thread that has entered a PID
    /// namespace: it could start no other threads.
    pub(crate) fn adopt(name: &str, mut child: Child) -> Result<Self> {
        let log = Log::default();
        if let Some(stdout) = child.stdout.take() {
            log.follow(stdout);
        }
        if let Some(stderr) = child.stderr.take() {
            log.follow(stderr);
        }
        let pid = i32::try_from(child.id()).map(Pid::from_raw).context("a process id is a positive i32")?;
        let life = Arc::new(Life::default());
        let waiter = Arc::clone(&life);
        thread::spawn(move || waiter.reap(child, pid));
        Ok(Self { name: name.to_owned(), pid, log, life, shows_log: AtomicBool::new(true) })
    }

    /// What it printed so far, both streams.
    pub fn log(&self) -> &Log {
        &self.log
    }

    /// Its process id as this process sees it.
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Keeps the log to itself; without this it is printed on drop, where the test harness shows it only for a test that
    /// failed.
    pub fn hide_log(&self) {
        self.shows_log.store(false, Ordering::Relaxed);
    }

    /// Sends a signal to the program alone, not to its children. Fails if the program has ended.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        let exit = self.life.lock();
        if exit.is_some() {
            bail!("cannot send {signal} to {}: it has ended", self.name);
        }
        kill(self.pid, signal).with_context(|| format!("cannot send {signal} to {}", self.name))
    }

    /// Ends the program and everything in its process group with SIGKILL, and waits for the end. Children that a program
    /// left behind when it ended by itself end with the PID namespace.
    pub fn kill_group(&self) -> Result<Exit> {
        let exit = self.life.lock();
        if exit.is_none() {
            match killpg(self.pid, Signal::SIGKILL) {
                Ok(()) | Err(Errno::ESRCH) => {}
                Err(error) => return Err(error).with_context(|| format!("cannot kill {}", self.name)),
            }
        }
        drop(exit);
        self.wait(DEATH)
    }

    /// Waits for the end of the program.
    pub fn wait(&self, timeout: Duration) -> Result<Exit> {
        let exit = self.life.lock();
        let waited = self.life.ended.wait_timeout_while(exit, timeout, |exit| exit.is_none());
        let exit = *waited.unwrap_or_else(PoisonError::into_inner).0;
        exit.with_context(|| format!("{} still runs after {timeout:?}", self.name))
    }

    /// True until the program has ended.
    pub fn is_running(&self) -> bool {
        self.life.lock().is_none()
    }

    fn show_log(&self) {
        let lines = self.log.lines();
        if lines.is_empty() {
            return;
        }
        println!("--- log of {} ---", self.name);
        for line in lines {
            println!("{:>9.3} {}", log::since_start(line.at).as_secs_f64(), line.text);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Err(error) = self.kill_group() {
            println!("{} may have been left behind: {error:#}", self.name);
        }
        if self.shows_log.load(Ordering::Relaxed) {
            self.show_log();
        }
    }
}

impl Life {
    /// Reaps the program as soon as it ends. At once, because the kernel lets the init of a PID namespace end only when
    /// every process of the namespace is reaped.
    fn reap(&self, mut child: Child, pid: Pid) {
        while waitid(Id::Pid(pid), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT) == Err(Errno::EINTR) {}
        let at = Instant::now();
        let mut exit = self.lock();
        *exit = child.wait().ok().map(|status| Exit { status, at });
        self.ended.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Option<Exit>> {
        self.exit.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
