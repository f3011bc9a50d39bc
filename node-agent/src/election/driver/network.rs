//! Stage: the kernel reports changes of interfaces and addresses; or reports were lost, and everything is read anew.

use std::collections::HashSet;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Event;
use nix::sys::utsname::uname;

use super::{Driver, RETRY_AFTER};
use crate::election::holdings;
use crate::election::reconcile::compare;
use crate::election::report::{Disappearance, Report};
use crate::election::slot::Seat;
use crate::network::interfaces::{InterfaceIndex, InterfaceTable, NetworkChange, Placement};
use crate::network::netlink::{AddressRequest, Heard, LEASE_SECONDS};
use crate::network::ownership::Ownership;

/// An address that the kernel took away this close before the end of its lease has expired.
const LEASE_TOLERANCE: Duration = Duration::from_millis(100);

/// An address that vanished although a group counts on it.
type Lost = (Seat, InterfaceIndex, IpAddr);

impl Driver {
    pub(super) fn hear_network(&mut self) {
        let mut changes = std::mem::take(&mut self.changes);
        match self.monitor.read(&mut changes) {
            Ok(Heard::Everything) => {
                let lost = self.take_in(&mut changes);
                self.lose_addresses(lost);
            }
            Ok(Heard::Overrun) => {
                self.counted.netlink_overruns += 1;
                self.report(Report::NetlinkOverrun);
                self.resynchronize();
            }
            Err(error) => {
                self.degraded(format!("the kernel's reports about the network cannot be read: {error}"));
                self.resynchronize();
            }
        }
        changes.clear();
        self.changes = changes;
    }

    fn take_in(&mut self, changes: &mut Vec<NetworkChange>) -> Vec<Lost> {
        let mut lost = Vec::new();
        for change in changes.drain(..) {
            match &change {
                NetworkChange::AddressGone { placement, port } => self.note_gone(placement, *port, &mut lost),
                NetworkChange::LinkGone(interface) => self.forget_interface(*interface),
                NetworkChange::LinkSet(_) | NetworkChange::AddressSet(..) => {}
            }
            self.links_changed |= self.interfaces.apply(change);
        }
        lost
    }

    fn note_gone(&mut self, placement: &Placement, port: u32, lost: &mut Vec<Lost>) {
        let by_us = port == self.kernel.port();
        if let holdings::Disappearance::Lost(seat) = self.holdings.disappeared(placement, by_us) {
            let lease = Duration::from_secs(LEASE_SECONDS.into()).saturating_sub(LEASE_TOLERANCE);
            let expired =
                self.leases.renewed(placement).is_some_and(|renewed| self.now.saturating_since(renewed) >= lease);
            let cause = if expired && port == 0 { Disappearance::Expired } else { Disappearance::Removed };
            self.counted.leases_expired += u64::from(cause == Disappearance::Expired);
            self.vanished.insert((placement.interface, placement.address), cause);
            lost.push((seat, placement.interface, placement.address));
        }
    }

    /// The kernel has removed its addresses; the groups there learn of it by their link.
    fn forget_interface(&mut self, interface: InterfaceIndex) {
        let gone = self.holdings.forget_interface(interface);
        self.end_leases(&gone);
        self.counted.interfaces.remove(&interface);
        self.forwarding.remove(&interface);
        self.warned_of_proxy_arp.remove(&interface);
        self.vanished.retain(|(index, _), _| *index != interface);
        self.claimants.retain(|(index, _), _| *index != interface);
    }

    /// Tells the groups, after they know about their links: an interface that goes down loses addresses too.
    fn lose_addresses(&mut self, lost: Vec<Lost>) {
        if lost.is_empty() {
            return;
        }
        self.evaluate_links();
        for (seat, interface, address) in lost {
            self.engine.handle(self.now, seat.slot, Event::AddressDeleted { member: seat.member, address });
            let wanted = self
                .engine
                .get(seat.slot)
                .is_some_and(|running| running.group.installed(seat.member).any(|installed| installed == address));
            if !wanted {
                self.abandoned.push((seat, interface, address));
            }
        }
    }

    fn resynchronize(&mut self) {
        if let Err(error) = self.read_network() {
            self.degraded(format!("the interfaces and addresses of the node cannot be read: {error}"));
            self.retry_links = Some(self.now.saturating_add(RETRY_AFTER));
        }
    }

    /// Reads everything, removes what is left over and puts back what is missing.
    pub(super) fn read_network(&mut self) -> io::Result<()> {
        self.counted.resynchronizations += 1;
        // What the reports say is older than what is read now.
        self.monitor.discard();
        self.holdings.forget_reports();
        let mut table = InterfaceTable::default();
        for change in self.kernel.dump()? {
            table.apply(change);
        }
        self.kernel_marks |= keeps_marks(&table);
        let held: HashSet<Placement> = self.holdings.iter().map(|(placement, _)| placement).collect();
        let ownership = Ownership::new(self.recorded.iter().cloned(), self.kernel_marks);
        let differences = compare(&table, &held, &ownership);
        // From here on the table has only what is not ours, as the reports will keep it.
        for placement in held.iter().chain(&differences.leftovers) {
            table.apply(NetworkChange::AddressGone { placement: *placement, port: 0 });
        }
        self.interfaces = table;
        self.links_changed = true;
        self.remove_leftovers(&differences.leftovers);
        let owners: Vec<(Placement, Seat)> = self.holdings.iter().collect();
        let missing: HashSet<Placement> = differences.missing.into_iter().collect();
        let lost = owners.into_iter().filter(|(placement, _)| missing.contains(placement));
        self.lose_addresses(lost.map(|(placement, seat)| (seat, placement.interface, placement.address)).collect());
        Ok(())
    }

    fn remove_leftovers(&mut self, leftovers: &[Placement]) {
        self.keeper.forget(leftovers.iter().copied());
        let removals: Vec<_> = leftovers.iter().map(|placement| AddressRequest::Remove(*placement)).collect();
        let mut outcomes = Vec::new();
        self.kernel.execute(&removals, &mut outcomes);
        let removed = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        self.counted.leftovers_removed += removed as u64;
        self.counted.address_removal_failures += (outcomes.len() - removed) as u64;
    }
}

/// Whether the kernel keeps `IFA_PROTO`: some address has one, such as the kernel's own on `lo`, or it is recent enough.
fn keeps_marks(table: &InterfaceTable) -> bool {
    let mut addresses = table.iter().flat_map(|interface| &interface.addresses);
    addresses.any(|address| address.protocol.is_some()) || kernel_version().is_some_and(|version| version >= (5, 18))
}

fn kernel_version() -> Option<(u32, u32)> {
    let name = uname().ok()?;
    let mut parts = name.release().to_str()?.split(|character: char| !character.is_ascii_digit());
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
