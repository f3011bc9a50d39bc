//! Adverts as keepalived 2.2.7 and FRR 8.4.4 put them on the wire: read right, and written byte for byte the same.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::wire::{Advert, AdvertRepr, Datagram, IpProtocol, ReceivePolicy};
use holdfast_vrrp::{Claim, Family, Ipv4Checksum, Priority, Protocol};

use super::support::{Packet, V2, V3, hex, interval, ip, policy, v2_password, vrid};

const GROUP: &str = "224.0.0.18";
const GROUP_IPV6: &str = "ff02::12";
const IPV6_KEEPALIVED: &[&str] = &["fe80::77:100", "fd77::100"];

struct Captured {
    name: &'static str,
    protocol: Protocol,
    source: &'static str,
    destination: &'static str,
    priority: u8,
    milliseconds: u64,
    addresses: &'static [&'static str],
    message: &'static str,
}

#[rustfmt::skip]
fn captured() -> Vec<Captured> {
    let pass = v2_password(b"secret12");
    let one: &[&str] = &["10.77.0.100"];
    let row = |name, protocol, source, destination, priority, milliseconds, addresses, message| {
        Captured { name, protocol, source, destination, priority, milliseconds, addresses, message }
    };
    vec![
        row("keepalived v2", V2, "10.77.0.1", GROUP, 200, 1000, one, "2133c80100010c19 0a4d0064 0000000000000000"),
        row("keepalived v2 release", V2, "10.77.0.1", GROUP, 0, 1000, one, "213300010001d419 0a4d0064 0000000000000000"),
        row("keepalived v2 PASS", pass, "10.77.0.1", GROUP, 200, 1000, one, "2133c80101019d9a 0a4d0064 7365637265743132"),
        row("keepalived v2 PASS release", pass, "10.77.0.1", GROUP, 0, 1000, one, "213300010101659b 0a4d0064 7365637265743132"),
        row("keepalived v3", V3, "10.77.0.1", GROUP, 200, 100, one, "3133c801000a1133 0a4d0064"),
        row("keepalived v3 release", V3, "10.77.0.1", GROUP, 0, 100, one, "31330001000ad933 0a4d0064"),
        row("keepalived and FRR v3", V3, "10.77.0.2", GROUP, 100, 100, one, "31336401000a7532 0a4d0064"),
        row("FRR v3 1 s", V3, "10.77.0.2", GROUP, 100, 1000, one, "31336401006474d8 0a4d0064"),
        row("FRR v3 1 s release", V3, "10.77.0.2", GROUP, 0, 1000, one, "313300010064d8d8 0a4d0064"),
        row("keepalived v3 unicast", V3, "10.77.0.1", "10.77.0.2", 200, 100, one, "3133c801000ae6f6 0a4d0064"),
        row("keepalived v3 IPv6", V3, "fe80::ff:fe00:a", GROUP_IPV6, 200, 100, IPV6_KEEPALIVED,
            "3133c802000a0b18 fe800000000000000000000000770100 fd770000000000000000000000000100"),
        row("keepalived v3 IPv6 release", V3, "fe80::ff:fe00:a", GROUP_IPV6, 0, 100, IPV6_KEEPALIVED,
            "31330002000ad318 fe800000000000000000000000770100 fd770000000000000000000000000100"),
        row("FRR v3 IPv6", V3, "fe80::77:100", GROUP_IPV6, 100, 1000, &["fd77::100"],
            "3133640100646c5a fd770000000000000000000000000100"),
    ]
}

impl Captured {
    fn claim(&self) -> Claim {
        Priority::new(self.priority).map_or(Claim::Release, Claim::Master)
    }

    fn addresses(&self) -> Vec<IpAddr> {
        self.addresses.iter().map(|address| ip(address)).collect()
    }

    fn policy(&self) -> ReceivePolicy {
        let interval = interval(self.protocol, self.milliseconds);
        let family = if ip(self.source).is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
        if ip(self.destination).is_multicast() {
            ReceivePolicy::multicast(self.protocol, family, interval)
        } else {
            ReceivePolicy::unicast(self.protocol, family, interval)
        }
    }
}

#[test]
fn every_captured_advert_is_read_as_its_sender_meant_it() {
    for sample in captured() {
        let packet = Packet::new(sample.source, sample.destination, sample.message);

        let advert = packet.parse(&sample.policy()).unwrap_or_else(|error| panic!("{}: {error}", sample.name));

        assert_eq!(advert.version(), sample.protocol.version(), "{}", sample.name);
        assert_eq!(advert.vrid(), vrid(51), "{}", sample.name);
        assert_eq!(advert.claim(), sample.claim(), "{}", sample.name);
        assert_eq!(advert.interval(), Duration::from_millis(sample.milliseconds), "{}", sample.name);
        assert_eq!(advert.address_count(), sample.addresses.len(), "{}", sample.name);
        assert_eq!(advert.addresses().collect::<Vec<_>>(), sample.addresses(), "{}", sample.name);
    }
}

#[test]
fn every_captured_advert_is_written_byte_for_byte() {
    for sample in captured() {
        let addresses = sample.addresses();
        let advert = AdvertRepr {
            vrid: vrid(51),
            claim: sample.claim(),
            protocol: sample.protocol,
            interval: interval(sample.protocol, sample.milliseconds),
            addresses: &addresses,
        };
        let mut buffer = [0xee; AdvertRepr::MAX_LENGTH];

        let length = advert.emit(ip(sample.source), ip(sample.destination), &mut buffer).unwrap();

        assert_eq!(buffer[..length], hex(sample.message), "{}", sample.name);
        assert_eq!(length, advert.length(), "{}", sample.name);
        assert!(buffer[length..].iter().all(|byte| *byte == 0xee), "{}: wrote past its length", sample.name);
    }
}

#[test]
fn a_captured_frame_is_read_from_its_ip_header_on() {
    let packet = hex("45c0002000010000ff70d04c0a4d0001e0000012 3133c801000a1133 0a4d0064");
    let padded = [packet.as_slice(), &[0; 14]].concat();

    for packet in [packet, padded] {
        let (protocol, datagram) = Datagram::parse_ipv4(&packet).unwrap();

        assert_eq!(protocol, IpProtocol::Vrrp);
        assert_eq!((datagram.source, datagram.destination), (ip("10.77.0.1"), ip("224.0.0.18")));
        assert_eq!(datagram.hop_limit, 255);
        let advert = Advert::parse(&datagram, &policy(V3, Family::Ipv4)).unwrap();
        assert_eq!(advert.claim().to_wire(), 200);
    }
}

#[test]
fn the_form_of_a_v3_ipv4_checksum_is_told_and_both_are_accepted() {
    let v3 = policy(V3, Family::Ipv4);
    let message_only = Packet::new("10.77.0.1", "224.0.0.18", "3133c801000afc0f 0a4d0064");
    let unicast = Packet::new("10.77.0.1", "10.77.0.2", "3133c801000ae6f6 0a4d0064");

    let form = |packet: &Packet, policy: &ReceivePolicy| packet.parse(policy).unwrap().checksum_form();

    assert_eq!(form(&Packet::v3(), &v3), Some(Ipv4Checksum::PseudoHeader));
    assert_eq!(form(&message_only, &v3), Some(Ipv4Checksum::MessageOnly));
    assert_eq!(form(&unicast, &v3), Some(Ipv4Checksum::PseudoHeader));
    assert_eq!(form(&Packet::v2(), &policy(V2, Family::Ipv4)), None);
    assert_eq!(form(&Packet::v3_ipv6(), &policy(V3, Family::Ipv6)), None);
}

#[test]
fn the_message_only_form_is_sent_on_request_over_ipv4_alone() {
    let protocol = Protocol::V3 { checksum: Ipv4Checksum::MessageOnly };
    let emit = |source, destination, addresses: &[IpAddr]| {
        let advert = AdvertRepr {
            vrid: vrid(51),
            claim: Claim::from_wire(200),
            protocol,
            interval: interval(protocol, 100),
            addresses,
        };
        let mut buffer = [0; 64];
        let length = advert.emit(ip(source), ip(destination), &mut buffer).unwrap();
        buffer[..length].to_vec()
    };

    let ipv4 = emit("10.77.0.1", "224.0.0.18", &[ip("10.77.0.100")]);
    let ipv6 = emit("fe80::ff:fe00:a", "ff02::12", &[ip("fe80::77:100"), ip("fd77::100")]);

    assert_eq!(ipv4, hex("3133c801000afc0f 0a4d0064"));
    assert_eq!(ipv6, Packet::v3_ipv6().message);
}

#[test]
fn a_unicast_advert_with_the_group_in_its_pseudo_header_is_accepted() {
    // keepalived up to 1.3.6 sends the multicast form to unicast peers.
    let packet = Packet::v3().to("10.77.0.2");

    let advert = packet.parse(&ReceivePolicy::unicast(V3, Family::Ipv4, interval(V3, 1000))).unwrap();

    assert_eq!(advert.checksum_form(), Some(Ipv4Checksum::PseudoHeader));
}

#[test]
fn a_unicast_advert_needs_a_checksum_for_each_peer() {
    let addresses = [ip("10.77.0.100")];
    let advert = AdvertRepr {
        vrid: vrid(51),
        claim: Claim::from_wire(200),
        protocol: V3,
        interval: interval(V3, 100),
        addresses: &addresses,
    };
    let emit = |peer| {
        let mut buffer = [0; 12];
        advert.emit(ip("10.77.0.1"), ip(peer), &mut buffer).unwrap();
        buffer
    };

    assert_ne!(emit("10.77.0.2")[6..8], emit("10.77.0.3")[6..8]);
}

#[test]
fn the_virtual_router_is_told_before_any_check() {
    assert_eq!(Advert::peek(&hex("2133")), Some(vrid(51)));
    assert_eq!(Advert::peek(&hex("ffff")), Some(vrid(255)));
    assert_eq!(Advert::peek(&hex("2100c801")), None);
    assert_eq!(Advert::peek(&hex("21")), None);
    assert_eq!(Advert::peek(&[]), None);
}
