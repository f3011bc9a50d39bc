//! Where each virtual router runs: finding its interface, opening its sockets, and telling its group.

use std::collections::{BTreeSet, HashSet};
use std::io;
use std::net::IpAddr;

use holdfast_vrrp::{Event, Family, Instant, Link, TrackState};

use super::{Driver, RETRY_AFTER, TOKEN_FIRST_RECEIVER};
use crate::desired::{DesiredAddress, InterfaceChoice, TrackerSource};
use crate::election::report::Report;
use crate::election::running::{Binding, RunningMember};
use crate::election::slot::{Seat, Slot};
use crate::network::interfaces::InterfaceIndex;
use crate::network::sysctl;
use crate::snapshot::{Obstacle, ObstacleKind};

/// What is to be done about links, apart from the groups.
#[derive(Debug, Default)]
pub(super) struct LinkState {
    /// Whether interfaces, or the groups that run on them, have changed since links were last evaluated.
    pub(super) changed: bool,
    /// When to evaluate them again although nothing has changed.
    pub(super) retry: Option<Instant>,
    /// Interfaces whose ARP filter does not know the present addresses.
    pub(super) outdated_filters: BTreeSet<InterfaceIndex>,
    /// Interfaces on which a proxy was told of, or that have none.
    pub(super) warned_of_proxy_arp: HashSet<InterfaceIndex>,
}

/// Where a virtual router should run now.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Target {
    /// Here, with this source address.
    Ready { interface: InterfaceIndex, source: IpAddr, multicast: bool },
    /// Its place is taken by a group that is just leaving: soon.
    Waiting,
    /// Nowhere, for this reason.
    Unusable(Obstacle),
}

/// What is to be done about it.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Stay,
    /// Tell the group that its link is down. It keeps its place until what it asks for then is done.
    Leave,
    /// Give the place up.
    Unbind,
    /// Take a place, or another source address there.
    Bind {
        interface: InterfaceIndex,
        source: IpAddr,
        multicast: bool,
    },
}

fn step(member: &RunningMember, target: &Target) -> Step {
    let told_down = member.told == Link::Down;
    match (member.binding, target) {
        (Some(_), _) if told_down => Step::Unbind,
        (Some(binding), Target::Ready { interface, source, multicast }) if binding.interface == *interface => {
            if binding.source == *source && binding.multicast == *multicast {
                Step::Stay
            } else {
                Step::Bind { interface: *interface, source: *source, multicast: *multicast }
            }
        }
        (None, Target::Ready { interface, source, multicast }) => {
            Step::Bind { interface: *interface, source: *source, multicast: *multicast }
        }
        (None, Target::Waiting) => Step::Stay,
        (None, Target::Unusable(_)) if told_down => Step::Stay,
        (Some(_), _) | (None, Target::Unusable(_)) => Step::Leave,
    }
}

impl Driver {
    /// Brings every virtual router to where it should run, if anything has changed since the last time.
    ///
    /// A router that moves takes two calls: it leaves in one, and what its group asks for then is carried out before
    /// the next.
    pub(super) fn evaluate_links(&mut self) {
        if self.links.retry.is_some_and(|due| due <= self.now) {
            self.links.retry = None;
            self.links.changed = true;
        }
        if !std::mem::take(&mut self.links.changed) {
            return;
        }
        let mut unbound = false;
        for slot in self.engine.slots() {
            let Some(running) = self.engine.get(slot).filter(|running| !running.leaving) else { continue };
            for member in running.indices() {
                unbound |= self.evaluate_link(Seat { slot, member });
            }
            self.evaluate_interface_trackers(slot);
        }
        if unbound {
            self.close_unused_sockets();
        }
        self.refresh_arp_filters();
    }

    /// Returns whether the router gave its place up.
    fn evaluate_link(&mut self, seat: Seat) -> bool {
        let target = self.target(seat);
        let Some(member) = self.member(seat) else { return false };
        match step(member, &target) {
            Step::Stay => {
                if let Target::Unusable(obstacle) = target {
                    self.explain(seat, Some(obstacle));
                }
                false
            }
            Step::Leave => {
                // A router that has a place leaves it at the next call.
                self.links.changed |= member.binding.is_some();
                let obstacle = if let Target::Unusable(obstacle) = target { Some(obstacle) } else { None };
                self.tell_down(seat, obstacle);
                false
            }
            Step::Unbind => {
                self.unbind(seat);
                self.evaluate_link(seat);
                true
            }
            Step::Bind { interface, source, multicast } => {
                self.bind(seat, interface, source, multicast);
                false
            }
        }
    }

    fn target(&self, seat: Seat) -> Target {
        let unusable = |kind, message: String| Target::Unusable(Obstacle { kind, message });
        let (missing, down, refused) =
            (ObstacleKind::InterfaceMissing, ObstacleKind::InterfaceDown, ObstacleKind::Refused);
        let Some(running) = self.engine.get(seat.slot) else { return unusable(refused, String::new()) };
        let Some(router) = running.router(seat.member) else {
            return unusable(refused, "it has no configuration".to_owned());
        };
        // The owner of an address (priority 255) has it anyway, and may have no other.
        let owned: &[DesiredAddress] = if self.is_owner(seat) { &router.addresses } else { &[] };
        let is_virtual = |address: IpAddr| {
            self.virtual_addresses.contains(&address) && owned.iter().all(|owned| owned.address != address)
        };
        let Some(interface) = self.interfaces.choose(&router.interface, is_virtual) else {
            let message = match &router.interface {
                InterfaceChoice::Named(name) => format!("there is no interface {name}"),
                InterfaceChoice::HoldingSubnetOf(address) => {
                    format!("no interface has an address in the subnet of {address}")
                }
            };
            return unusable(missing, message);
        };
        let name = &interface.link.name;
        if !self.interfaces.is_up(interface) {
            return unusable(down, format!("interface {name} is down"));
        }
        let Some(source) = interface.source(router.family, running.is_routed(seat.member), is_virtual) else {
            let message = match router.family {
                Family::Ipv4 => format!("interface {name} has no IPv4 address of its own"),
                Family::Ipv6 => format!("interface {name} has no usable IPv6 address of its own"),
            };
            return unusable(down, message);
        };
        let interface = interface.link.index;
        let holder = running.key(seat.member, interface).and_then(|key| self.demultiplexer.router(key));
        match holder.filter(|holder| *holder != seat).and_then(|holder| Some((holder, self.engine.get(holder.slot)?))) {
            Some((_, other)) if other.leaving => Target::Waiting,
            Some((holder, other)) => {
                let other = other.router_name(holder.member);
                unusable(refused, format!("its virtual router ID is used on interface {name} by {other}"))
            }
            None => Target::Ready { interface, source, multicast: running.uses_multicast(seat.member) },
        }
    }

    fn member(&mut self, seat: Seat) -> Option<&mut RunningMember> {
        self.engine.get_mut(seat.slot)?.members.get_mut(usize::from(seat.member.0))
    }

    fn tell(&mut self, seat: Seat, link: Link) {
        if let Some(member) = self.member(seat) {
            member.told = link;
        }
        self.engine.handle(self.now, seat.slot, Event::Link { member: seat.member, link });
    }

    fn tell_down(&mut self, seat: Seat, obstacle: Option<Obstacle>) {
        self.explain(seat, obstacle);
        self.tell(seat, Link::Down);
    }

    /// Notes why a virtual router does not run, and says so if it is news.
    fn explain(&mut self, seat: Seat, obstacle: Option<Obstacle>) {
        let Some(member) = self.member(seat) else { return };
        if member.obstacle == obstacle {
            return;
        }
        member.obstacle.clone_from(&obstacle);
        if let (Some(running), Some(Obstacle { message, .. })) = (self.engine.get(seat.slot), obstacle) {
            let router = running.router_name(seat.member).to_owned();
            self.report(Report::Unusable { router, message });
        }
    }

    fn bind(&mut self, seat: Seat, interface: InterfaceIndex, source: IpAddr, multicast: bool) {
        match self.open_sockets(interface, source, multicast) {
            Ok(binding) => {
                self.occupy(seat, interface);
                self.warn_of_proxy_arp(interface);
                let pulse = self.pulse(seat, interface);
                if let Some(member) = self.member(seat) {
                    member.binding = Some(binding);
                    member.pulse = pulse;
                    member.obstacle = None;
                }
                self.tell(seat, Link::Up { source });
            }
            Err(error) => {
                // Such as an address that is gone again; what changes next, or time, will tell.
                self.links.retry = Some(self.now.saturating_add(RETRY_AFTER));
                let message = format!("its sockets cannot be opened for {source}: {error}");
                self.tell_down(seat, Some(Obstacle { kind: ObstacleKind::Refused, message }));
            }
        }
    }

    fn open_sockets(&mut self, interface: InterfaceIndex, source: IpAddr, multicast: bool) -> io::Result<Binding> {
        let name = self.interfaces.get(interface).map(|interface| interface.link.name.clone());
        let name = name.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        let family = Family::of(source);
        self.sockets.listen(interface, family, &self.epoll, TOKEN_FIRST_RECEIVER)?;
        let sender = self.sockets.sender(interface, &name, source, multicast)?;
        Ok(Binding { interface, source, sender, multicast })
    }

    /// From now on packets for this router on the interface, and claims to its addresses, come to it.
    fn occupy(&mut self, seat: Seat, interface: InterfaceIndex) {
        let Some(running) = self.engine.get(seat.slot) else { return };
        if let Some(key) = running.key(seat.member, interface) {
            // Nobody else has the key, or this router would be waiting.
            let _ = self.demultiplexer.claim(key, seat);
        }
        for configured in running.router(seat.member).into_iter().flat_map(|router| &router.addresses) {
            self.demultiplexer.watch(interface, configured.address, seat);
        }
        self.links.outdated_filters.insert(interface);
    }

    pub(super) fn unbind(&mut self, seat: Seat) {
        let Some(binding) = self.member(seat).and_then(|member| member.binding.take()) else { return };
        if let Some(member) = self.member(seat) {
            member.pulse = None;
        }
        let Some(running) = self.engine.get(seat.slot) else { return };
        if let Some(key) = running.key(seat.member, binding.interface) {
            self.demultiplexer.release(key, seat);
        }
        for configured in running.router(seat.member).into_iter().flat_map(|router| &router.addresses) {
            self.demultiplexer.unwatch(binding.interface, configured.address, seat);
            self.repeats.forget_address(binding.interface, configured.address);
        }
        self.repeats.forget_router(seat);
        self.links.outdated_filters.insert(binding.interface);
        // Somebody else may wait for the place.
        self.links.changed = true;
    }

    pub(super) fn close_unused_sockets(&mut self) {
        let (mut senders, mut interfaces) = (BTreeSet::new(), BTreeSet::new());
        for (_, running) in self.engine.iter() {
            for binding in running.members.iter().filter_map(|member| member.binding) {
                senders.insert(binding.sender);
                interfaces.insert((binding.interface, Family::of(binding.source)));
            }
        }
        self.sockets.retain(&senders, &interfaces);
    }

    pub(super) fn refresh_arp_filters(&mut self) {
        for interface in std::mem::take(&mut self.links.outdated_filters) {
            let addresses = self.demultiplexer.ipv4_addresses(interface);
            if let Err(error) = self.sockets.watch_arp(interface, &addresses) {
                self.degraded(format!("claims of other machines to virtual addresses will not be heard: {error}"));
            }
        }
    }

    fn evaluate_interface_trackers(&mut self, slot: Slot) {
        let Some(running) = self.engine.get(slot) else { return };
        let known = running.desired.trackers.iter().zip(running.group.tracked());
        let changed: Vec<(usize, TrackState)> = known
            .enumerate()
            .filter_map(|(tracker, (source, known))| {
                let TrackerSource::Interface(name) = source else { return None };
                let state = self.interface_state(name);
                (state != *known).then_some((tracker, state))
            })
            .collect();
        for (tracker, state) in changed {
            self.engine.handle(self.now, slot, Event::Track { tracker, state });
        }
    }

    /// What a tracker of an interface says.
    pub(super) fn interface_state(&self, name: &str) -> TrackState {
        let up = self.interfaces.find(name).is_some_and(|interface| self.interfaces.is_up(interface));
        if up { TrackState::Up } else { TrackState::Down }
    }

    fn warn_of_proxy_arp(&mut self, interface: InterfaceIndex) {
        if !self.links.warned_of_proxy_arp.insert(interface) {
            return;
        }
        let Some(interface) = self.interfaces.get(interface) else { return };
        if sysctl::proxies_arp(&interface.link.name) {
            self.report(Report::ProxyArp { interface: interface.link.name.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::sockets::Sockets;

    const ETH0: InterfaceIndex = InterfaceIndex::new(2);

    fn source(last: u8) -> IpAddr {
        [10, 0, 0, last].into()
    }

    fn ready(last: u8) -> Target {
        Target::Ready { interface: ETH0, source: source(last), multicast: true }
    }

    fn unusable() -> Target {
        Target::Unusable(Obstacle { kind: ObstacleKind::InterfaceDown, message: "interface eth0 is down".to_owned() })
    }

    fn bound() -> Binding {
        let sender = Sockets::first_sender_for_tests();
        Binding { interface: ETH0, source: source(1), sender, multicast: true }
    }

    #[test]
    fn a_router_goes_where_it_should_one_step_at_a_time() {
        let (up, elsewhere) = (Link::Up { source: source(1) }, InterfaceIndex::new(9));
        let bind = |last| Step::Bind { interface: ETH0, source: source(last), multicast: true };
        let moved = Target::Ready { interface: elsewhere, source: source(1), multicast: true };
        let cases = [
            // bound, what its group knows, target, step
            (None, Link::Unknown, ready(1), bind(1)),
            (None, Link::Unknown, Target::Waiting, Step::Stay),
            (None, Link::Unknown, unusable(), Step::Leave),
            (None, Link::Down, unusable(), Step::Stay),
            (None, Link::Down, ready(1), bind(1)),
            (Some(bound()), up, ready(1), Step::Stay),
            (Some(bound()), up, ready(5), bind(5)),
            (Some(bound()), up, unusable(), Step::Leave),
            (Some(bound()), up, moved.clone(), Step::Leave),
            (Some(bound()), Link::Down, moved, Step::Unbind),
            (Some(bound()), Link::Down, ready(1), Step::Unbind),
            (Some(bound()), Link::Down, unusable(), Step::Unbind),
        ];
        for (binding, told, target, expected) in cases {
            let member = RunningMember { binding, told, ..RunningMember::default() };
            assert_eq!(step(&member, &target), expected, "{member:?} {target:?}");
        }
    }
}
