//! What this agent has put on interfaces, remembered for its next run.

use std::collections::HashSet;

use crate::network::ownership::{OwnedAddress, OwnedAddresses, Ownership};

/// The record, and whether it is up to date.
pub(super) struct Record {
    store: Box<dyn OwnedAddresses>,
    known: HashSet<OwnedAddress>,
    outdated: bool,
}

impl Record {
    /// What the last run has left. It is out of date if that was anything: this run has no address yet.
    pub(super) fn load(mut store: Box<dyn OwnedAddresses>) -> Self {
        let known: HashSet<OwnedAddress> = store.load().into_iter().collect();
        let outdated = !known.is_empty();
        Self { store, known, outdated }
    }

    /// Which addresses are ours by this record, on a kernel that keeps marks or not.
    pub(super) fn ownership(&self, kernel_marks: bool) -> Ownership {
        Ownership::new(self.known.iter().cloned(), kernel_marks)
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
        self.outdated = false;
    }
}
