//! Phase 2: addresses, and renewing them while they are held.

use std::net::IpAddr;

use holdfast_vrrp::{Action, Epoch};
use nix::errno::Errno;

use super::Driver;
use crate::election::engine::Requests;
use crate::election::holdings::AddressProblem;
use crate::election::slot::Seat;
use crate::network::interfaces::{NetworkChange, Placement};
use crate::network::netlink::AddressRequest;
use crate::network::ownership::OwnedAddress;

impl Driver {
    /// All removals and additions in one batch; when this returns, the kernel has carried them out.
    pub(super) fn program_addresses(&mut self, requests: &Requests) {
        self.requested.clear();
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
        if !self.requested.requests().is_empty() {
            self.execute_requested();
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
        if self.holdings.holds(seat, placement.interface, address) {
            self.holdings.remove(seat, placement.interface, address, &mut self.requested);
            self.request_addition(seat, address, epoch);
        }
    }

    fn execute_requested(&mut self) {
        let removals = self.requested.requests().iter().filter(|request| matches!(request, AddressRequest::Remove(_)));
        self.keeper.forget(removals.map(AddressRequest::placement));
        self.outcomes.clear();
        self.kernel.execute(self.requested.requests(), &mut self.outcomes);
        self.problems.extend(self.holdings.settle(&self.requested, &self.outcomes));
        let now = self.clock.now();
        let mut held = Vec::new();
        for (request, outcome) in self.requested.requests().iter().zip(&self.outcomes) {
            let placement = request.placement();
            match (request, outcome) {
                (AddressRequest::Remove(_), outcome) => {
                    self.leases.end(&placement);
                    self.interfaces.apply(NetworkChange::AddressGone { placement, port: 0 });
                    let gone = matches!(outcome, Ok(()) | Err(Errno::EADDRNOTAVAIL | Errno::ENODEV));
                    self.counted.address_removal_failures += u64::from(!gone);
                }
                (_, Ok(())) => {
                    self.leases.begin(placement, now);
                    held.push(placement);
                }
                (_, Err(_)) => {}
            }
        }
        self.keeper.hold(held);
        self.record_outdated = true;
    }

    /// Asks for the renewals that are due.
    pub(super) fn renew_leases(&mut self) {
        let due = self.leases.take_due(self.now);
        if !due.is_empty() {
            self.keeper.renew(due);
        }
    }

    pub(super) fn end_leases(&mut self, placements: &[Placement]) {
        self.keeper.forget(placements.iter().copied());
        for placement in placements {
            self.leases.end(placement);
        }
        self.record_outdated |= !placements.is_empty();
    }

    /// Writes down what is held, for the next run.
    pub(super) fn record_owned(&mut self) {
        if !std::mem::take(&mut self.record_outdated) {
            return;
        }
        let name =
            |placement: &Placement| self.interfaces.get(placement.interface).map(|found| found.link.name.clone());
        let mut owned: Vec<OwnedAddress> = self
            .holdings
            .iter()
            .filter_map(|(placement, _)| {
                let (address, prefix_length) = (placement.address, placement.prefix_length);
                Some(OwnedAddress { interface: name(&placement)?, address, prefix_length })
            })
            .collect();
        owned.sort_unstable();
        self.owned.record(&owned);
        self.recorded = owned.into_iter().collect();
    }

    /// Takes every address off the interfaces, whatever the groups think: the thread is about to end.
    pub(super) fn withdraw_everything(&mut self) {
        let held: Vec<Placement> = self.holdings.iter().map(|(placement, _)| placement).collect();
        self.keeper.forget(held.iter().copied());
        let removals: Vec<_> = held.into_iter().map(AddressRequest::Remove).collect();
        self.kernel.execute(&removals, &mut Vec::new());
    }
}
