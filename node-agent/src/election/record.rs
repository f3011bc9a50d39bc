//! What this agent has put on interfaces, remembered for its next run.

use std::collections::HashSet;
use std::net::IpAddr;

use crate::network::ownership::{OwnedAddress, OwnedAddresses, Ownership};

/// The record, and whether it is up to date.
pub(super) struct Record {
    store: Box<dyn OwnedAddresses>,
    known: HashSet<OwnedAddress>,
    /// What the last run has fenced: it may have been killed before it could write anything down.
    fenced: Vec<(String, IpAddr)>,
    outdated: bool,
}

impl Record {
    /// What the last run has left. It is out of date if that was anything: this run has no address yet.
    pub(super) fn load(mut store: Box<dyn OwnedAddresses>, fenced: Vec<(String, IpAddr)>) -> Self {
        let known: HashSet<OwnedAddress> = store.load().into_iter().collect();
        let outdated = !known.is_empty() || !fenced.is_empty();
        Self { store, known, fenced, outdated }
    }

    /// Which addresses are ours by this record, on a kernel that keeps marks or not.
    pub(super) fn ownership(&self, kernel_marks: bool) -> Ownership {
        Ownership::new(self.known.iter().cloned(), kernel_marks).and_fenced(self.fenced.iter().cloned())
    }

    /// Something was added or removed.
    pub(super) fn outdate(&mut self) {
        self.outdated = true;
    }

    /// Whether it has to be written anew.
    pub(super) fn is_outdated(&self) -> bool {
        self.outdated
    }

    /// Writes it anew.
    pub(super) fn write(&mut self, mut owned: Vec<OwnedAddress>) {
        owned.sort_unstable();
        self.store.record(&owned);
        self.known = owned.into_iter().collect();
        self.fenced.clear();
        self.outdated = false;
    }
}
