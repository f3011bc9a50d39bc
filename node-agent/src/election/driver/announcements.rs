//! Phase 3: gratuitous ARP, neighbour advertisements and probes.

use std::collections::VecDeque;
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

/// How many frames are sent before the thread looks for packets and timers again: some milliseconds of work.
const FRAMES_AT_ONCE: usize = 256;

/// Announcements and probes on their way out. Its memory is used again and again.
///
/// A node that takes thousands of addresses over has tens of milliseconds of announcements to send. Adverts do not wait
/// for them: what is left over goes out at the next wake-up, which is at once.
#[derive(Default)]
pub(super) struct FrameOutbox {
    waiting: VecDeque<Wish>,
    bytes: Vec<u8>,
    frames: Vec<Frame>,
}

/// A frame to be written when its turn comes, if its address is still ours then.
#[derive(Clone, Copy)]
struct Wish {
    seat: Seat,
    address: IpAddr,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Announcement,
    Probe,
}

struct Frame {
    interface: InterfaceIndex,
    start: usize,
    length: usize,
}

impl Driver {
    pub(super) fn announce(&mut self, requests: &Requests) {
        for (seat, address) in std::mem::take(&mut self.confirmed) {
            self.frames.waiting.push_back(Wish { seat, address, kind: Kind::Announcement });
        }
        for (slot, action) in requests.iter() {
            let (member, address, kind) = match *action {
                Action::Announce { member, address } => (member, address, Kind::Announcement),
                Action::Probe { member, address } => (member, address, Kind::Probe),
                _ => continue,
            };
            let seat = Seat { slot, member };
            // What is not there yet is announced once it is.
            let waits = kind == Kind::Announcement && !self.may_announce(seat, address);
            if !waits {
                self.frames.waiting.push_back(Wish { seat, address, kind });
            }
        }
    }

    /// Sends the announcements and probes whose turn it is.
    pub(super) fn send_frames(&mut self) {
        self.frames.bytes.clear();
        self.frames.frames.clear();
        for _ in 0..FRAMES_AT_ONCE {
            let Some(wish) = self.frames.waiting.pop_front() else { break };
            self.write_frame(wish);
        }
        self.frames.send(&self.sockets, &mut self.counted);
    }

    /// Whether an address is on the interface: whoever believes its announcement sends its packets at once.
    fn may_announce(&mut self, seat: Seat, address: IpAddr) -> bool {
        let binding = self.engine.get(seat.slot).and_then(|running| running.binding(seat.member));
        binding.is_some_and(|binding| self.holdings.may_announce(seat, binding.interface, address))
    }

    fn write_frame(&mut self, wish: Wish) {
        let Wish { seat, address, kind } = wish;
        let Some((interface, mac)) = self.place_of(seat) else { return };
        if kind == Kind::Announcement && !self.may_announce(seat, address) {
            return;
        }
        match (kind, address) {
            (Kind::Announcement, IpAddr::V4(address)) => {
                self.frames.put(interface, &arp::gratuitous_request(mac, address));
            }
            (Kind::Announcement, IpAddr::V6(address)) => {
                let router = self.forwards(interface);
                self.frames.put(interface, &neighbor::unsolicited_advertisement(mac, address, router));
            }
            (Kind::Probe, IpAddr::V4(address)) => self.frames.put(interface, &arp::probe(mac, address)),
            (Kind::Probe, IpAddr::V6(address)) => {
                if let Some(IpAddr::V6(source)) = self.source_of(seat) {
                    self.frames.put(interface, &neighbor::solicitation_probe(mac, source, address));
                }
            }
        }
    }

    /// The interface and its Ethernet address; none if it has no such address and so no ARP.
    fn place_of(&self, seat: Seat) -> Option<(InterfaceIndex, MacAddress)> {
        let interface = self.engine.get(seat.slot)?.binding(seat.member)?.interface;
        Some((interface, self.interfaces.get(interface)?.link.mac?))
    }

    /// The address that the adverts come from.
    fn source_of(&self, seat: Seat) -> Option<IpAddr> {
        Some(self.engine.get(seat.slot)?.binding(seat.member)?.source)
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
    /// Whether something is left for the next wake-up.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

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
