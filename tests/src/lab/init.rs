//! Process 1 of a node: it owns the node's PID and mount namespaces and reaps its orphans.
//!
//! It ends when its standard input closes. The write end is held here and nowhere else, so the node's processes end with
//! the handle, and also when this process is killed and can run no destructor: the kernel closes the pipe, the init
//! exits, and the kernel kills what is left in its PID namespace.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result, anyhow, ensure};
use nix::sched::{CloneFlags, setns, unshare};

/// `wait` collects every child that ends, adopted orphans too, until the one that waits for the end of input ends. The
/// descriptor is copied because a shell gives its background jobs an empty standard input.
const SCRIPT: &str = r"
set -e
mount --make-rprivate /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
echo ready
exec 3<&0
{ read -r _ <&3 || :; } &
wait
";

#[derive(Debug)]
pub(super) struct Init {
    child: Child,
    mounts: File,
    processes: File,
}

impl Init {
    /// Starts process 1 with PID and mount namespaces of its own, in the given network namespace.
    pub(super) fn start(network: &File) -> Result<Self> {
        let mut child = thread::scope(|scope| scope.spawn(|| spawn(network)).join())
            .map_err(|_| anyhow!("the thread that starts a node's init panicked"))??;
        await_ready(&mut child)?;
        let pid = child.id();
        let open = |kind: &str| {
            let path = format!("/proc/{pid}/ns/{kind}");
            File::open(&path).with_context(|| format!("cannot open {path}"))
        };
        let (mounts, processes) = (open("mnt")?, open("pid")?);
        Ok(Self { child, mounts, processes })
    }

    /// Moves the calling thread into the mount namespace and its future children into the PID namespace. There is no way
    /// back: use a thread that ends soon.
    pub(super) fn enter(&self) -> Result<()> {
        // The kernel moves a thread to other mounts only if it shares its working folder with no other thread.
        unshare(CloneFlags::CLONE_FS).context("cannot separate the thread's working folder")?;
        setns(&self.mounts, CloneFlags::CLONE_NEWNS).context("cannot enter the mount namespace")?;
        setns(&self.processes, CloneFlags::CLONE_NEWPID).context("cannot enter the PID namespace")
    }
}

/// Runs on a thread of its own, whose namespaces the child inherits and which nobody uses afterwards.
fn spawn(network: &File) -> Result<Child> {
    setns(network, CloneFlags::CLONE_NEWNET).context("cannot enter the network namespace")?;
    unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID).context("cannot make PID and mount namespaces")?;
    let mut command = Command::new("/bin/sh");
    command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().context("cannot start a node's init")
}

fn await_ready(child: &mut Child) -> Result<()> {
    let stdout = child.stdout.take().context("a node's init has no standard output")?;
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).context("cannot read from a node's init")?;
    ensure!(line == "ready\n", "a node's init failed: see its message above");
    Ok(())
}

impl Drop for Init {
    fn drop(&mut self) {
        // SIGKILL from outside ends a process 1, and the kernel ends the rest of its PID namespace before `wait` returns.
        let killed = self.child.kill().and_then(|()| self.child.wait());
        if let Err(error) = killed {
            println!("cannot end a node's init: {error}");
        }
    }
}
