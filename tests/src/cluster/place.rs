//! Where a server runs: on the machine itself, bound to the loopback interface, or on a host of the lab.

use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context, Result};

use crate::lab::{Host, Process};

/// `$1` is the file for the log, the rest the command.
///
/// The server replaces the shell, so a signal for the process reaches the server itself. The job in the background ends with
/// the standard input, whose other end this process alone holds, and takes the whole process group with it: also if this
/// process is killed.
const GUARDED: &str = r#"
log=$1; shift
exec 3<&0
{ cat <&3 >/dev/null; kill -KILL 0; } &
exec "$@" </dev/null 3<&- >>"$log" 2>&1
"#;

/// On a host, process 1 does what the guard does here.
const LOGGED: &str = r#"log=$1; shift; exec "$@" >>"$log" 2>&1"#;

/// Where servers run.
#[derive(Debug)]
pub(super) enum Place {
    /// The network of this machine.
    Machine,
    /// A host with namespaces of its own.
    Host(Arc<Host>),
}

impl Place {
    /// Starts a command that logs into a file.
    pub(super) fn spawn(&self, name: &str, command: &[String], log: &str) -> Result<Process> {
        let shell = |script: &str| {
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", script, name, log]).args(command);
            shell
        };
        match self {
            Self::Host(host) => host.spawn(name, shell(LOGGED)),
            Self::Machine => {
                let mut guarded = shell(GUARDED);
                guarded.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
                let child = guarded.spawn().with_context(|| format!("cannot start {name}"))?;
                Process::adopt(name, child)
            }
        }
    }
}
