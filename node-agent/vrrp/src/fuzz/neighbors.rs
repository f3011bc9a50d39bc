//! Any bytes as ARP or as a neighbour advertisement: refused, or read so that the claim is the one in the bytes.

use super::parse_packet;
use super::repair::with_right_checksums;
use crate::wire::{ArpOperation, ArpPacket, Datagram, MacAddress, NeighborAdvertisement, neighbor};

/// What follows an Ethernet header: an ARP packet or an IPv6 packet.
pub fn decode_arp_nd(packet: &[u8]) {
    decode_arp(packet);
    decode_neighbor(packet);
    decode_neighbor(&with_right_checksums(packet));
}

fn decode_arp(packet: &[u8]) {
    let Ok(arp) = ArpPacket::parse(packet) else { return };
    let operation: u8 = match arp.operation {
        ArpOperation::Request => 1,
        ArpOperation::Reply => 2,
    };
    let again = [
        &[0, 1, 8, 0, 6, 4, 0, operation],
        arp.sender_mac.bytes().as_slice(),
        &arp.sender_address.octets(),
        arp.target_mac.bytes(),
        &arp.target_address.octets(),
    ];
    assert_eq!(packet.get(..28), Some(again.concat().as_slice()), "a field was read from the wrong place");
    assert_eq!(arp.claimed_address().is_none(), arp.sender_address.octets() == [0; 4]);
}

fn decode_neighbor(packet: &[u8]) {
    let Ok((_, datagram)) = parse_packet(packet) else { return };
    let Ok(advertisement) = NeighborAdvertisement::parse(&datagram) else { return };
    assert_eq!(datagram.hop_limit, 255, "a forwarded packet");
    assert_eq!(datagram.payload.get(8..24), Some(advertisement.target.octets().as_slice()));
    let Some(mac) = advertisement.link_layer_address else { return };
    assert!(datagram.payload.windows(6).any(|bytes| bytes == mac.bytes()), "an address that is not in the packet");
    announce_again(&advertisement, mac);
}

/// Announces what was heard: the claim must stay the same.
fn announce_again(heard: &NeighborAdvertisement, mac: MacAddress) {
    let frame = neighbor::unsolicited_advertisement(mac, heard.target, heard.router);
    let (_, packet) = frame.split_at(14);
    let again = Datagram::parse_ipv6(packet).map(|(_, datagram)| NeighborAdvertisement::parse(&datagram));
    let expected = NeighborAdvertisement { solicited: false, overrides: true, ..*heard };
    assert_eq!(again, Ok(Ok(expected)), "what was announced is not what was heard");
}
