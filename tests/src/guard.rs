//! The process around a program that makes namespaces, processes and folders: they outlive one that is interrupted or killed
//! in the middle of a step, so a child does the work, and its parent does nothing but wait and clean up.

use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitCode};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::lab::{sweep, wait};

/// How long killed processes may take to disappear.
const DEATH: Duration = Duration::from_secs(20);

/// Tells the child that it is one.
const INNER: &str = "HOLDFAST_INNER";

/// Whether this process is the child that does the work.
pub fn is_inner() -> bool {
    std::env::var_os(INNER).is_some()
}

/// Undoes what the child inherited: programs that it starts must hear the signals that only the parent waits for.
pub fn listen_to_signals_again() -> Result<()> {
    awaited_signals().thread_unblock().context("cannot unblock signals")
}

fn awaited_signals() -> SigSet {
    [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP].into_iter().collect()
}

/// Runs this program again as a child with the same arguments, and removes everything that it leaves behind: also after
/// an interrupt (the exit code is 130 then), also if it is killed.
pub fn run() -> Result<ExitCode> {
    // What the child started falls to this process when the child is killed.
    prctl::set_child_subreaper(true).context("cannot adopt orphans")?;
    let folder = tempfile::Builder::new().prefix("hf-guard-").tempdir().context("cannot make a temporary folder")?;
    let signals = awaited_signals();
    signals.thread_block().context("cannot block signals")?;
    let mut command = Command::new(std::env::current_exe().context("cannot tell where this program lies")?);
    command.args(std::env::args_os().skip(1)).env(INNER, "1").env("TMPDIR", folder.path());
    // A group of its own: Ctrl-C reaches the parent, which then ends the child.
    let mut child = command.process_group(0).spawn().context("cannot start the program")?;
    let pid = Pid::from_raw(i32::try_from(child.id()).context("a process id too large")?);
    thread::spawn(move || {
        if let Ok(signal) = signals.wait() {
            println!("\n{signal}: cleaning up");
            // If it has ended by itself meanwhile, there is nothing to end.
            let _ = kill(pid, Signal::SIGKILL);
        }
    });
    let code = exit_code(&mut child)?;
    remove_leftovers().context("cannot remove what it left behind")?;
    folder.close().context("cannot remove the temporary folder")?;
    Ok(code)
}

/// Waits until every process has ended and nothing of theirs is left. A cluster has removers of its own, which are at it at
/// this moment too, and a sweep may find a thing gone that it saw before.
fn remove_leftovers() -> Result<()> {
    wait::until("every process has ended", DEATH, || Ok(sweep::sweep().is_ok() && reap() == Err(Errno::ECHILD)))
        .or_else(|error| sweep::sweep().and(Err(error)))?;
    sweep::sweep().map(drop)
}

/// Collects the orphans that have ended; `ECHILD` when there is none any more, neither ended nor alive.
fn reap() -> nix::Result<()> {
    while waitpid(None, Some(WaitPidFlag::WNOHANG))? != WaitStatus::StillAlive {}
    Ok(())
}

fn exit_code(child: &mut Child) -> Result<ExitCode> {
    let status = child.wait().context("cannot wait for the program")?;
    let code = status.code().or_else(|| status.signal().map(|_| 130)).unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}
