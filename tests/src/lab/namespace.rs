//! A network namespace with a unique name, removed on drop; on demand with PID and mount namespaces of its own.
//!
//! The name is `hf-<pid of the maker>-<counter>-<role>`, so `ip netns exec` works for a person who looks on, and the
//! sweep can tell whose it is.

use std::fs::{self, File};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use nix::sched::{CloneFlags, setns};

use super::init::Init;
use super::process::Process;
use super::{program, requirements, stall, sweep};

/// Every name of the lab begins so.
pub const PREFIX: &str = "hf-";

/// Shared by every lab on the machine, whatever its folder for temporary files.
pub(crate) const LOCK: &str = "/run/holdfast-lab.lock";

/// A network namespace, and the process 1 of its PID namespace if it has one.
#[derive(Debug)]
pub struct Namespace {
    name: String,
    network: File,
    init: Option<Init>,
}

impl Namespace {
    /// A network namespace only; its programs see the machine's processes and files.
    pub fn network(role: &str) -> Result<Self> {
        requirements::check()?;
        stall::start();
        sweep_once()?;
        let name = unique_name(role);
        add(&name)?;
        let path = format!("/run/netns/{name}");
        let network = File::open(&path).with_context(|| format!("cannot open {path}"))?;
        let namespace = Self { name, network, init: None };
        namespace.ip("link set lo up")?;
        Ok(namespace)
    }

    /// Network, PID and mount namespaces, with `/proc`, `/sys` and `/run` of its own: what runs here sees nothing of the
    /// programs of another node.
    pub fn isolated(role: &str) -> Result<Self> {
        let mut namespace = Self::network(role)?;
        namespace.init = Some(Init::start(&namespace.network)?);
        Ok(namespace)
    }

    /// The name, as `ip netns` shows it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs `work` on a thread that is inside the network namespace. Sockets that it opens stay there for ever.
    pub fn run<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let on_thread = || {
            self.enter_network()?;
            work()
        };
        let joined = thread::scope(|scope| scope.spawn(on_thread).join());
        joined.map_err(|_| anyhow!("a thread in {} panicked", self.name))?
    }

    /// Runs `work` on a thread that stays inside the network namespace for as long as it takes.
    pub fn spawn_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<JoinHandle<Result<T>>> {
        let network = self.network.try_clone().context("cannot copy the handle of a namespace")?;
        Ok(thread::spawn(move || {
            setns(&network, CloneFlags::CLONE_NEWNET).context("cannot enter a namespace")?;
            work()
        }))
    }

    /// Starts a program inside all namespaces. It dies with the returned handle.
    pub fn spawn(&self, name: &str, mut command: Command) -> Result<Process> {
        Process::adopt(name, self.run_as_parent(|| Process::spawn(&mut command))?)
    }

    /// Runs a short-lived program inside all namespaces and collects what it wrote.
    pub fn output(&self, mut command: Command) -> Result<Output> {
        self.run_as_parent(|| command.output().with_context(|| format!("cannot run {command:?}")))
    }

    /// Runs `work` on a thread whose children begin inside all namespaces: a process inherits those of the thread that
    /// forks it.
    fn run_as_parent<T: Send>(&self, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        self.run(|| {
            if let Some(init) = &self.init {
                init.enter()?;
            }
            work()
        })
    }

    fn enter_network(&self) -> Result<()> {
        setns(&self.network, CloneFlags::CLONE_NEWNET).with_context(|| format!("cannot enter {}", self.name))
    }

    /// Runs one `ip` command, given as it would be typed after `ip -n NAME`.
    pub fn ip(&self, arguments: &str) -> Result<String> {
        let words: Vec<&str> = ["-n", &self.name].into_iter().chain(arguments.split_whitespace()).collect();
        program::run("ip", &words)
    }

    /// Runs several `ip` commands, one a line, in one process.
    pub fn ip_batch(&self, lines: &str) -> Result<()> {
        program::run_with_input("ip", &["-n", &self.name, "-batch", "-"], lines).map(drop)
    }

    /// Loads an nftables rule set, all or nothing.
    pub fn nft(&self, rules: &str) -> Result<()> {
        self.run(|| program::run_with_input("nft", &["-f", "-"], rules).map(drop))
    }

    /// Sets a network sysctl by its path below `/proc/sys`, for example `net/ipv4/ip_forward`.
    pub fn set_sysctl(&self, path: &str, value: &str) -> Result<()> {
        let file = format!("/proc/sys/{path}");
        self.run(|| fs::write(&file, value).with_context(|| format!("cannot write {value} to {file}")))
    }

    /// Ends every process of the PID namespace at once, as a power failure would. Without a PID namespace of its own there
    /// is nothing to end.
    pub fn kill_everything(&mut self) {
        self.init = None;
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Processes first: they would keep the namespace alive beyond its name.
        self.kill_everything();
        if let Err(error) = delete(&self.name) {
            println!("cannot remove the namespace {}: {error:#}", self.name);
        }
    }
}

/// One user of `ip netns` at a time: two first calls at once would each mount the folder of names.
pub(super) fn lock() -> Result<File> {
    let file = File::create(LOCK).with_context(|| format!("cannot create {LOCK}"))?;
    file.lock().with_context(|| format!("cannot lock {LOCK}"))?;
    Ok(file)
}

pub(super) fn add(name: &str) -> Result<()> {
    let _one_at_a_time = lock()?;
    program::run("ip", &["netns", "add", name]).map(drop)
}

pub(super) fn delete(name: &str) -> Result<()> {
    let _one_at_a_time = lock()?;
    program::run("ip", &["netns", "del", name]).map(drop)
}

pub(crate) fn unique_name(role: &str) -> String {
    static COUNTER: AtomicU32 = AtomicU32::new(1);
    let counter = COUNTER.fetch_add(1, Ordering::Relaxed);
    format!("{PREFIX}{}-{counter}-{role}", std::process::id())
}

fn sweep_once() -> Result<()> {
    static SWEPT: std::sync::Once = std::sync::Once::new();
    let mut outcome = Ok(());
    SWEPT.call_once(|| outcome = sweep::sweep().map(drop));
    outcome.context("cannot remove what an earlier run left behind")
}
