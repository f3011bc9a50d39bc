//! Stage: what the groups ask for is done, phase by phase over all of them.
//!
//! First all adverts, then all addresses, then all announcements, then all messages: each in few system calls, and each
//! group's order holds. What fails goes back to the groups as events, and what they ask for then is done in another
//! round. Addresses are ordered here and programmed elsewhere; what is to be announced waits for its address.

use holdfast_vrrp::Event;

use super::Driver;
use crate::election::holdings::AddressProblem;
use crate::election::report::{Conflict, Report};
use crate::election::slot::Seat;

/// A failure leads to a fault, and a fault to a release: no chain is longer. What is left comes at the next wake-up.
const ROUNDS: usize = 8;

impl Driver {
    pub(super) fn carry_out(&mut self) {
        for _ in 0..ROUNDS {
            self.evaluate_links();
            let requests = self.engine.take_requests();
            let idle = requests.is_empty()
                && self.reshaped.is_empty()
                && self.abandoned.is_empty()
                && self.confirmed.is_empty();
            if !idle {
                self.send_adverts(&requests);
                self.program_addresses(&requests);
                self.announce(&requests);
                self.notify(&requests);
            }
            self.engine.give_back(requests);
            self.return_failures();
            if idle && !self.links.changed && !self.engine.has_requests() {
                return;
            }
        }
        self.counted.unfinished_rounds += 1;
    }

    fn return_failures(&mut self) {
        for seat in std::mem::take(&mut self.failed_adverts) {
            self.engine.handle(self.now, seat.slot, Event::SendFailed { member: seat.member });
        }
        self.return_problems();
    }

    pub(super) fn return_problems(&mut self) {
        for problem in std::mem::take(&mut self.problems) {
            match problem {
                AddressProblem::Failed { seat, address, epoch, error } => {
                    self.report_refused_address(seat, address, error);
                    let event = Event::AddressFailed { member: seat.member, address, epoch };
                    self.engine.handle(self.now, seat.slot, event);
                }
                AddressProblem::Foreign { seat, address } => self.report_foreign_address(seat, address),
            }
        }
    }

    fn report_refused_address(&mut self, seat: Seat, address: std::net::IpAddr, error: nix::errno::Errno) {
        let interface = self.interface_name(seat);
        let Some(running) = self.engine.get_mut(seat.slot) else { return };
        running.last_error = format!("{address} cannot be added to {interface}: {}", error.desc());
        let router = running.router_name(seat.member).to_owned();
        self.report(Report::AddressFailed { router, interface, address, error: error.desc().to_owned() });
    }

    /// The owner of an address (priority 255) finds it on its interface, of course.
    fn report_foreign_address(&mut self, seat: Seat, address: std::net::IpAddr) {
        let Some(running) = self.engine.get(seat.slot) else { return };
        if self.is_owner(seat) {
            return;
        }
        let (router, interface) = (running.router_name(seat.member).to_owned(), self.interface_name(seat));
        self.counted.foreign_addresses += 1;
        self.report(Report::AddressConflict { router, interface, address, conflict: Conflict::AlreadyPresent });
    }

    pub(super) fn is_owner(&self, seat: Seat) -> bool {
        let running = self.engine.get(seat.slot);
        running.and_then(|running| running.group.priority(seat.member)).is_some_and(holdfast_vrrp::Priority::is_owner)
    }

    /// The name of the interface that a virtual router runs on; empty while there is none.
    pub(super) fn interface_name(&self, seat: Seat) -> String {
        let binding = self.engine.get(seat.slot).and_then(|running| running.binding(seat.member));
        let interface = binding.and_then(|binding| self.interfaces.get(binding.interface));
        interface.map(|interface| interface.link.name.clone()).unwrap_or_default()
    }
}
