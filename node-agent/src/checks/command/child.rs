//! A running command: its process group, its output, its end.

use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::thread;

use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::waitpid;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;

use super::output::Output;
use super::program::Program;
use crate::readable::Readable;
use crate::system;

/// Where a command finds other programs.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
/// How much a full pipe can still hold when its writers are dead, in bytes (pipe(7)).
const PIPE_CAPACITY: usize = 64 << 10;

/// A command that was started. When this is dropped, its process group is killed.
pub(super) struct Child {
    process: std::process::Child,
    /// The leader is a child of ours: until it is reaped, no other process group can have its number.
    group: Pid,
    end: Readable,
    pipe: pipe::Receiver,
    output: Output,
    status: Option<ExitStatus>,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct End {
    pub(super) status: ExitStatus,
    /// The last line that it wrote.
    pub(super) last_line: Option<String>,
}

impl End {
    pub(super) fn signal(&self) -> Option<Signal> {
        self.status.signal().and_then(|number| Signal::try_from(number).ok())
    }
}

impl Child {
    /// Starts `program` for the named check, in a process group of its own. It may block. Must be called on the runtime, and
    /// on a thread that outlives the program: the kernel kills the program when that thread ends.
    pub(super) fn start(program: &Program, check: &str) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let mut command = Command::new(&program.path);
        command
            .args(&program.arguments)
            .env_clear()
            .env("PATH", PATH)
            .env("HOLDFAST_CHECK", check)
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0)
            // Leaving root's user also leaves its supplementary groups.
            .gid(program.group.as_raw())
            .uid(program.user.as_raw());
        system::confine(&mut command);
        let mut process = command.spawn()?;
        match follow(&process, reader.into()) {
            Ok((group, end, pipe)) => Ok(Self { process, group, end, pipe, output: Output::default(), status: None }),
            Err(error) => {
                process.kill()?;
                process.wait()?;
                Err(error)
            }
        }
    }

    /// The process ID of the program.
    pub(super) fn number(&self) -> u32 {
        self.process.id()
    }

    /// Waits until the program has ended, reading its output, then kills what it left behind in its group.
    pub(super) async fn run(&mut self) -> io::Result<End> {
        let mut buffer = vec![0; 16 << 10];
        let mut is_open = true;
        loop {
            tokio::select! {
                ended = self.end.wait() => {
                    ended?;
                    break;
                }
                read = self.pipe.read(&mut buffer), if is_open => match read {
                    Ok(length @ 1..) => self.output.push(buffer.get(..length).unwrap_or_default()),
                    Ok(0) | Err(_) => is_open = false,
                },
            }
        }
        self.kill();
        self.read_rest(&mut buffer);
        let status = self.reap()?.ok_or_else(|| io::Error::other("it has ended without a status"))?;
        Ok(End { status, last_line: self.output.last_line() })
    }

    /// Kills the whole process group.
    pub(super) fn kill(&self) {
        // It fails if there is no such group any more, which is what is wanted.
        let _ = killpg(self.group, Signal::SIGKILL);
    }

    /// Waits until the program is gone.
    pub(super) async fn gone(&mut self) {
        if self.end.wait().await.is_ok() {
            let _ = self.reap();
        }
    }

    /// Whether the program is gone by now.
    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.reap(), Ok(None))
    }

    fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        if self.status.is_none() {
            self.status = self.process.try_wait()?;
        }
        Ok(self.status)
    }

    /// Takes what the dead wrote last. A process that left the group may still write: nobody waits for it.
    ///
    /// The descriptor is asked itself, as the runtime may not have heard yet that there is something to read.
    fn read_rest(&mut self, buffer: &mut [u8]) {
        let mut rest = PIPE_CAPACITY;
        while let Ok(length @ 1..) = nix::unistd::read(&self.pipe, buffer) {
            self.output.push(buffer.get(..length).unwrap_or_default());
            rest = rest.saturating_sub(length);
            if rest == 0 {
                break;
            }
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.status.is_some() {
            return;
        }
        self.kill();
        let leader = self.group;
        // Dying takes a moment, or long in an uninterruptible system call; whoever drops this must not wait for it.
        let reaper = thread::Builder::new().name("reaper".to_owned()).spawn(move || waitpid(leader, None));
        if let Err(error) = reaper {
            tracing::warn!(process = leader.as_raw(), %error, "a killed command stays as a zombie");
        }
    }
}

/// What is needed to follow a process: its group, the notice of its end, its output.
fn follow(process: &std::process::Child, output: OwnedFd) -> io::Result<(Pid, Readable, pipe::Receiver)> {
    let number = i32::try_from(process.id()).map_err(io::Error::other)?;
    let pid = rustix::process::Pid::from_raw(number).ok_or(ErrorKind::InvalidData)?;
    let end = Readable::new(pidfd_open(pid, PidfdFlags::empty())?)?;
    Ok((Pid::from_raw(number), end, pipe::Receiver::from_owned_fd(output)?))
}
