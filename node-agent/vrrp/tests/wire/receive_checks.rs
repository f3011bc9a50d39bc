//! Every receive check refuses the one packet that breaks it, under a name of its own.

use std::time::Duration;

use holdfast_vrrp::Family;
use holdfast_vrrp::wire::{ReceiveCheck, ReceiveCounters, ReceiveError, ReceivePolicy};

use super::support::{Packet, V2, V3, interval, ip, policy, v2_password};

struct Case {
    what: &'static str,
    policy: ReceivePolicy,
    packet: Packet,
    error: ReceiveError,
}

/// Each packet is valid but for one thing; the checksum is made right again where it is not the thing in question.
#[rustfmt::skip]
fn broken_packets() -> Vec<Case> {
    let (v2, v3, v3_ipv6) = (policy(V2, Family::Ipv4), policy(V3, Family::Ipv4), policy(V3, Family::Ipv6));
    let pass = policy(v2_password(b"secret12"), Family::Ipv4);
    let unicast_ipv4 = ReceivePolicy::unicast(V3, Family::Ipv4, interval(V3, 1000));
    let unicast_ipv6 = ReceivePolicy {
        minimum_hop_limit: Some(60),
        ..ReceivePolicy::unicast(V3, Family::Ipv6, interval(V3, 1000))
    };
    let case = |what, policy, packet, error| Case { what, policy, packet, error };
    let two_seconds = Duration::from_secs(2);
    let one_second = Duration::from_secs(1);
    let other_family = Packet { source: ip("fe80::1"), ..Packet::v3() };

    vec![
        case("IPv6 for an IPv4 router", v3, Packet::v3_ipv6(), ReceiveError::Family),
        case("IPv4 for an IPv6 router", v3_ipv6, Packet::v3(), ReceiveError::Family),
        case("addresses of two families", v3, other_family, ReceiveError::Family),

        case("v2 forwarded", v2, Packet::v2().hop_limit(254), ReceiveError::HopLimit { found: 254, minimum: 255 }),
        case("v3 forwarded", v3, Packet::v3().hop_limit(254), ReceiveError::HopLimit { found: 254, minimum: 255 }),
        case("IPv6 forwarded", v3_ipv6, Packet::v3_ipv6().hop_limit(64), ReceiveError::HopLimit { found: 64, minimum: 255 }),
        case("IPv4 unicast forwarded", unicast_ipv4, Packet::v3().to("10.77.0.2").sealed().hop_limit(254),
            ReceiveError::HopLimit { found: 254, minimum: 255 }),
        case("unicast to a multicast router, forwarded", v3_ipv6, Packet::v3_ipv6().to("fe80::2").sealed().hop_limit(64),
            ReceiveError::HopLimit { found: 64, minimum: 255 }),
        case("multicast to an IPv6 unicast router, forwarded", unicast_ipv6, Packet::v3_ipv6().hop_limit(64),
            ReceiveError::HopLimit { found: 64, minimum: 255 }),
        case("IPv6 unicast below its minimum", unicast_ipv6, Packet::v3_ipv6().to("fe80::2").sealed().hop_limit(59),
            ReceiveError::HopLimit { found: 59, minimum: 60 }),

        case("v3 for a v2 router", v2, Packet::v3(), ReceiveError::Version { found: 3, expected: 2 }),
        case("v2 for a v3 router", v3, Packet::v2(), ReceiveError::Version { found: 2, expected: 3 }),
        case("version 4", v3, Packet::v3().byte(0, 0x41).sealed(), ReceiveError::Version { found: 4, expected: 3 }),
        case("version 0", v3_ipv6, Packet::v3_ipv6().byte(0, 0x01).sealed(), ReceiveError::Version { found: 0, expected: 3 }),

        case("v2 type 2", v2, Packet::v2().byte(0, 0x22).sealed(), ReceiveError::Type(2)),
        case("v3 type 0", v3, Packet::v3().byte(0, 0x30).sealed(), ReceiveError::Type(0)),

        case("nothing", v3, Packet::v3().cut(0), ReceiveError::Truncated { needed: 8, available: 0 }),
        case("half a header", v2, Packet::v2().cut(7), ReceiveError::Truncated { needed: 8, available: 7 }),
        case("v2 without authentication data", v2, Packet::v2().cut(12).sealed(),
            ReceiveError::Truncated { needed: 20, available: 12 }),
        case("v2 one byte short", v2, Packet::v2().cut(19).sealed(), ReceiveError::Truncated { needed: 20, available: 19 }),
        case("v3 one byte short", v3, Packet::v3().cut(11).sealed(), ReceiveError::Truncated { needed: 12, available: 11 }),
        case("v3 count too high", v3, Packet::v3().byte(3, 255).sealed(), ReceiveError::Truncated { needed: 1028, available: 12 }),
        case("IPv6 with IPv4 addresses", v3_ipv6, Packet::v3_ipv6().cut(16).sealed(),
            ReceiveError::Truncated { needed: 40, available: 16 }),

        case("v2 count too low", v2, Packet::v2().byte(3, 0).sealed(), ReceiveError::TrailingBytes(4)),
        case("v3 with 4 bytes more", v3, Packet::v3().append(&[0; 4]).sealed(), ReceiveError::TrailingBytes(4)),
        case("v3 with a trailer of 28 bytes", v3, Packet::v3().append(&[1; 28]).sealed(), ReceiveError::TrailingBytes(28)),
        case("v3 with authentication data", v3, Packet::v3().append(&[0; 8]).sealed(), ReceiveError::TrailingBytes(8)),
        case("IPv6 with 1 byte more", v3_ipv6, Packet::v3_ipv6().append(&[0]).sealed(), ReceiveError::TrailingBytes(1)),

        case("v2 damaged", v2, Packet::v2().byte(2, 201), ReceiveError::Checksum),
        case("v2 with a pseudo-header", v2, Packet::v2().byte(6, 0).byte(7, 0), ReceiveError::Checksum),
        case("v3 damaged", v3, Packet::v3().byte(2, 201), ReceiveError::Checksum),
        case("IPv6 damaged", v3_ipv6, Packet::v3_ipv6().byte(20, 1), ReceiveError::Checksum),
        case("IPv6 without a pseudo-header", v3_ipv6, Packet::v3_ipv6().sealed_message_only(), ReceiveError::Checksum),
        case("IPv6 from another source", v3_ipv6, Packet { source: ip("fe80::ff:fe00:b"), ..Packet::v3_ipv6() },
            ReceiveError::Checksum),
        case("multicast with the checksum of unicast", v3,
            Packet { destination: ip("224.0.0.18"), ..Packet::v3().to("10.77.0.2").sealed() }, ReceiveError::Checksum),

        case("v2 VRID 0", v2, Packet::v2().byte(1, 0).sealed(), ReceiveError::VirtualRouterId),
        case("v3 VRID 0", v3, Packet::v3().byte(1, 0).sealed(), ReceiveError::VirtualRouterId),

        case("v2 password not expected", v2, Packet::v2_with_password(),
            ReceiveError::AuthenticationType { found: 1, expected: 0 }),
        case("v2 password missing", pass, Packet::v2(), ReceiveError::AuthenticationType { found: 0, expected: 1 }),
        case("v2 in an authentication header", v2, Packet::v2().byte(4, 2).sealed(),
            ReceiveError::AuthenticationType { found: 2, expected: 0 }),

        case("v2 password differs in the last byte", pass, Packet::v2_with_password().byte(19, b'3').sealed(),
            ReceiveError::AuthenticationData),
        case("v2 password shorter", pass, Packet::v2_with_password().byte(19, 0).sealed(), ReceiveError::AuthenticationData),

        case("v2 interval 2 s", v2, Packet::v2().byte(5, 2).sealed(),
            ReceiveError::IntervalMismatch { found: two_seconds, expected: one_second }),
        case("v2 interval 0", v2, Packet::v2().byte(5, 0).sealed(),
            ReceiveError::IntervalMismatch { found: Duration::ZERO, expected: one_second }),

        case("v3 interval 0", v3, Packet::v3().byte(5, 0).sealed(), ReceiveError::IntervalZero),
        case("v3 interval 0 with reserved bits", v3, Packet::v3().byte(4, 0xf0).byte(5, 0).sealed(), ReceiveError::IntervalZero),
        case("v3 release with interval 0", v3, Packet::v3().byte(2, 0).byte(5, 0).sealed(), ReceiveError::IntervalZero),

        case("v3 without addresses", v3, Packet::v3().byte(3, 0).cut(8).sealed(), ReceiveError::AddressCount),
        case("IPv6 without addresses", v3_ipv6, Packet::v3_ipv6().byte(3, 0).cut(8).sealed(), ReceiveError::AddressCount),
    ]
}

#[test]
fn a_packet_that_breaks_one_rule_is_refused_for_that_rule() {
    for case in broken_packets() {
        let refused = case.packet.parse(&case.policy).expect_err(case.what);

        assert_eq!(refused, case.error, "{}", case.what);
    }
}

#[test]
fn every_check_has_a_packet_that_breaks_it_and_a_counter_that_sees_it() {
    let mut counters = ReceiveCounters::default();
    for case in broken_packets() {
        let before = counters.get(case.error.check());

        counters.count(&case.packet.parse(&case.policy).expect_err(case.what));

        assert_eq!(counters.get(case.error.check()), before + 1, "{}", case.what);
    }
    for (name, count) in counters.iter() {
        assert!(count > 0, "no packet breaks {name}");
    }
    assert_eq!(counters.total(), u64::try_from(broken_packets().len()).unwrap());
}

#[test]
fn the_counters_have_names_that_dashboards_rely_on() {
    let names: Vec<_> = ReceiveCounters::default().iter().map(|(name, _)| name).collect();

    let expected = [
        "family",
        "hop_limit",
        "version",
        "type",
        "truncated",
        "trailing_bytes",
        "checksum",
        "virtual_router_id",
        "authentication_type",
        "authentication_data",
        "interval_mismatch",
        "interval_zero",
        "address_count",
    ];
    assert_eq!(names, expected);
    assert_eq!(ReceiveCheck::ALL.map(ReceiveCheck::name).to_vec(), names);
}

#[test]
fn of_two_faults_the_earlier_check_is_the_one_that_is_told() {
    // From the last check to the first, each fault is added to those before; the checksum is right where it can be.
    let v2 = policy(v2_password(b"secret12"), Family::Ipv4);
    let interval = Packet::v2_with_password().byte(5, 9);
    let password = interval.clone().byte(12, 0);
    let authentication_type = password.clone().byte(4, 0);
    let vrid = authentication_type.clone().byte(1, 0);
    let checksum = vrid.clone().sealed().byte(6, 0x55);
    let trailing = checksum.clone().append(&[0]);
    let message_type = trailing.clone().byte(0, 0x22);
    let version = message_type.clone().byte(0, 0x32);
    let hop_limit = version.clone().hop_limit(1);
    let family = Packet { source: ip("::1"), ..hop_limit.clone() };

    let failed = |packet: &Packet| packet.parse(&v2).expect_err("broken").check();

    assert_eq!(failed(&interval.sealed()), ReceiveCheck::IntervalMismatch);
    assert_eq!(failed(&password.sealed()), ReceiveCheck::AuthenticationData);
    assert_eq!(failed(&authentication_type.sealed()), ReceiveCheck::AuthenticationType);
    assert_eq!(failed(&vrid.sealed()), ReceiveCheck::VirtualRouterId);
    assert_eq!(failed(&checksum), ReceiveCheck::Checksum);
    assert_eq!(failed(&trailing), ReceiveCheck::TrailingBytes);
    assert_eq!(failed(&message_type), ReceiveCheck::Type);
    assert_eq!(failed(&version), ReceiveCheck::Version);
    assert_eq!(failed(&hop_limit), ReceiveCheck::HopLimit);
    assert_eq!(failed(&family), ReceiveCheck::Family);
}

#[test]
fn ipv6_unicast_takes_the_hop_limit_that_keepalived_sends() {
    let packet = Packet::v3_ipv6().to("fe80::2").sealed().hop_limit(64);
    let unicast = ReceivePolicy::unicast(V3, Family::Ipv6, interval(V3, 1000));

    assert!(packet.parse(&unicast).is_ok());
    assert!(packet.parse(&ReceivePolicy { minimum_hop_limit: Some(64), ..unicast }).is_ok());
    assert!(packet.parse(&ReceivePolicy { minimum_hop_limit: Some(65), ..unicast }).is_err());
}

#[test]
fn reserved_bits_are_ignored() {
    let packet = Packet::v3().byte(4, 0xf0).sealed();

    let advert = packet.parse(&policy(V3, Family::Ipv4)).unwrap();

    assert_eq!(advert.interval(), Duration::from_millis(100));
}

#[test]
fn without_a_password_the_authentication_data_is_ignored() {
    let packet = Packet::v2().byte(12, 0xff).sealed();

    assert!(packet.parse(&policy(V2, Family::Ipv4)).is_ok());
}

#[test]
fn a_v2_advert_without_addresses_is_accepted_as_frr_sends_it() {
    let packet = Packet::v2().cut(16).byte(3, 0).sealed();

    let advert = packet.parse(&policy(V2, Family::Ipv4)).unwrap();

    assert_eq!(advert.address_count(), 0);
    assert_eq!(advert.addresses().next(), None);
}

#[test]
fn an_ipv6_list_without_a_link_local_address_first_is_told_and_not_refused() {
    let ipv6 = policy(V3, Family::Ipv6);
    let keepalived = Packet::v3_ipv6();
    let frr = Packet::new("fe80::77:100", "ff02::12", "3133640100646c5a fd770000000000000000000000000100");

    assert!(keepalived.parse(&ipv6).unwrap().first_address_is_link_local());
    assert!(!frr.parse(&ipv6).unwrap().first_address_is_link_local());
}

#[test]
fn the_longest_v3_interval_is_learned() {
    let packet = Packet::v3().byte(4, 0x0f).byte(5, 0xff).sealed();

    let advert = packet.parse(&policy(V3, Family::Ipv4)).unwrap();

    assert_eq!(advert.interval(), Duration::from_millis(40_950));
}

#[test]
fn a_list_of_255_addresses_is_read_whole() {
    for (packet, policy, length) in [
        (Packet::v3(), policy(V3, Family::Ipv4), 4),
        (Packet::v2(), policy(V2, Family::Ipv4), 4),
        (Packet::v3_ipv6(), policy(V3, Family::Ipv6), 16),
    ] {
        let trailer = if packet.message[0] >> 4 == 2 { 8 } else { 0 };
        let full = packet.cut(8).append(&vec![7; 255 * length + trailer]).byte(3, 255);
        let full = if trailer == 8 { full.byte(4, 0).sealed() } else { full.sealed() };

        let advert = full.parse(&policy).unwrap();

        assert_eq!(advert.address_count(), 255);
        assert_eq!(advert.addresses().count(), 255);
    }
}
