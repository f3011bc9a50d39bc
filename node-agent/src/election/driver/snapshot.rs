//! The state of everything, copied for whoever asks.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use holdfast_vrrp::{MemberIndex, Reason};

use super::Driver;
use super::notices::explain;
use crate::election::command::Question;
use crate::election::raw_snapshot::{RawRouter, RawSnapshot};
use crate::election::running::{Binding, RunningGroup};
use crate::election::slot::{Seat, Slot};
use crate::network::interfaces::{Interface, InterfaceIndex};
use crate::snapshot::InterfaceSnapshot;
use crate::subnet::Subnet;

impl Driver {
    /// Whoever asked may have gone meanwhile.
    pub(super) fn answer_questions(&mut self) {
        for question in std::mem::take(&mut self.questions) {
            match question {
                Question::Snapshot(answer) => drop(answer.send(self.snapshot())),
                Question::IsThere(answer) => drop(answer.send(())),
                Question::IsMaster(virtual_ip, answer) => drop(answer.send(self.is_master(&virtual_ip))),
            }
        }
    }

    fn is_master(&self, virtual_ip: &str) -> bool {
        let mut groups = self.engine.iter().map(|(_, running)| running).filter(|running| {
            !running.leaving && running.desired.routers.iter().any(|router| router.virtual_ip == virtual_ip)
        });
        let first = groups.next();
        first.is_some_and(RunningGroup::is_master) && groups.all(RunningGroup::is_master)
    }

    fn snapshot(&mut self) -> RawSnapshot {
        self.collect_drops();
        RawSnapshot {
            routers: self.raw_routers(),
            interfaces: self.interface_snapshots(),
            counters: self.counted.named(),
        }
    }

    fn collect_drops(&mut self) {
        for receiver in self.sockets.receivers() {
            let dropped = receiver.socket.take_dropped();
            self.counted.interface(receiver.interface).receive_drops += dropped;
        }
    }

    /// A group that is leaving is shown unless its successor has the same name.
    fn raw_routers(&self) -> Vec<RawRouter> {
        let mut routers = Vec::new();
        for (slot, running) in self.engine.iter() {
            let replaced = running.leaving
                && self.engine.iter().any(|(_, other)| !other.leaving && other.desired.name == running.desired.name);
            if !replaced {
                routers.extend(running.indices().filter_map(|member| self.raw_router(slot, running, member)));
            }
        }
        routers
    }

    fn raw_router(&self, slot: Slot, running: &RunningGroup, member: MemberIndex) -> Option<RawRouter> {
        let seat = Seat { slot, member };
        let group = &running.group;
        let binding = running.binding(member);
        let master_address = if running.is_master() {
            binding.map(|binding| binding.source)
        } else {
            group.followed(member).map(|followed| followed.address)
        };
        let interface = binding.and_then(|binding| self.interfaces.get(binding.interface));
        let held: Vec<IpAddr> = group.installed(member).filter(|address| self.is_held(seat, *address)).collect();
        Some(RawRouter {
            desired: Arc::clone(&running.desired),
            member: usize::from(member.0),
            state: group.state(),
            reason: group.reason(),
            message: message(running),
            since: running.since,
            transitions: running.transitions,
            priority: group.priority(member)?.get(),
            vrid: group.config().members().get(usize::from(member.0))?.virtual_router_id.get(),
            interface: interface.map(|interface| interface.link.name.clone()),
            master_address,
            fencing: self.fencing_in_force(running, seat, &held),
            fence_unavailable: !self.fence.stands,
            fence_dropped_packets: self.fence_dropped_packets(running, seat),
            held,
            obstacle: running.members.get(usize::from(member.0)).and_then(|member| member.obstacle.clone()),
            occupied: self.occupied(seat, binding),
            foreign_router: group.foreign_router(member),
            counters: group.counters(member)?.clone(),
        })
    }

    /// The owner of an address has put it there itself.
    fn occupied(&self, seat: Seat, binding: Option<Binding>) -> Vec<IpAddr> {
        let Some(running) = self.engine.get(seat.slot).filter(|_| !self.is_owner(seat)) else { return Vec::new() };
        let addresses = running.router(seat.member).into_iter().flat_map(|router| &router.addresses);
        let occupied = addresses.filter(|configured| {
            binding.is_some_and(|binding| self.holdings.is_foreign(seat, binding.interface, configured.address))
        });
        occupied.map(|configured| configured.address).collect()
    }

    /// The owner of an address has it without our help.
    fn is_held(&self, seat: Seat, address: IpAddr) -> bool {
        let binding = self.engine.get(seat.slot).and_then(|running| running.binding(seat.member));
        binding.is_some_and(|binding| {
            self.holdings.holds(seat, binding.interface, address)
                || self.is_owner(seat) && self.holdings.is_foreign(seat, binding.interface, address)
        })
    }

    /// The interfaces that virtual routers run on, and those that could be used: not the hundreds that pods have.
    fn interface_snapshots(&self) -> Vec<InterfaceSnapshot> {
        let bindings = self.engine.iter().flat_map(|(_, running)| &running.members);
        let used: HashSet<InterfaceIndex> =
            bindings.filter_map(|member| member.binding).map(|binding| binding.interface).collect();
        let snapshots = self.interfaces.iter().map(|interface| (interface, self.interface_snapshot(interface)));
        let wanted = snapshots.filter(|(interface, snapshot)| {
            used.contains(&interface.link.index) || snapshot.addresses.iter().any(|own| is_reachable(own.address))
        });
        wanted.map(|(_, snapshot)| snapshot).collect()
    }

    fn interface_snapshot(&self, interface: &Interface) -> InterfaceSnapshot {
        let own = interface
            .addresses
            .iter()
            .filter(|address| !address.is_virtual() && !self.virtual_addresses.contains(&address.address));
        let counted = self.counted.interfaces.get(&interface.link.index);
        InterfaceSnapshot {
            name: interface.link.name.clone(),
            up: self.interfaces.is_up(interface),
            addresses: own.map(Subnet::from).collect(),
            counters: counted.map(super::counters::InterfaceCounted::named).unwrap_or_default(),
        }
    }
}

/// What is wrong with an interface, and which checks fail, may change while the state does not.
fn message(running: &RunningGroup) -> Arc<str> {
    match running.group.reason() {
        reason @ (Reason::InterfaceDown | Reason::CheckFailed) => explain(running, reason).into(),
        _ => Arc::clone(&running.message),
    }
}

/// Whether other nodes can reach an address that they know from the status.
fn is_reachable(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !address.is_loopback() && !address.is_link_local(),
        IpAddr::V6(address) => !address.is_loopback() && !address.is_unicast_link_local(),
    }
}
