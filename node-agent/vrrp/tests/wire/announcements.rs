//! Gratuitous ARP and neighbour advertisements as keepalived and FRR put them on the wire, and what others claim.

use std::net::{Ipv4Addr, Ipv6Addr};

use holdfast_vrrp::Family;
use holdfast_vrrp::wire::{
    ArpError, ArpOperation, ArpPacket, Checksum, Datagram, IpProtocol, MacAddress, NeighborAdvertisement,
    NeighborError, arp, neighbor,
};

use super::support::{hex, ip, vrid};

const PHYSICAL: MacAddress = MacAddress([0x02, 0, 0, 0, 0, 0x0a]);
const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 100);
const ADDRESS_IPV6: Ipv6Addr = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x100);

const GRATUITOUS_ARP: &str =
    "ffffffffffff 02000000000a 0806 0001080006040001 02000000000a 0a4d0064 ffffffffffff 0a4d0064";
const GRATUITOUS_ARP_VIRTUAL: &str =
    "ffffffffffff 00005e000133 0806 0001080006040001 00005e000133 0a4d0064 ffffffffffff 0a4d0064";
const NA_KEEPALIVED: &str = "333300000001 02000000000a 86dd 60000000 0020 3aff
    fd770000000000000000000000000100 ff020000000000000000000000000001
    8800 57a6 20000000 fd770000000000000000000000000100 0201 02000000000a";
const NA_FRR: &str = "333300000001 00005e000233 86dd 60000000 0020 3aff
    fd770000000000000000000000000100 ff020000000000000000000000000001
    8800 797c a0000000 fd770000000000000000000000000100 0201 00005e000233";

#[test]
fn a_gratuitous_arp_is_the_captured_frame() {
    assert_eq!(arp::gratuitous_request(PHYSICAL, ADDRESS).to_vec(), hex(GRATUITOUS_ARP));
    let virtual_router = MacAddress::virtual_router(Family::Ipv4, vrid(51));
    assert_eq!(arp::gratuitous_request(virtual_router, ADDRESS).to_vec(), hex(GRATUITOUS_ARP_VIRTUAL));
}

#[test]
fn an_arp_probe_names_no_sender_address() {
    let frame = hex("ffffffffffff 02000000000a 0806 0001080006040001 02000000000a 00000000 000000000000 0a4d0064");

    assert_eq!(arp::probe(PHYSICAL, ADDRESS).to_vec(), frame);
    let packet = ArpPacket::parse(&frame[14..]).unwrap();
    assert_eq!(packet.claimed_address(), None);
    assert_eq!(packet.target_address, ADDRESS);
}

#[test]
fn a_gratuitous_arp_claims_its_address() {
    let packet = ArpPacket::parse(&hex(GRATUITOUS_ARP_VIRTUAL)[14..]).unwrap();

    assert_eq!(packet.claimed_address(), Some(ADDRESS));
    let expected = ArpPacket {
        operation: ArpOperation::Request,
        sender_mac: MacAddress([0x00, 0x00, 0x5e, 0x00, 0x01, 0x33]),
        sender_address: ADDRESS,
        target_mac: MacAddress::BROADCAST,
        target_address: ADDRESS,
    };
    assert_eq!(packet, expected);
}

#[test]
fn an_arp_reply_claims_its_sender_and_padding_is_ignored() {
    let reply = hex("0001080006040002 02000000000b 0a4d0064 02000000000a 0a4d0001");
    let padded = [reply.as_slice(), &[0; 18]].concat();

    for packet in [reply, padded] {
        let packet = ArpPacket::parse(&packet).unwrap();
        assert_eq!(packet.operation, ArpOperation::Reply);
        assert_eq!(packet.claimed_address(), Some(ADDRESS));
        assert_eq!(packet.sender_mac.to_string(), "02:00:00:00:00:0b");
        assert_eq!(packet.target_address, Ipv4Addr::new(10, 77, 0, 1));
    }
}

#[test]
fn what_is_not_arp_about_ipv4_over_ethernet_is_refused() {
    let valid = hex("0001080006040002 02000000000b 0a4d0064 02000000000a 0a4d0001");
    let with = |offset: usize, value| {
        let mut packet = valid.clone();
        packet[offset] = value;
        ArpPacket::parse(&packet)
    };

    for length in 0..28 {
        assert_eq!(ArpPacket::parse(&valid[..length]), Err(ArpError::Truncated(length)));
    }
    assert_eq!(with(1, 6), Err(ArpError::AddressTypes), "hardware type");
    assert_eq!(with(2, 0x86), Err(ArpError::AddressTypes), "protocol type");
    assert_eq!(with(4, 8), Err(ArpError::AddressTypes), "hardware length");
    assert_eq!(with(5, 16), Err(ArpError::AddressTypes), "protocol length");
    assert_eq!(with(7, 3), Err(ArpError::Operation(3)), "reverse request");
}

#[test]
fn an_unsolicited_neighbour_advertisement_is_the_captured_frame() {
    let keepalived = neighbor::unsolicited_advertisement(PHYSICAL, ADDRESS_IPV6, false);
    let virtual_router = MacAddress::virtual_router(Family::Ipv6, vrid(51));
    let frr = neighbor::unsolicited_advertisement(virtual_router, ADDRESS_IPV6, true);

    assert_eq!(keepalived.to_vec(), hex(NA_KEEPALIVED));
    assert_eq!(frr.to_vec(), hex(NA_FRR));
}

#[test]
fn a_probe_asks_the_solicited_node_group_from_our_own_address_so_that_nobody_else_hears_the_answer() {
    let source = Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 1);
    let address = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0x12, 0x3456);

    let frame = neighbor::solicitation_probe(PHYSICAL, source, address);

    let header = hex("3333ff123456 02000000000a 86dd 60000000 0020 3aff");
    assert_eq!(frame[..22], header);
    let (protocol, datagram) = Datagram::parse_ipv6(&frame[14..]).unwrap();
    assert_eq!(protocol, IpProtocol::Icmpv6);
    assert_eq!((datagram.source, datagram.destination), (ip("fe80::1"), ip("ff02::1:ff12:3456")));
    assert_eq!(datagram.hop_limit, 255);
    assert_eq!(datagram.payload[..2], [135, 0]);
    assert_eq!(datagram.payload[4..], hex("00000000 fd770000000000000000000000123456 0101 02000000000a"));
    let sum = Checksum::pseudo_header(datagram.source, datagram.destination, 58, 32).unwrap();
    assert!(sum.with(datagram.payload).is_valid());
}

#[test]
fn a_captured_neighbour_advertisement_claims_its_target() {
    for (frame, router, mac) in [(NA_KEEPALIVED, false, "02:00:00:00:00:0a"), (NA_FRR, true, "00:00:5e:00:02:33")] {
        let frame = hex(frame);
        let (_, datagram) = Datagram::parse_ipv6(&frame[14..]).unwrap();

        let advertisement = NeighborAdvertisement::parse(&datagram).unwrap();

        assert_eq!(advertisement.target, ADDRESS_IPV6);
        assert_eq!(advertisement.link_layer_address.unwrap().to_string(), mac);
        assert_eq!(advertisement.router, router);
        assert!(advertisement.overrides);
        assert!(!advertisement.solicited);
    }
}

/// The ICMPv6 message of keepalived's advertisement, changed and with its checksum made right again.
fn advertisement(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut message = hex(NA_KEEPALIVED)[54..].to_vec();
    change(&mut message);
    if let Some(field) = message.get_mut(2..4) {
        field.fill(0);
        let sum = Checksum::pseudo_header(ip("fd77::100"), ip("ff02::1"), 58, message.len()).unwrap();
        let sum = sum.with(&message).value();
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    message
}

fn parse(message: &[u8]) -> Result<NeighborAdvertisement, NeighborError> {
    let (source, destination) = (ip("fd77::100"), ip("ff02::1"));
    NeighborAdvertisement::parse(&Datagram { source, destination, hop_limit: 255, payload: message })
}

#[test]
fn an_invalid_neighbour_advertisement_is_refused() {
    let cases: [(&str, Vec<u8>, NeighborError); 9] = [
        ("solicitation", advertisement(|message| message[0] = 135), NeighborError::Type { message_type: 135, code: 0 }),
        ("code", advertisement(|message| message[1] = 1), NeighborError::Type { message_type: 136, code: 1 }),
        ("multicast target", advertisement(|message| message[8] = 0xff), {
            NeighborError::Target("ff77::100".parse().unwrap())
        }),
        ("solicited", advertisement(|message| message[4] |= 0x40), NeighborError::SolicitedMulticast),
        ("option without length", advertisement(|message| message[25] = 0), NeighborError::Option),
        ("option past the end", advertisement(|message| message[25] = 2), NeighborError::Option),
        ("half an option", advertisement(|message| message.truncate(25)), NeighborError::Option),
        ("short", advertisement(|message| message.truncate(23)), NeighborError::Truncated(23)),
        ("empty", Vec::new(), NeighborError::Truncated(0)),
    ];
    for (what, message, error) in cases {
        assert_eq!(parse(&message), Err(error), "{what}");
    }
    let mut damaged = advertisement(|_| ());
    damaged[20] ^= 1;
    assert_eq!(parse(&damaged), Err(NeighborError::Checksum));
}

#[test]
fn a_forwarded_neighbour_advertisement_is_refused() {
    let message = advertisement(|_| ());
    let datagram =
        Datagram { source: ip("fd77::100"), destination: ip("ff02::1"), hop_limit: 254, payload: message.as_slice() };

    assert_eq!(NeighborAdvertisement::parse(&datagram), Err(NeighborError::HopLimit(254)));
    let ipv4 = Datagram { source: ip("10.77.0.1"), destination: ip("10.77.0.2"), hop_limit: 255, ..datagram };
    assert_eq!(NeighborAdvertisement::parse(&ipv4), Err(NeighborError::Family));
}

#[test]
fn an_advertisement_without_a_link_layer_address_still_claims_its_target() {
    let unknown_option_only = advertisement(|message| message[24] = 14);
    let no_option = advertisement(|message| message.truncate(24));

    for message in [unknown_option_only, no_option] {
        let advertisement = parse(&message).unwrap();
        assert_eq!(advertisement.target, ADDRESS_IPV6);
        assert_eq!(advertisement.link_layer_address, None);
    }
}

#[test]
fn the_link_layer_address_is_found_behind_other_options() {
    let message = advertisement(|message| {
        let option = message.split_off(24);
        message.extend([14, 2]);
        message.extend([0; 14]);
        message.extend(option);
    });

    assert_eq!(parse(&message).unwrap().link_layer_address, Some(PHYSICAL));
}

#[test]
fn virtual_router_addresses_differ_by_family_and_vrid() {
    let address = |family, number| MacAddress::virtual_router(family, vrid(number)).to_string();

    assert_eq!(address(Family::Ipv4, 51), "00:00:5e:00:01:33");
    assert_eq!(address(Family::Ipv6, 51), "00:00:5e:00:02:33");
    assert_eq!(address(Family::Ipv4, 255), "00:00:5e:00:01:ff");
}
