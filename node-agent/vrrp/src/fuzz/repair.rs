//! Puts right checksums into fuzzed packets: a fuzzer guesses everything else, but not those.

use std::net::IpAddr;

use super::parse_packet;
use crate::wire::{Checksum, IpProtocol};

/// The packet with a right checksum in its IPv4 header and in its VRRP or ICMPv6 message, as far as it has them.
pub(super) fn with_right_checksums(packet: &[u8]) -> Vec<u8> {
    let mut packet = packet.to_vec();
    seal_ipv4_header(&mut packet);
    seal_message(&mut packet);
    packet
}

fn ipv4_header_length(packet: &[u8]) -> usize {
    packet.first().map_or(0, |first| usize::from(first & 0x0f) * 4)
}

fn seal_ipv4_header(packet: &mut [u8]) {
    let length = ipv4_header_length(packet);
    if packet.first().is_some_and(|first| first >> 4 == 4)
        && let Some(header) = packet.get_mut(..length)
    {
        seal(header, 10, Checksum::default());
    }
}

fn seal_message(packet: &mut [u8]) {
    let Ok((protocol, datagram)) = parse_packet(packet) else { return };
    let (source, destination, length) = (datagram.source, datagram.destination, datagram.payload.len());
    let version = datagram.payload.first().map_or(0, |first| first >> 4);
    let pseudo_header = |number| Checksum::pseudo_header(source, destination, number, length).unwrap_or_default();
    let (field, start) = match protocol {
        IpProtocol::Vrrp if version == 2 => (6, Checksum::default()),
        IpProtocol::Vrrp => (6, pseudo_header(IpProtocol::VRRP)),
        IpProtocol::Icmpv6 => (2, pseudo_header(IpProtocol::ICMPV6)),
        IpProtocol::Other(_) => return,
    };
    let header = match source {
        IpAddr::V4(_) => ipv4_header_length(packet),
        IpAddr::V6(_) => 40,
    };
    if let Some(message) = packet.get_mut(header..header + length) {
        seal(message, field, start);
    }
}

/// Writes the checksum of `bytes`, on top of what `start` covers, to the offset `field`.
fn seal(bytes: &mut [u8], field: usize, start: Checksum) {
    let Some(slot) = bytes.get_mut(field..field + 2) else { return };
    slot.fill(0);
    let sum = start.with(bytes).value().to_be_bytes();
    if let Some(slot) = bytes.get_mut(field..field + 2) {
        slot.copy_from_slice(&sum);
    }
}
