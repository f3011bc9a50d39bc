//! The state folder: what one agent must remember across restarts.
//!
//! | file | holds |
//! | --- | --- |
//! | `lock` | nothing; it is locked for as long as the agent runs |
//! | `manifests.json` | the last good manifests of each file |
//! | `node-config.json` | the spec of the last good `NodeConfig` |
//! | `claims.json` | the names of the VirtualIPs whose status may name this node as master |
//! | `addresses.json` | the addresses that this agent has put on interfaces |
//!
//! Files are replaced whole, by a thread of their own: a slow or full disk never holds up an election. What could not be
//! written is counted, told once, and tried again until it succeeds or something newer takes its place.

mod writer;

use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use holdfast_crds::NodeConfigSpec;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use self::writer::Writer;

use crate::network::ownership::{OwnedAddress, OwnedAddresses};
use crate::source::{PackedManifests, SavedManifests};

const LOCK: &str = "lock";
const MANIFESTS: &str = "manifests.json";
const NODE_CONFIG: &str = "node-config.json";
const CLAIMS: &str = "claims.json";
const ADDRESSES: &str = "addresses.json";

/// Between two attempts to write what could not be written.
const RETRY: Duration = Duration::from_secs(5);

/// How long the end of the agent waits for the disk.
const LAST_WRITES: Duration = Duration::from_secs(2);

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
    lock: File,
}

impl StateDir {
    /// Makes the folder if need be, and locks it.
    pub fn open(path: &Path) -> Result<Self, StateDirError> {
        Self::open_with_retry(path, RETRY)
    }

    fn open_with_retry(path: &Path, retry: Duration) -> Result<Self, StateDirError> {
        let told = |path: &Path| path.display().to_string();
        fs::create_dir_all(path).map_err(|source| StateDirError::Create { path: told(path), source })?;
        let lock_path = path.join(LOCK);
        let open_failed = |source| StateDirError::OpenLock { path: told(&lock_path), source };
        let lock = open_lock(&lock_path).map_err(open_failed)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => StateDirError::InUse(told(path)),
            TryLockError::Error(source) => open_failed(source),
        })?;
        let writer = Writer::spawn(path.to_owned(), retry).map_err(StateDirError::Thread)?;
        Ok(Self { path: path.to_owned(), writer, lock })
    }

    /// What tells this folder from every other one on the node, also if two agents see theirs under one path. The same for
    /// all runs until the node boots. None if the file system cannot say.
    pub fn fingerprint(&self) -> Option<String> {
        let lock = self.lock.metadata().ok()?;
        Some(format!("{:x}-{:x}", lock.dev(), lock.ino()))
    }

    /// The manifests that an earlier run has saved.
    pub fn load_manifests(&self) -> SavedManifests {
        load(&self.path.join(MANIFESTS)).unwrap_or_default()
    }

    /// Saves manifests for the next run.
    pub fn save_manifests(&self, manifests: &PackedManifests) {
        self.writer.write_bytes(MANIFESTS, manifests.as_json().to_vec());
    }

    /// The spec of the `NodeConfig` that an earlier run has saved, if one has.
    pub fn load_node_config(&self) -> Option<NodeConfigSpec> {
        load(&self.path.join(NODE_CONFIG))
    }

    /// Saves the spec of a `NodeConfig` for the next run.
    pub fn save_node_config(&self, spec: &NodeConfigSpec) {
        self.writer.write(NODE_CONFIG, spec);
    }

    /// The names of the `VirtualIPs` that an earlier run has claimed.
    pub fn load_claims(&self) -> BTreeSet<String> {
        load(&self.path.join(CLAIMS)).unwrap_or_default()
    }

    /// Saves what is claimed for the next run.
    pub fn save_claims(&self, virtual_ips: &BTreeSet<String>) {
        self.writer.write(CLAIMS, virtual_ips);
    }

    /// The record of this agent's addresses.
    pub fn address_record(&self) -> AddressRecord {
        AddressRecord { path: self.path.join(ADDRESSES), writer: self.writer.clone() }
    }

    /// How often something could not be written.
    pub fn write_failures(&self) -> u64 {
        self.writer.failures()
    }

    /// Waits until everything that was recorded is written, or cannot be. For the end of the agent: what it held last
    /// must not be taken for what the next run finds. Not from the election thread, because it blocks.
    pub fn finish(&self) {
        if !self.writer.flush(LAST_WRITES) {
            tracing::warn!(folder = %self.path.display(), "the state folder could not be written in time");
        }
    }
}

/// On a broken disk, which the kernel has made read-only, the file of an earlier run does as well.
fn open_lock(path: &Path) -> io::Result<File> {
    let made = File::options().create(true).truncate(false).write(true).open(path);
    made.or_else(|error| File::open(path).map_err(|_| error))
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

#[cfg(test)]
mod tests {
    use std::thread;
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
    fn a_full_disk_is_counted_and_what_it_had_no_room_for_is_written_later() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::open_with_retry(folder.path(), Duration::from_millis(20)).expect("opened");
        let mut record = state.address_record();
        record.record(&[owned("192.0.2.1")]);
        state.finish();
        // Whatever is written to this device fails as on a full disk, also for root.
        let draft = folder.path().join(format!("{ADDRESSES}.new"));
        let fill = || std::os::unix::fs::symlink("/dev/full", &draft).expect("a link");

        fill();
        record.record(&[owned("192.0.2.2")]);
        eventually("counted", || state.write_failures() > 0);
        eventually("written", || record.load() == [owned("192.0.2.2")]);
        assert_eq!(state.write_failures(), 1);
        assert!(!draft.exists(), "half a file helps nobody");
    }

    #[test]
    fn nothing_is_lost_by_an_end_right_after_a_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(folder.path()).expect("opened");
        let mut record = state.address_record();
        for last in 0..100 {
            record.record(&[owned(&format!("192.0.2.{last}"))]);
        }
        state.finish();
        assert_eq!(record.load(), [owned("192.0.2.99")]);
    }

    #[test]
    fn the_end_does_not_wait_for_a_disk_that_stays_full() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = StateDir::open(folder.path()).expect("opened");
        // A folder in the way of the draft makes every attempt fail.
        fs::create_dir(folder.path().join(format!("{ADDRESSES}.new"))).expect("a folder");
        state.address_record().record(&[owned("192.0.2.1")]);
        state.finish();
        let attempts = state.write_failures();
        assert!((1..=2).contains(&attempts), "it was tried, at most once more for the end, not {attempts} times");
    }
}
