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
use crate::network::address_worker::LinkNews;
use crate::network::interfaces::{InterfaceIndex, InterfaceTable, Link, NetworkChange, Placement};
use crate::network::netlink::Heard;

/// An address that the kernel took away this close before the end of its lease has expired.
const LEASE_TOLERANCE: Duration = Duration::from_millis(100);

/// An address that vanished although a group counts on it.
type Lost = (Seat, InterfaceIndex, IpAddr);

impl Driver {
    pub(super) fn hear_network(&mut self) {
        if self.ready.monitor {
            self.hear_reports();
        }
        if self.retry_reading.is_some_and(|due| due <= self.now) {
            self.resynchronize();
        }
    }

    fn hear_reports(&mut self) {
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
                NetworkChange::LinkSet(link) => self.note_name(link),
                NetworkChange::AddressSet(..) => {}
            }
            self.links.changed |= self.interfaces.apply(change);
        }
        lost
    }

    fn note_gone(&mut self, placement: &Placement, port: u32, lost: &mut Vec<Lost>) {
        let by_us = port == self.worker.port();
        if let holdings::Disappearance::Lost(seat) = self.holdings.disappeared(placement, by_us) {
            let lease = self.fence.lifetime(placement).as_duration().saturating_sub(LEASE_TOLERANCE);
            let expired =
                self.leases.renewed(placement).is_some_and(|renewed| self.now.saturating_since(renewed) >= lease);
            let cause = if expired && port == 0 { Disappearance::Expired } else { Disappearance::Removed };
            self.counted.leases_expired += u64::from(cause == Disappearance::Expired);
            self.vanished.insert((placement.interface, placement.address), cause);
            lost.push((seat, placement.interface, placement.address));
        }
    }

    fn note_name(&self, link: &Link) {
        let known = self.interfaces.get(link.index);
        if known.is_some_and(|known| known.link.name != link.name) {
            self.worker.note_links(LinkNews::Renamed);
        }
    }

    /// The kernel has removed its addresses; the groups there learn of it by their link.
    fn forget_interface(&mut self, interface: InterfaceIndex) {
        let gone = self.holdings.forget_interface(interface);
        self.end_leases(&gone);
        self.worker.note_links(LinkNews::Gone(interface));
        self.counted.interfaces.remove(&interface);
        self.forwarding.remove(&interface);
        self.links.warned_of_proxy_arp.remove(&interface);
        self.vanished.retain(|(index, _), _| *index != interface);
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
        self.retry_reading = None;
        if let Err(error) = self.read_network() {
            self.degraded(format!("the interfaces and addresses of the node cannot be read: {error}"));
            self.retry_reading = Some(self.now.saturating_add(RETRY_AFTER));
        }
    }

    /// Reads everything, removes what is left over and puts back what is missing.
    pub(super) fn read_network(&mut self) -> io::Result<()> {
        self.counted.resynchronizations += 1;
        // What has been done by now must be seen in what is read; what the reports say is older than it.
        self.settle_completed();
        self.monitor.discard();
        self.holdings.forget_reports();
        let mut table = InterfaceTable::default();
        for change in self.kernel.dump()? {
            table.apply(change);
        }
        self.kernel_marks |= keeps_marks(&table);
        let held: HashSet<Placement> = self.holdings.iter().map(|(placement, _)| placement).collect();
        let ownership = self.record.ownership(self.kernel_marks);
        let differences = compare(&table, &held, &ownership);
        // From here on the table has only what is not ours, as the reports will keep it.
        for placement in held.iter().chain(&differences.leftovers) {
            table.apply(NetworkChange::AddressGone { placement: *placement, port: 0 });
        }
        self.interfaces = table;
        self.links.changed = true;
        self.worker.note_links(LinkNews::Unknown);
        self.remove_leftovers(&differences.leftovers);
        let missing: HashSet<Placement> = differences.missing.into_iter().collect();
        let lost: Vec<Lost> = self
            .holdings
            .iter()
            .map(|(placement, seat)| (seat, placement.interface, placement.address, placement))
            // What is still on its way is not missing.
            .filter(|(seat, interface, address, placement)| {
                missing.contains(placement) && self.holdings.holds(*seat, *interface, *address)
            })
            .map(|(seat, interface, address, _)| (seat, interface, address))
            .collect();
        self.lose_addresses(lost);
        Ok(())
    }

    /// Counted when it is asked for; a failure counts as one as well.
    fn remove_leftovers(&mut self, leftovers: &[Placement]) {
        self.counted.leftovers_removed += leftovers.len() as u64;
        self.requested.remove_leftovers(leftovers);
        self.dispatch_requested();
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
