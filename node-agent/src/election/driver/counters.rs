//! What the thread counts beside what the virtual routers count.

use std::collections::BTreeMap;

use nix::errno::Errno;

use crate::network::interfaces::InterfaceIndex;

/// Counts since the thread started. All only grow.
#[derive(Debug, Default)]
pub(super) struct Counted {
    pub(super) wake_ups: u64,
    pub(super) late_wake_ups: u64,
    pub(super) receive_budget_exhausted: u64,
    pub(super) netlink_overruns: u64,
    pub(super) resynchronizations: u64,
    pub(super) address_removal_failures: u64,
    pub(super) foreign_addresses: u64,
    pub(super) leftovers_removed: u64,
    pub(super) leases_renewed: u64,
    pub(super) leases_expired: u64,
    pub(super) renewals_refused: u64,
    pub(super) unfinished_rounds: u64,
    pub(super) fence_restored: u64,
    pub(super) fence_dropped_packets: u64,
    pub(super) interfaces: BTreeMap<InterfaceIndex, InterfaceCounted>,
}

/// Counts of one interface, until it is deleted.
#[derive(Debug, Default)]
pub(super) struct InterfaceCounted {
    pub(super) packets_received: u64,
    pub(super) unknown_virtual_router: u64,
    pub(super) receive_drops: u64,
    /// By the name of the check that failed.
    pub(super) malformed: BTreeMap<&'static str, u64>,
    pub(super) neighbor_claims: u64,
    /// By error number.
    pub(super) adverts_failed: BTreeMap<i32, u64>,
    /// By error number.
    pub(super) announcements_failed: BTreeMap<i32, u64>,
}

impl Counted {
    pub(super) fn interface(&mut self, interface: InterfaceIndex) -> &mut InterfaceCounted {
        self.interfaces.entry(interface).or_default()
    }

    /// Under names that do not change.
    pub(super) fn named(&self) -> BTreeMap<String, u64> {
        let counts = [
            ("wake_ups", self.wake_ups),
            ("late_wake_ups", self.late_wake_ups),
            ("receive_budget_exhausted", self.receive_budget_exhausted),
            ("netlink_overruns", self.netlink_overruns),
            ("resynchronizations", self.resynchronizations),
            ("address_removal_failures", self.address_removal_failures),
            ("foreign_addresses", self.foreign_addresses),
            ("leftovers_removed", self.leftovers_removed),
            ("leases_renewed", self.leases_renewed),
            ("leases_expired", self.leases_expired),
            ("renewals_refused", self.renewals_refused),
            ("unfinished_rounds", self.unfinished_rounds),
            ("fence_restored", self.fence_restored),
            ("fence_dropped_packets", self.fence_dropped_packets),
        ];
        counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect()
    }
}

impl InterfaceCounted {
    /// Under names that do not change; failed sends by the name of the error, in lower case.
    pub(super) fn named(&self) -> BTreeMap<String, u64> {
        let mut counts = BTreeMap::from([
            ("packets_received".to_owned(), self.packets_received),
            ("unknown_virtual_router".to_owned(), self.unknown_virtual_router),
            ("receive_drops".to_owned(), self.receive_drops),
            ("neighbor_claims".to_owned(), self.neighbor_claims),
        ]);
        counts.extend(self.malformed.iter().map(|(name, count)| (format!("malformed_{name}"), *count)));
        let error = |number: &i32| format!("{:?}", Errno::from_raw(*number)).to_lowercase();
        counts.extend(self.adverts_failed.iter().map(|(number, n)| (format!("adverts_failed_{}", error(number)), *n)));
        let failed = self.announcements_failed.iter();
        counts.extend(failed.map(|(number, n)| (format!("announcements_failed_{}", error(number)), *n)));
        counts
    }

    pub(super) fn advert_failed(&mut self, error: Errno) {
        *self.adverts_failed.entry(error as i32).or_default() += 1;
    }

    pub(super) fn announcement_failed(&mut self, error: Errno) {
        *self.announcements_failed.entry(error as i32).or_default() += 1;
    }
}
