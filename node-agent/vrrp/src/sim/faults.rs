//! What the steps of a script do to a world.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use super::frame::{Frame, Origin, sealed};
use super::probe::{Fault, Probe};
use super::process::{Message, Outgoing};
use super::setup::{ElectionIndex, ElectionSetup, InstanceSetup, NodeIndex, tracker, virtual_address};
use super::step::{AddressPlace, Change, Junk, RouterPlace, Step};
use super::world::{Happening, World};
use crate::tracking::TrackState;
use crate::types::{AdvertInterval, Claim, Family, Priority, Protocol};
use crate::wire::{AdvertRepr, advert};

impl World {
    /// A step of the script.
    pub(super) fn strike(&mut self, number: usize) {
        let Some((_, step)) = self.script.steps.get(number).copied() else { return };
        self.record.probes.note(Probe::Struck(Fault::of(&step)));
        self.record.log.remark(self.now, format_args!("STEP {step}"));
        let moment = self.moment();
        match step {
            Step::Crash { node, vanish } => self.crash(node, vanish),
            Step::Restart { node } => self.start_agent(node),
            Step::Drain { node } => self.tell(node, Duration::ZERO, Message::Drain),
            Step::Abort { node } => self.tell(node, Duration::ZERO, Message::Abort),
            Step::Stall { node, duration } => self.stall(node, duration),
            Step::Interface { node, up } => {
                if let Some(machine) = self.nodes.get_mut(node) {
                    machine.kernel.up = up;
                }
                self.tell(node, moment, Message::Interface { up });
            }
            Step::Refuse { node, what, on } => {
                if let Some(machine) = self.nodes.get_mut(node) {
                    machine.kernel.refuse(what, on);
                }
            }
            Step::Delete { node, address } => self.delete(node, address),
            Step::Track { node, election, tracker, state } => self.track(node, election, tracker, state),
            Step::Reconfigure { node, election, change } => self.reconfigure(node, election, change),
            Step::Partition { side, one_way, family } => self.network.partition(side, one_way, family),
            Step::Mend => self.network.mend(),
            Step::Degrade { quality } => self.network.set_quality(quality),
            Step::Stranger { router, host, priority, interval, count } => {
                let what = Happening::Stranger { router, host, priority, interval, more: count.saturating_sub(1) };
                self.schedule(self.now, 0, what);
            }
            Step::Junk { router, kind } => self.send_junk(router, kind),
            Step::Claim { address } => self.claim(address),
            Step::Echo { node, on } => self.network.echo(node, on),
        }
    }

    fn crash(&mut self, index: NodeIndex, vanish: bool) {
        if let Some(node) = self.nodes.get_mut(index) {
            node.kill();
            if vanish {
                node.kernel.power_off();
            }
        }
    }

    fn stall(&mut self, index: NodeIndex, duration: Duration) {
        let until = self.now.plus(duration);
        if let Some(node) = self.nodes.get_mut(index) {
            if let Some(process) = &mut node.process {
                process.stalled_until = Some(until);
            }
            node.plan(self.driver.setup.lateness);
        }
    }

    fn delete(&mut self, index: NodeIndex, place: AddressPlace) {
        let Some(address) = self.address(place) else { return };
        if self.nodes.get_mut(index).is_some_and(|node| node.kernel.forget(address)) {
            // The notice is in the agent's socket at once; when the agent reads it is another matter.
            let (now, lateness) = (self.now, self.driver.setup.lateness);
            self.nodes.get_mut(index).into_iter().for_each(|node| node.tell(now, Message::Deleted(address), lateness));
        }
    }

    fn track(&mut self, node: NodeIndex, election: ElectionIndex, tracker: usize, state: TrackState) {
        let known = self.nodes.get_mut(node).and_then(|node| node.tracked.get_mut(election)?.get_mut(tracker));
        if let Some(known) = known {
            *known = state;
            self.tell(node, Duration::ZERO, Message::Track { election, tracker, state });
        }
    }

    pub(super) fn reconfigure(&mut self, node: NodeIndex, election: ElectionIndex, change: Change) {
        let v2 = self.election(election).is_some_and(|setup| matches!(setup.protocol, Protocol::V2 { .. }));
        if v2 && matches!(change, Change::Interval(_)) {
            // VRRPv2 routers with different intervals do not hear each other: that is a mistake, not a fault.
            return;
        }
        let nodes = &mut self.script.setup.nodes;
        let Some(instance) = nodes.get_mut(node).and_then(|node| node.instances.get_mut(election)) else { return };
        apply(change, instance);
        if let Some(longest) = self.longest_interval.get_mut(election) {
            *longest = (*longest).max(instance.interval);
        }
        let tracked = self.nodes.get(node).and_then(|node| node.tracked.get(election)).cloned().unwrap_or_default();
        if let Ok(groups) = self.script.setup.group_configs(node, election) {
            self.tell(node, Duration::ZERO, Message::Reconfigure { election, groups, tracked });
        }
    }

    fn election(&self, election: ElectionIndex) -> Option<&ElectionSetup> {
        self.script.setup.elections.get(election)
    }

    fn family(&self, router: RouterPlace) -> Option<Family> {
        self.election(router.election)?.members.get(usize::from(router.member)).copied()
    }

    fn address(&self, place: AddressPlace) -> Option<IpAddr> {
        let family = self.family(place.router)?;
        Some(virtual_address(place.router.election, place.router.member, family, place.place))
    }

    fn claim(&mut self, place: AddressPlace) {
        if let Some(address) = self.address(place) {
            let frame = Frame::claim(Origin::Stranger, address);
            self.transmit(None, &Outgoing { frame, to: None, about: address });
        }
    }

    pub(super) fn send_as_stranger(&mut self, router: RouterPlace, host: u8, priority: u8, interval: Duration) {
        // A group waits for all of its members, and a stranger may keep one of them waiting.
        self.fences.disturb(self.now);
        let Some(setup) = self.election(router.election) else { return };
        if !setup.peers_known {
            let interval = setup.interval(interval).map(AdvertInterval::get).unwrap_or_default();
            if let Some(longest) = self.longest_interval.get_mut(router.election) {
                *longest = (*longest).max(interval);
            }
        }
        let Some(family) = self.family(router) else { return };
        let source = stranger(family, host);
        let claim = Priority::new(priority).map_or(Claim::Release, Claim::Master);
        for to in self.destinations(router, family) {
            if let Some(message) = self.message(router, claim, interval, (source, to)) {
                let frame = Frame::vrrp(Origin::Stranger, source, to, &message);
                self.transmit(None, &Outgoing { frame, to: Some(to).filter(|to| !to.is_multicast()), about: source });
            }
        }
    }

    fn all_use_unicast(&self, election: ElectionIndex) -> bool {
        let mut instances = self.script.setup.nodes.iter().filter_map(|node| node.instances.get(election));
        instances.all(|instance| instance.unicast)
    }

    /// Where adverts of an election go: the group, or every node.
    fn destinations(&self, router: RouterPlace, family: Family) -> Vec<IpAddr> {
        if self.all_use_unicast(router.election) {
            self.nodes.iter().map(|node| node.setup.source(family)).collect()
        } else {
            vec![advert::group(family)]
        }
    }

    /// A valid message for a virtual router.
    fn message(
        &self,
        router: RouterPlace,
        claim: Claim,
        interval: Duration,
        (source, destination): (IpAddr, IpAddr),
    ) -> Option<Vec<u8>> {
        let setup = self.election(router.election)?;
        let address = self.address(AddressPlace { router, place: 0 })?;
        let repr = AdvertRepr {
            vrid: setup.virtual_router_id(router.election, router.member).ok()?,
            claim,
            protocol: setup.protocol,
            interval: setup.interval(interval).ok()?,
            addresses: &[address],
        };
        let mut message = vec![0; repr.length()];
        repr.emit(source, destination, &mut message).ok()?;
        Some(message)
    }

    /// A message with the best claim there is, which has to be refused all the same.
    fn send_junk(&mut self, router: RouterPlace, kind: Junk) {
        let Some(family) = self.family(router) else { return };
        let interval = self.script.setup.instance(0, router.election).map(|instance| instance.interval);
        let (source, claim) = (stranger(family, 250), Claim::Master(Priority::OWNER));
        // keepalived sends IPv6 unicast with any hop limit, so any is accepted.
        let any_hop_limit = self.all_use_unicast(router.election) && family == Family::Ipv6;
        let kind = if kind == Junk::HopLimit && any_hop_limit { Junk::Checksum } else { kind };
        for to in self.destinations(router, family) {
            let message = self.message(router, claim, interval.unwrap_or_default(), (source, to));
            let frame = message.map(|message| junk(kind, (source, to), message));
            if let Some(frame) = frame {
                self.transmit(None, &Outgoing { frame, to: Some(to).filter(|to| !to.is_multicast()), about: source });
            }
        }
    }
}

fn apply(change: Change, instance: &mut InstanceSetup) {
    match change {
        Change::Priority(priority) => instance.priority = priority,
        Change::Interval(interval) => instance.interval = interval,
        Change::Preemption(preemption) => instance.preemption = preemption,
        Change::Addresses(count) => instance.addresses = count,
        Change::Unicast(unicast) => instance.unicast = unicast,
        Change::Grouping(grouping) => instance.grouping = grouping,
        Change::Weight(weight) => {
            for first in instance.trackers.iter_mut().take(1) {
                *first = tracker(weight, first.reverse);
            }
        }
        Change::Announcements(announcements) => instance.announcements = announcements,
    }
}

/// A machine that is no node.
fn stranger(family: Family, host: u8) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::new(10, 77, 0, host).into(),
        Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(host)).into(),
    }
}

/// A valid message made one that no receiver may obey. Its checksum is right unless that is what is wrong with it.
fn junk(kind: Junk, (source, destination): (IpAddr, IpAddr), mut message: Vec<u8>) -> Frame {
    let mut set = |place: usize, change: fn(u8) -> u8| {
        message.get_mut(place).into_iter().for_each(|byte| *byte = change(*byte));
    };
    match kind {
        Junk::Noise => return Frame::junk(&message),
        Junk::HopLimit => return Frame::forwarded(Origin::Stranger, source, destination, &message).refused(),
        Junk::Truncated => message.truncate(10),
        Junk::TrailingBytes => message.extend([0; 4]),
        Junk::Version => set(0, |byte| byte ^ 0x10),
        Junk::Type => set(0, |byte| byte ^ 0x03),
        Junk::Checksum => {}
        // VRRPv2 has authentication type and interval here, VRRPv3 the interval.
        Junk::Authentication => [4, 5].into_iter().for_each(|place| set(place, |_| 0)),
        Junk::OtherRouter => set(1, |byte| byte ^ 0x80),
    }
    let mut message = sealed((source, destination), message);
    if kind == Junk::Checksum {
        message.get_mut(6).into_iter().for_each(|byte| *byte ^= 0xff);
    }
    Frame::vrrp(Origin::Stranger, source, destination, &message).refused()
}
