//! Phase 2: addresses, and renewing them while they are held.

use std::net::IpAddr;

use holdfast_vrrp::{Action, Epoch};
use nix::errno::Errno;

use super::Driver;
use crate::election::engine::Requests;
use crate::election::holdings::{AddressProblem, Settled};
use crate::election::slot::Seat;
use crate::network::address_worker::{Completed, Task};
use crate::network::interfaces::{NetworkChange, Placement};
use crate::network::netlink::{AddressCommands, AddressRequest, Lifetime, Outcome};
use crate::network::ownership::OwnedAddress;

impl Driver {
    /// Orders all removals and additions, as one batch.
    pub(super) fn program_addresses(&mut self, requests: &Requests) {
        for (seat, interface, address) in std::mem::take(&mut self.abandoned) {
            self.holdings.remove(seat, interface, address, &mut self.requested);
        }
        for (slot, action) in requests.iter() {
            match *action {
                Action::RemoveAddress { member, address } => self.request_removal(Seat { slot, member }, address),
                Action::AddAddress { member, address, epoch } => {
                    self.request_addition(Seat { slot, member }, address, epoch);
                }
                _ => {}
            }
        }
        for (seat, address) in std::mem::take(&mut self.reshaped) {
            self.request_reshaping(seat, address);
        }
        self.dispatch_requested();
    }

    pub(super) fn dispatch_requested(&mut self) {
        if self.requested.is_empty() {
            return;
        }
        let requests = self.holdings.dispatch(&mut self.requested);
        let mut tasks = Vec::with_capacity(requests.len());
        for request in requests {
            let placement = request.placement();
            let guard = self.holdings.owner(&placement).and_then(|owner| self.guard(owner));
            if matches!(request, AddressRequest::Remove(_)) {
                self.leases.end(&placement);
                self.fence.guards.remove(&placement);
            } else {
                // Rather too early than too late: the kernel may keep the worker waiting.
                self.leases.begin(placement, self.fence.period(guard), self.now);
                self.fence.guards.insert(placement, guard);
            }
            tasks.push(Task { request, guard });
        }
        self.worker.program(tasks);
        self.record.outdate();
    }

    /// Takes in what the kernel has done since.
    pub(super) fn take_outcomes(&mut self) {
        if self.ready.worker {
            self.settle_completed();
            self.return_problems();
        }
    }

    pub(super) fn settle_completed(&mut self) {
        let completed: Vec<Completed> = self.worker.take_completed().collect();
        for completed in completed {
            match completed {
                Completed::Programmed(outcomes) => outcomes.into_iter().for_each(|outcome| self.settle(outcome)),
                Completed::Renewed { renewed, refused } => {
                    self.renewals = self.renewals.saturating_sub(1);
                    self.counted.leases_renewed += renewed as u64;
                    self.counted.renewals_refused += refused as u64;
                }
                Completed::Fence(news) => self.note_fence(news),
                Completed::Guarded => self.fence.note_changed(),
            }
        }
    }

    fn settle(&mut self, outcome: Outcome) {
        match self.holdings.settle(outcome) {
            Settled::Confirmed { placement, announce } => {
                self.confirmed.extend(announce.map(|seat| (seat, placement.address)));
            }
            Settled::Removed(placement) => {
                self.interfaces.apply(NetworkChange::AddressGone { placement, port: 0 });
            }
            Settled::NotRemoved(_) => self.counted.address_removal_failures += 1,
            Settled::Problem(placement, problem) => {
                self.leases.end(&placement);
                self.fence.guards.remove(&placement);
                self.problems.push(problem);
            }
            Settled::Superseded => {}
        }
    }

    fn request_removal(&mut self, seat: Seat, address: IpAddr) {
        let binding = self.engine.get(seat.slot).and_then(|running| running.binding(seat.member));
        if let Some(binding) = binding {
            self.holdings.remove(seat, binding.interface, address, &mut self.requested);
        }
    }

    fn request_addition(&mut self, seat: Seat, address: IpAddr, epoch: Epoch) {
        let Some(placement) = self.engine.get(seat.slot).and_then(|running| running.placement(seat.member, address))
        else {
            self.problems.push(AddressProblem::Failed { seat, address, epoch, error: Errno::ENODEV });
            return;
        };
        let present = self.interfaces.holds(placement.interface, address);
        if let Err(problem) = self.holdings.add(seat, placement, epoch, present, &mut self.requested) {
            self.problems.push(problem);
        }
    }

    fn request_reshaping(&mut self, seat: Seat, address: IpAddr) {
        let Some(running) = self.engine.get(seat.slot) else { return };
        let (Some(placement), epoch) = (running.placement(seat.member, address), running.group.epoch()) else { return };
        if self.holdings.wants(seat, placement.interface, address) {
            self.holdings.remove(seat, placement.interface, address, &mut self.requested);
            self.request_addition(seat, address, epoch);
        }
    }

    /// Orders the renewals that are due, unless some are still under way: with the kernel's lock taken they would pile
    /// up.
    pub(super) fn renew_leases(&mut self) {
        if self.renewals > 0 {
            return;
        }
        let due = self.leases.take_due(self.now);
        if !due.is_empty() {
            self.order_renewal(due);
        }
    }

    pub(super) fn order_renewal(&mut self, placements: Vec<Placement>) {
        self.renewals += 1;
        self.worker.renew(placements);
    }

    pub(super) fn end_leases(&mut self, placements: &[Placement]) {
        for placement in placements {
            self.leases.end(placement);
            self.fence.guards.remove(placement);
        }
        if !placements.is_empty() {
            self.record.outdate();
        }
    }

    /// Writes down what is held, for the next run.
    pub(super) fn record_owned(&mut self) {
        if !self.record.is_outdated() {
            return;
        }
        let name =
            |placement: &Placement| self.interfaces.get(placement.interface).map(|found| found.link.name.clone());
        let owned = self.holdings.iter().filter_map(|(placement, _)| {
            let (address, prefix_length) = (placement.address, placement.prefix_length);
            Some(OwnedAddress { interface: name(&placement)?, address, prefix_length })
        });
        let owned = owned.collect();
        self.record.write(owned);
    }

    /// Takes every address off the interfaces, whatever the groups think: the thread is about to end.
    pub(super) fn withdraw_everything(&mut self) {
        self.worker.stop();
        let removals: Vec<_> = self.holdings.iter().map(|(placement, _)| AddressRequest::Remove(placement)).collect();
        if let Ok(mut kernel) = AddressCommands::open() {
            kernel.execute(&removals, |_| Lifetime::SHORT, &mut Vec::new());
        }
    }
}
