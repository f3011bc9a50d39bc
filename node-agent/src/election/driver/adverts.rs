//! Phase 1: adverts.

use std::net::IpAddr;

use holdfast_vrrp::wire::AdvertRepr;
use holdfast_vrrp::wire::advert::group;
use holdfast_vrrp::{Action, Claim, Family, Group, MemberIndex, Protocol};
use nix::errno::Errno;

use super::Driver;
use super::counters::Counted;
use super::outbox::send_all;
use crate::election::engine::Requests;
use crate::election::running::Binding;
use crate::election::slot::Seat;
use crate::network::fence::pulse::Sent;
use crate::network::interfaces::InterfaceIndex;
use crate::network::sockets::{SenderId, Sockets};
use crate::system::Outgoing;

/// Adverts on their way out: bytes of all of them, and what goes where. Its memory is used again and again.
#[derive(Default)]
pub(super) struct AdvertOutbox {
    bytes: Vec<u8>,
    packets: Vec<Packet>,
    adverts: Vec<PendingAdvert>,
}

struct Packet {
    sender: SenderId,
    start: usize,
    length: usize,
    destination: IpAddr,
    /// The place in `adverts`.
    advert: usize,
}

/// An advert may go to several peers. It failed if it went to none.
struct PendingAdvert {
    seat: Seat,
    says: Sent,
    failed: bool,
    sent: bool,
}

impl Driver {
    pub(super) fn send_adverts(&mut self, requests: &Requests) {
        self.adverts.clear();
        for (slot, action) in requests.iter() {
            let Action::SendAdvert { member, claim } = *action else { continue };
            let Some(running) = self.engine.get(slot) else { continue };
            let seat = Seat { slot, member };
            match running.binding(member) {
                Some(binding) => self.adverts.put(seat, &running.group, claim, binding),
                None => self.failed_adverts.push(seat),
            }
        }
        self.adverts.send(&self.sockets, &mut self.counted);
        for advert in self.adverts.adverts.iter().filter(|advert| advert.sent) {
            let pulse = self.engine.get(advert.seat.slot).and_then(|running| running.pulse(advert.seat.member));
            if let Some(pulse) = pulse {
                pulse.beat(advert.says, self.now);
            }
        }
        let failed = self.adverts.adverts.iter().filter(|advert| advert.failed && !advert.sent);
        self.failed_adverts.extend(failed.map(|advert| advert.seat));
        for seat in &self.failed_adverts {
            if let Some(running) = self.engine.get_mut(seat.slot) {
                "adverts cannot be sent".clone_into(&mut running.last_error);
            }
        }
    }
}

impl AdvertOutbox {
    fn clear(&mut self) {
        self.bytes.clear();
        self.packets.clear();
        self.adverts.clear();
    }

    /// Writes an advert, once for each destination: the checksum covers it.
    fn put(&mut self, seat: Seat, elected: &Group, claim: Claim, binding: Binding) {
        let advert = self.adverts.len();
        let says = if claim == Claim::Release { Sent::Release } else { Sent::Claim };
        self.adverts.push(PendingAdvert { seat, says, failed: false, sent: false });
        if binding.multicast {
            self.put_one(advert, elected, claim, binding, group(Family::of(binding.source)));
        } else {
            let peers = elected.unicast_peers(seat.member);
            for peer in peers {
                self.put_one(advert, elected, claim, binding, *peer);
            }
            // What goes to nobody has gone to all.
            if let Some(pending) = self.adverts.get_mut(advert) {
                pending.sent = peers.is_empty();
            }
        }
    }

    fn put_one(&mut self, advert: usize, elected: &Group, claim: Claim, binding: Binding, destination: IpAddr) {
        let Some(pending) = self.adverts.get_mut(advert) else { return };
        let member = pending.seat.member;
        let start = self.bytes.len();
        self.bytes.resize(start + longest(elected, member), 0);
        let slot = self.bytes.get_mut(start..).unwrap_or_default();
        if let Ok(length) = elected.encode(member, claim, binding.source, destination, slot) {
            self.bytes.truncate(start + length);
            self.packets.push(Packet { sender: binding.sender, start, length, destination, advert });
        } else {
            self.bytes.truncate(start);
            pending.failed = true;
        }
    }

    fn send(&mut self, sockets: &Sockets, counted: &mut Counted) {
        // By socket; the order in which they were written stays among those of one socket.
        self.packets.sort_unstable_by_key(|packet| (packet.sender, packet.start));
        for packets in self.packets.chunk_by(|one, other| one.sender == other.sender) {
            let sender = packets.first().and_then(|packet| sockets.get_sender(packet.sender));
            let Some(sender) = sender else {
                fail(&mut self.adverts, packets);
                continue;
            };
            let (bytes, interface) = (&self.bytes, sender.interface);
            let outgoing = |packet: &'_ Packet| Outgoing {
                bytes: bytes.get(packet.start..packet.start + packet.length).unwrap_or_default(),
                destination: Some((packet.destination, interface.get())),
            };
            send_all(&sender.socket, packets, outgoing, |packet, outcome| {
                note(&mut self.adverts, packet, outcome, interface, counted);
            });
        }
    }
}

fn note(
    adverts: &mut [PendingAdvert],
    packet: &Packet,
    outcome: Result<(), Errno>,
    interface: InterfaceIndex,
    counted: &mut Counted,
) {
    let Some(advert) = adverts.get_mut(packet.advert) else { return };
    match outcome {
        Ok(()) => advert.sent = true,
        Err(error) => {
            advert.failed = true;
            counted.interface(interface).advert_failed(error);
        }
    }
}

fn fail(adverts: &mut [PendingAdvert], packets: &[Packet]) {
    for packet in packets {
        if let Some(advert) = adverts.get_mut(packet.advert) {
            advert.failed = true;
        }
    }
}

/// Room enough for an advert of this member.
fn longest(group: &Group, member: MemberIndex) -> usize {
    let config = group.config().members().get(usize::from(member.0));
    config.map_or(AdvertRepr::MAX_LENGTH, |config| {
        let address = if config.family == Family::Ipv4 { 4 } else { 16 };
        let trailer = if matches!(config.protocol, Protocol::V2 { .. }) { 8 } else { 0 };
        8 + config.addresses.len() * address + trailer
    })
}
