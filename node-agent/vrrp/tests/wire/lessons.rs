//! Mistakes that other implementations made in their codecs, each as the rule that it broke.

use std::net::Ipv6Addr;
use std::time::Duration;

use holdfast_vrrp::wire::{Advert, AdvertRepr, Checksum, Datagram, EmitError, MacAddress, ReceiveError, neighbor};
use holdfast_vrrp::{Claim, Family};

use super::support::{Packet, V2, V3, hex, interval, ip, policy, vrid};

#[test]
fn centiseconds_are_not_taken_for_seconds() {
    // holo ran its default of 100 centiseconds as 100 seconds.
    let packet = Packet::new("10.77.0.2", "224.0.0.18", "31336401006474d8 0a4d0064");

    let advert = packet.parse(&policy(V3, Family::Ipv4)).unwrap();

    assert_eq!(advert.interval(), Duration::from_secs(1));
}

#[test]
fn a_v3_advert_with_another_interval_is_not_dropped() {
    // holo drops it; RFC 9568 section 7.1 makes a backup learn it.
    let packet = Packet::v3();

    let advert = packet.parse(&policy(V3, Family::Ipv4)).unwrap();

    assert_eq!(advert.interval(), Duration::from_millis(100));
    assert_ne!(advert.interval(), policy(V3, Family::Ipv4).interval.get());
}

#[test]
fn an_ipv4_header_with_options_is_skipped_whole() {
    // holo takes the header for 20 bytes long.
    let mut packet = hex("46c0002400010000ff7000000a4d0001e0000012 94040000 3133c801000a1133 0a4d0064");
    let sum = Checksum::default().with(&packet[..24]).value();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());

    let (_, datagram) = Datagram::parse_ipv4(&packet).unwrap();

    assert_eq!(datagram.payload, Packet::v3().message);
    assert!(Advert::parse(&datagram, &policy(V3, Family::Ipv4)).is_ok());
}

#[test]
fn a_forwarded_advert_is_dropped() {
    // holo has an error for the hop limit that nothing ever builds.
    let packet = Packet::v3().hop_limit(254);

    let error = packet.parse(&policy(V3, Family::Ipv4));

    assert_eq!(error, Err(ReceiveError::HopLimit { found: 254, minimum: 255 }));
}

#[test]
fn the_type_and_the_authentication_type_are_looked_at() {
    // holo decodes both fields and checks neither.
    let v2 = policy(V2, Family::Ipv4);

    assert_eq!(Packet::v2().byte(0, 0x23).sealed().parse(&v2), Err(ReceiveError::Type(3)));
    let error = ReceiveError::AuthenticationType { found: 2, expected: 0 };
    assert_eq!(Packet::v2().byte(4, 2).sealed().parse(&v2), Err(error));
}

#[test]
fn more_than_20_addresses_are_read() {
    // holo has a cap of 20.
    let packet = Packet::v3().cut(8).append(&[10; 21 * 4]).byte(3, 21).sealed();

    assert_eq!(packet.parse(&policy(V3, Family::Ipv4)).unwrap().address_count(), 21);
}

#[test]
fn an_unpadded_advert_is_as_good_as_a_padded_one() {
    // rVRRPd accepts only frames that a network card has padded: virtual links do not pad.
    let bare = hex("45c0002000010000ff70d04c0a4d0001e0000012 3133c801000a1133 0a4d0064");
    let padded = [bare.as_slice(), &[0xa5; 14]].concat();

    let (_, from_bare) = Datagram::parse_ipv4(&bare).unwrap();
    let (_, from_padded) = Datagram::parse_ipv4(&padded).unwrap();

    assert_eq!(from_bare, from_padded);
    assert!(Advert::parse(&from_bare, &policy(V3, Family::Ipv4)).is_ok());
}

#[test]
fn a_v3_advert_over_ipv4_is_sent_in_the_form_that_keepalived_and_frr_accept() {
    // holo sends the message-only form: both sides become master.
    let addresses = [ip("10.77.0.100")];
    let advert = AdvertRepr {
        vrid: vrid(51),
        claim: Claim::from_wire(200),
        protocol: V3,
        interval: interval(V3, 100),
        addresses: &addresses,
    };
    let mut buffer = [0; 12];

    advert.emit(ip("10.77.0.1"), ip("224.0.0.18"), &mut buffer).unwrap();

    assert_eq!(buffer[6..8], [0x11, 0x33]);
}

#[test]
fn an_ipv6_advert_is_not_filled_with_the_first_address_of_a_dual_stack_list() {
    // holo takes `addresses.first()`, an IPv4 address, for an IPv6 virtual router.
    let addresses = [ip("10.77.0.100"), ip("fd77::100")];
    let advert = AdvertRepr {
        vrid: vrid(51),
        claim: Claim::from_wire(200),
        protocol: V3,
        interval: interval(V3, 100),
        addresses: &addresses,
    };

    let error = advert.emit(ip("fe80::1"), ip("ff02::12"), &mut [0; 64]);

    assert_eq!(error, Err(EmitError::Family(ip("10.77.0.100"))));
}

#[test]
fn a_neighbour_advertisement_goes_to_all_nodes_with_hop_limit_255() {
    // holo sends it to the virtual address itself, with hop limit 1.
    let address = Ipv6Addr::new(0xfd77, 0, 0, 0, 0, 0, 0, 0x100);

    let frame = neighbor::unsolicited_advertisement(MacAddress([2, 0, 0, 0, 0, 1]), address, false);

    let (_, datagram) = Datagram::parse_ipv6(&frame[14..]).unwrap();
    assert_eq!(datagram.destination, ip("ff02::1"));
    assert_eq!(datagram.hop_limit, 255);
}

#[test]
fn an_interval_of_zero_is_neither_obeyed_nor_sent() {
    // keepalived adopts it and flaps on every advert.
    let packet = Packet::v3().byte(5, 0).sealed();

    assert_eq!(packet.parse(&policy(V3, Family::Ipv4)), Err(ReceiveError::IntervalZero));
    let addresses = [ip("10.77.0.100")];
    let fast = AdvertRepr {
        vrid: vrid(51),
        claim: Claim::from_wire(200),
        protocol: V2,
        interval: interval(V3, 100),
        addresses: &addresses,
    };
    let error = fast.emit(ip("10.77.0.1"), ip("224.0.0.18"), &mut [0; 64]);
    assert_eq!(error, Err(EmitError::Interval(Duration::from_millis(100))));
}
