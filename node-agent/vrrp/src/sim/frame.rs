//! Packets on the simulated LAN: real bytes, written and read by the crate's own codecs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::rc::Rc;

use super::setup::NodeIndex;
use crate::wire::advert::HOP_LIMIT;
use crate::wire::{ArpPacket, Checksum, Datagram, IpProtocol, MacAddress, NeighborAdvertisement, arp, neighbor};

/// One packet, and the truth about it that no receiver knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    contents: Contents,
    /// Who sent it.
    pub(super) origin: Origin,
    /// Whether it arrives as it was sent.
    pub(super) intact: bool,
}

/// Who sent a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Origin {
    /// A node of the world.
    Node(NodeIndex),
    /// Another machine on the LAN.
    Stranger,
}

/// What a packet turns out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading<'a> {
    /// A datagram of the VRRP protocol, not yet checked.
    Vrrp(Datagram<'a>),
    /// Another machine says that it has this address.
    Claim(IpAddr),
    /// Another machine asks who has this address.
    Probe(IpAddr),
    /// Nothing that concerns an agent.
    Noise,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Contents {
    Ip(Rc<[u8]>),
    Arp(Rc<[u8]>),
    /// Answered by the kernel, not by the agent, so it needs no bytes.
    Probe(IpAddr),
}

/// The agent never looks at it: whose it is says the simulator.
const MAC: MacAddress = MacAddress([2, 0, 0, 0, 0, 1]);

const ETHERNET_HEADER: usize = 14;

impl Frame {
    /// A VRRP message in an IP packet.
    pub(super) fn vrrp(origin: Origin, source: IpAddr, destination: IpAddr, message: &[u8]) -> Self {
        Self { contents: Contents::Ip(packet(source, destination, HOP_LIMIT, message)), origin, intact: true }
    }

    /// A VRRP message in an IP packet that a router has forwarded.
    pub(super) fn forwarded(origin: Origin, source: IpAddr, destination: IpAddr, message: &[u8]) -> Self {
        Self { contents: Contents::Ip(packet(source, destination, HOP_LIMIT - 1, message)), origin, intact: true }
    }

    /// Marks the packet as one that every receiver has to refuse.
    #[must_use]
    pub(super) fn refused(self) -> Self {
        Self { intact: false, ..self }
    }

    /// Any bytes in place of an IP packet.
    pub(super) fn junk(packet: &[u8]) -> Self {
        Self { contents: Contents::Ip(packet.into()), origin: Origin::Stranger, intact: false }
    }

    /// A gratuitous ARP or an unsolicited neighbour advertisement.
    pub(super) fn claim(origin: Origin, address: IpAddr) -> Self {
        let contents = match address {
            IpAddr::V4(address) => {
                let frame = arp::gratuitous_request(MAC, address);
                Contents::Arp(frame.get(ETHERNET_HEADER..).unwrap_or_default().into())
            }
            IpAddr::V6(address) => {
                let frame = neighbor::unsolicited_advertisement(MAC, address, false);
                Contents::Ip(frame.get(ETHERNET_HEADER..).unwrap_or_default().into())
            }
        };
        Self { contents, origin, intact: true }
    }

    /// A question who has an address.
    pub(super) fn probe(origin: Origin, address: IpAddr) -> Self {
        Self { contents: Contents::Probe(address), origin, intact: true }
    }

    /// The packet with one bit flipped, where a checksum covers it; packets without any are left alone.
    #[must_use]
    pub(super) fn with_flipped_bit(&self, bit: u64) -> Self {
        let Contents::Ip(packet) = &self.contents else { return self.clone() };
        // The first half of an IPv6 header is covered by nothing.
        let uncovered = if packet.first().is_some_and(|first| first >> 4 == 6) { 8 } else { 0 };
        let mut packet = packet.to_vec();
        let Some(covered) = packet.get_mut(uncovered..) else { return self.clone() };
        let place = bit / 8 % (covered.len() as u64).max(1);
        if let Some(byte) = usize::try_from(place).ok().and_then(|place| covered.get_mut(place)) {
            *byte ^= 1 << (bit % 8);
        }
        Self { contents: Contents::Ip(packet.into()), origin: self.origin, intact: false }
    }

    /// What a receiver makes of it.
    pub(super) fn read(&self) -> Reading<'_> {
        match &self.contents {
            Contents::Ip(packet) => read_ip(packet),
            Contents::Arp(packet) => {
                let claimed = ArpPacket::parse(packet).ok().and_then(|packet| packet.claimed_address());
                claimed.map_or(Reading::Noise, |address| Reading::Claim(address.into()))
            }
            Contents::Probe(address) => Reading::Probe(*address),
        }
    }
}

fn read_ip(packet: &[u8]) -> Reading<'_> {
    let parsed = match packet.first() {
        Some(first) if first >> 4 == 6 => Datagram::parse_ipv6(packet),
        _ => Datagram::parse_ipv4(packet),
    };
    match parsed {
        Ok((IpProtocol::Vrrp, datagram)) => Reading::Vrrp(datagram),
        Ok((IpProtocol::Icmpv6, datagram)) => NeighborAdvertisement::parse(&datagram)
            .map_or(Reading::Noise, |advertisement| Reading::Claim(advertisement.target.into())),
        Ok((IpProtocol::Other(_), _)) | Err(_) => Reading::Noise,
    }
}

fn packet(source: IpAddr, destination: IpAddr, hop_limit: u8, message: &[u8]) -> Rc<[u8]> {
    match (source, destination) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => ipv4_packet(source, destination, hop_limit, message),
        (IpAddr::V6(source), IpAddr::V6(destination)) => ipv6_packet(source, destination, hop_limit, message),
        _ => Rc::default(),
    }
}

fn ipv4_packet(source: Ipv4Addr, destination: Ipv4Addr, hop_limit: u8, message: &[u8]) -> Rc<[u8]> {
    let length = u16::try_from(20 + message.len()).unwrap_or(u16::MAX);
    let before = [&[0x45, 0xc0], &length.to_be_bytes()[..], &[0, 0, 0, 0, hop_limit, IpProtocol::VRRP]].concat();
    let after = [source.octets(), destination.octets()].concat();
    let sum = Checksum::default().with(&before).with(&after).value();
    [&before, &sum.to_be_bytes()[..], &after, message].concat().into()
}

fn ipv6_packet(source: Ipv6Addr, destination: Ipv6Addr, hop_limit: u8, message: &[u8]) -> Rc<[u8]> {
    let length = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let header = [&[0x6c, 0, 0, 0], &length.to_be_bytes()[..], &[IpProtocol::VRRP, hop_limit]].concat();
    [&header, &source.octets()[..], &destination.octets(), message].concat().into()
}

/// A VRRP message with the checksum that it needs: VRRPv3 covers the pseudo-header, VRRPv2 does not.
pub(super) fn sealed((source, destination): (IpAddr, IpAddr), mut message: Vec<u8>) -> Vec<u8> {
    let version = message.first().map_or(0, |first| first >> 4);
    let start = Checksum::pseudo_header(source, destination, IpProtocol::VRRP, message.len());
    let start = start.filter(|_| version != 2).unwrap_or_default();
    put_checksum(&mut message, [0, 0]);
    let sum = start.with(&message).value();
    put_checksum(&mut message, sum.to_be_bytes());
    message
}

fn put_checksum(message: &mut [u8], sum: [u8; 2]) {
    if let Some(field) = message.get_mut(6..8) {
        field.copy_from_slice(&sum);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_vrrp_packet_is_read_as_it_was_written() {
        for (source, destination) in [("10.77.0.1", "224.0.0.18"), ("fe80::1", "ff02::12")] {
            let frame = Frame::vrrp(Origin::Node(0), ip(source), ip(destination), &[1, 2, 3]);
            let Reading::Vrrp(datagram) = frame.read() else { panic!("{frame:?}") };
            assert_eq!((datagram.source, datagram.destination), (ip(source), ip(destination)));
            assert_eq!((datagram.hop_limit, datagram.payload), (255, &[1, 2, 3][..]));
        }
    }

    #[test]
    fn a_claim_names_its_address_in_both_families() {
        for address in ["10.77.100.1", "fd77::1"] {
            assert_eq!(Frame::claim(Origin::Stranger, ip(address)).read(), Reading::Claim(ip(address)));
        }
    }

    #[test]
    fn a_flipped_bit_is_never_read_as_a_claim() {
        let frame = Frame::claim(Origin::Stranger, ip("fd77::1"));
        for bit in 0..(32 + 32) * 8 {
            let damaged = frame.with_flipped_bit(bit);
            assert!(!damaged.intact);
            assert!(!matches!(damaged.read(), Reading::Claim(_)), "bit {bit}");
        }
    }
}
