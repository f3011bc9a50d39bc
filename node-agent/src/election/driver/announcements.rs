//! Phase 3: gratuitous ARP, neighbour advertisements and probes.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Action;
use holdfast_vrrp::wire::{MacAddress, arp, neighbor};

use super::Driver;
use super::counters::Counted;
use super::outbox::send_all;
use crate::election::engine::Requests;
use crate::election::slot::Seat;
use crate::network::interfaces::InterfaceIndex;
use crate::network::sockets::Sockets;
use crate::network::sysctl;
use crate::system::Outgoing;

/// How long the forwarding setting of an interface is believed.
const FORWARDING_KEPT: Duration = Duration::from_secs(5);

/// Frames on their way out. Its memory is used again and again.
#[derive(Default)]
pub(super) struct FrameOutbox {
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

struct Frame {
    interface: InterfaceIndex,
    start: usize,
    length: usize,
}

impl Driver {
    pub(super) fn announce(&mut self, requests: &Requests) {
        self.frames.bytes.clear();
        self.frames.frames.clear();
        for (seat, address) in std::mem::take(&mut self.confirmed) {
            self.put_announcement(seat, address);
        }
        for (slot, action) in requests.iter() {
            match *action {
                Action::Announce { member, address } => self.put_announcement(Seat { slot, member }, address),
                Action::Probe { member, address } => self.put_probe(Seat { slot, member }, address),
                _ => {}
            }
        }
        self.frames.send(&self.sockets, &mut self.counted);
    }

    /// Only what is on the interface is announced: whoever believes it sends its packets at once.
    fn put_announcement(&mut self, seat: Seat, address: IpAddr) {
        let Some((interface, mac)) = self.place_of(seat) else { return };
        if !self.holdings.may_announce(seat, interface, address) {
            return;
        }
        match address {
            IpAddr::V4(address) => self.frames.put(interface, &arp::gratuitous_request(mac, address)),
            IpAddr::V6(address) => {
                let router = self.forwards(interface);
                self.frames.put(interface, &neighbor::unsolicited_advertisement(mac, address, router));
            }
        }
    }

    fn put_probe(&mut self, seat: Seat, address: IpAddr) {
        let Some((interface, mac)) = self.place_of(seat) else { return };
        match address {
            IpAddr::V4(address) => self.frames.put(interface, &arp::probe(mac, address)),
            IpAddr::V6(address) => self.frames.put(interface, &neighbor::solicitation_probe(mac, address)),
        }
    }

    /// The interface and its Ethernet address; none if it has no such address and so no ARP.
    fn place_of(&self, seat: Seat) -> Option<(InterfaceIndex, MacAddress)> {
        let interface = self.engine.get(seat.slot)?.binding(seat.member)?.interface;
        Some((interface, self.interfaces.get(interface)?.link.mac?))
    }

    fn forwards(&mut self, interface: InterfaceIndex) -> bool {
        if let Some((forwards, read)) = self.forwarding.get(&interface)
            && self.now.saturating_since(*read) < FORWARDING_KEPT
        {
            return *forwards;
        }
        let name = self.interfaces.get(interface).map(|interface| interface.link.name.as_str());
        let forwards = name.is_some_and(sysctl::forwards_ipv6);
        self.forwarding.insert(interface, (forwards, self.now));
        forwards
    }
}

impl FrameOutbox {
    fn put(&mut self, interface: InterfaceIndex, frame: &[u8]) {
        self.frames.push(Frame { interface, start: self.bytes.len(), length: frame.len() });
        self.bytes.extend_from_slice(frame);
    }

    fn send(&mut self, sockets: &Sockets, counted: &mut Counted) {
        self.frames.sort_unstable_by_key(|frame| (frame.interface, frame.start));
        for frames in self.frames.chunk_by(|one, other| one.interface == other.interface) {
            let Some(interface) = frames.first().map(|frame| frame.interface) else { continue };
            let Some(socket) = sockets.announcer(interface) else { continue };
            let outgoing = |frame: &'_ Frame| Outgoing {
                bytes: self.bytes.get(frame.start..frame.start + frame.length).unwrap_or_default(),
                destination: None,
            };
            send_all(socket, frames, outgoing, |_, outcome| {
                if let Err(error) = outcome {
                    counted.interface(interface).announcement_failed(error);
                }
            });
        }
    }
}
