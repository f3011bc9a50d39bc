//! One cluster at a time on a machine: two would be too slow to test anything.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};

use anyhow::{Context, Result, bail};
use nix::unistd::Pid;

/// Shared by all users of the machine. Locked by its holder; its content says who that is.
const PATH: &str = "/run/holdfast-cluster.lock";

/// The right to run a cluster, until it is dropped or its process ends.
#[derive(Debug)]
pub(super) struct Lock(File);

/// Who runs a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its process.
    pub pid: Pid,
    /// What it says about itself.
    pub name: String,
}

impl Lock {
    /// Takes the lock for this process, or tells who holds it.
    pub(super) fn take() -> Result<Self> {
        let mut file = open()?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = read(&mut file)?;
                let Holder { pid, name } = holder.context("a cluster is just starting or ending; try again")?;
                bail!(
                    "process {pid} ({name}) runs a cluster; `make cluster-down` ends one that `make cluster` started"
                );
            }
            Err(TryLockError::Error(error)) => return Err(error).with_context(|| format!("cannot lock {PATH}")),
        }
        let program = std::env::args().next().unwrap_or_default();
        file.set_len(0)
            .and_then(|()| writeln!(file, "{} {program}", std::process::id()))
            .context("cannot sign the lock")?;
        Ok(Self(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Nothing depends on the content of a file that nobody has locked.
        let _ = self.0.set_len(0);
    }
}

/// Who runs a cluster now.
pub fn holder() -> Result<Option<Holder>> {
    let mut file = open()?;
    match file.try_lock() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => read(&mut file),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {PATH}")),
    }
}

/// Waits until nobody runs a cluster.
pub fn wait_until_free() -> Result<()> {
    open()?.lock().with_context(|| format!("cannot lock {PATH}"))
}

fn open() -> Result<File> {
    let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(PATH);
    options.with_context(|| format!("cannot open {PATH}; a cluster needs root"))
}

fn read(file: &mut File) -> Result<Option<Holder>> {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).with_context(|| format!("cannot read {PATH}"))?;
    let parse = |(pid, name): (&str, &str)| {
        Some(Holder { pid: Pid::from_raw(pid.parse().ok()?), name: name.trim().to_owned() })
    };
    Ok(text.split_once(' ').and_then(parse))
}
