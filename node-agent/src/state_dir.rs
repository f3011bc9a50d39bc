//! The state folder: what one agent must remember across restarts.
//!
//! | file | holds |
//! | --- | --- |
//! | `lock` | nothing; it is locked for as long as the agent runs |
//! | `manifests.json` | the last good manifests of each file |
//! | `addresses.json` | the addresses that this agent has put on interfaces |
//!
//! Files are replaced whole, by a thread of their own: a slow or full disk never holds up an election. What could not be
//! written is counted, told once, and tried again until it succeeds or something newer takes its place.

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::network::ownership::{OwnedAddress, OwnedAddresses};
use crate::source::SavedManifests;

const LOCK: &str = "lock";
const MANIFESTS: &str = "manifests.json";
const ADDRESSES: &str = "addresses.json";

/// Between two attempts to write what could not be written.
const RETRY: Duration = Duration::from_secs(5);

/// Why the state folder cannot be used.
#[derive(Debug, Error)]
pub enum StateDirError {
    /// The folder cannot be made.
    #[error("cannot make the state folder {path}: {source}")]
    Create {
        /// The folder.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// The lock file cannot be opened.
    #[error("cannot open {path}: {source}")]
    OpenLock {
        /// The lock file.
        path: String,
        /// What the system said.
        source: io::Error,
    },
    /// Another agent runs with this folder.
    #[error(
        "another agent runs with the state folder {0}: stop it, or give this one a folder of its own (--state-dir)"
    )]
    InUse(String),
    /// The writing thread cannot be started.
    #[error("cannot start the thread that writes the state folder: {0}")]
    Thread(io::Error),
}

/// The state folder of this agent, locked.
pub struct StateDir {
    path: PathBuf,
    writer: Writer,
    /// Locked until it is closed.
    _lock: File,
}

impl StateDir {
    /// Makes the folder if need be, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        let told = |path: &Path| path.display().to_string();
        fs::create_dir_all(path).map_err(|source| StateDirError::Create { path: told(path), source })?;
        let lock_path = path.join(LOCK);
        let open_failed = |source| StateDirError::OpenLock { path: told(&lock_path), source };
        let lock = File::options().create(true).truncate(false).write(true).open(&lock_path).map_err(open_failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateDirError::InUse(told(path)),
            TryLockError::Error(source) => open_failed(source),
        })?;
        let writer = Writer::spawn(path.to_owned()).map_err(StateDirError::Thread)?;
        Ok(Self { path: path.to_owned(), writer, _lock: lock })
    }

    /// The manifests that an earlier run has saved.
    pub fn load_manifests(&self) -> SavedManifests {
        load(&self.path.join(MANIFESTS)).unwrap_or_default()
    }

    /// Saves manifests for the next run.
    pub fn save_manifests(&self, manifests: &SavedManifests) {
        self.writer.write(MANIFESTS, manifests);
    }

    /// The record of this agent's addresses.
    pub fn address_record(&self) -> AddressRecord {
        AddressRecord { path: self.path.join(ADDRESSES), writer: self.writer.clone() }
    }

    /// How often something could not be written.
    pub fn write_failures(&self) -> u64 {
        self.writer.failures.load(Ordering::Relaxed)
    }
}

/// The record of addresses, in a file.
pub struct AddressRecord {
    path: PathBuf,
    writer: Writer,
}

#[derive(Serialize, Deserialize)]
struct RecordedAddress {
    interface: String,
    address: std::net::IpAddr,
    prefix_length: u8,
}

impl OwnedAddresses for AddressRecord {
    fn load(&mut self) -> Vec<OwnedAddress> {
        let recorded: Vec<RecordedAddress> = load(&self.path).unwrap_or_default();
        let owned =
            |RecordedAddress { interface, address, prefix_length }| OwnedAddress { interface, address, prefix_length };
        recorded.into_iter().map(owned).collect()
    }

    fn record(&mut self, owned: &[OwnedAddress]) {
        let recorded = |owned: &OwnedAddress| RecordedAddress {
            interface: owned.interface.clone(),
            address: owned.address,
            prefix_length: owned.prefix_length,
        };
        self.writer.write(ADDRESSES, &owned.iter().map(recorded).collect::<Vec<_>>());
    }
}

/// What is in a file; nothing if there is none, or if it makes no sense.
fn load<T: DeserializeOwned>(path: &Path) -> Option<T> {
    match fs::read(path) {
        Ok(bytes) => match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "ignoring a state file that makes no sense");
                None
            }
        },
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(error) => {
            tracing::warn!(file = %path.display(), %error, "cannot read a state file");
            None
        }
    }
}

/// Hands files to the writing thread.
#[derive(Clone)]
struct Writer {
    queue: Sender<(&'static str, Vec<u8>)>,
    failures: Arc<AtomicU64>,
}

impl Writer {
    fn spawn(folder: PathBuf) -> io::Result<Self> {
        let (queue, files) = channel();
        let failures = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&failures);
        thread::Builder::new()
            .name("state-writer".to_owned())
            .spawn(move || write_until_closed(&folder, &files, &counted))?;
        Ok(Self { queue, failures })
    }

    /// Never blocks. The thread ends with the last writer, so it is there.
    fn write<T: Serialize + ?Sized>(&self, file: &'static str, content: &T) {
        match serde_json::to_vec(content) {
            Ok(bytes) => drop(self.queue.send((file, bytes))),
            Err(error) => tracing::error!(file, %error, "cannot put state into JSON"),
        }
    }
}

fn write_until_closed(folder: &Path, files: &Receiver<(&'static str, Vec<u8>)>, failures: &AtomicU64) {
    // The newest content of each file that is not written yet.
    let mut pending = BTreeMap::new();
    let mut failing = false;
    loop {
        let received = if pending.is_empty() {
            files.recv().map_err(|_| RecvTimeoutError::Disconnected)
        } else {
            files.recv_timeout(RETRY)
        };
        match received {
            Ok((file, bytes)) => drop(pending.insert(file, bytes)),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        pending.extend(files.try_iter());
        let result = write_pending(folder, &mut pending);
        match (&result, failing) {
            (Err(error), false) => {
                tracing::warn!(folder = %folder.display(), %error, "cannot write the state folder; trying again, elections go on");
            }
            (Ok(()), true) => tracing::info!(folder = %folder.display(), "the state folder can be written again"),
            _ => {}
        }
        if result.is_err() {
            failures.fetch_add(1, Ordering::Relaxed);
        }
        failing = result.is_err();
    }
}

fn write_pending(folder: &Path, pending: &mut BTreeMap<&'static str, Vec<u8>>) -> io::Result<()> {
    while let Some(entry) = pending.first_entry() {
        replace(folder, entry.key(), entry.get())?;
        entry.remove();
    }
    Ok(())
}

/// A reader, and the next run, see the old content or the new, never half of it.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&draft, folder.join(name))
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn owned(address: &str) -> OwnedAddress {
        OwnedAddress { interface: "eth0".to_owned(), address: address.parse().expect("an address"), prefix_length: 32 }
    }

    fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(15);
        while !condition() {
            assert!(Instant::now() < deadline, "never: {what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn a_folder_serves_one_agent_at_a_time() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = StateDir::open(folder.path()).expect("the first");
        assert!(matches!(StateDir::open(folder.path()), Err(StateDirError::InUse(_))));
        drop(first);
        StateDir::open(folder.path()).expect("after the first has gone");
    }

    #[test]
    fn the_newest_record_is_read_back_by_the_next_run() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(folder.path()).expect("opened");
        let mut record = state.address_record();
        record.record(&[owned("192.0.2.1")]);
        record.record(&[owned("192.0.2.2")]);
        let mut next = state.address_record();
        eventually("written", || next.load() == [owned("192.0.2.2")]);
    }

    #[test]
    fn a_file_that_makes_no_sense_counts_as_empty() {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join(MANIFESTS), "{").expect("a file");
        let state = StateDir::open(folder.path()).expect("opened");
        assert_eq!(state.load_manifests(), SavedManifests::default());
    }

    #[test]
    fn what_cannot_be_written_is_counted_and_written_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(folder.path()).expect("opened");
        // A folder in the way of the draft makes every attempt fail, also for root.
        let obstacle = folder.path().join(format!("{ADDRESSES}.new"));
        fs::create_dir(&obstacle).expect("a folder");
        let mut record = state.address_record();
        record.record(&[owned("192.0.2.1")]);
        eventually("counted", || state.write_failures() > 0);
        fs::remove_dir(&obstacle).expect("removed");
        eventually("written", || record.load() == [owned("192.0.2.1")]);
    }
}
