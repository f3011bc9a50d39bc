//! IP headers as a packet socket delivers them.

use holdfast_vrrp::wire::{Checksum, Datagram, IpError, IpProtocol};

use super::support::{hex, ip};

const IPV4: &str = "45c0002000010000ff70d04c0a4d0001e0000012 3133c801000a1133 0a4d0064";

/// The captured IPv4 packet with one byte of its header changed, and the header checksum made right again.
fn ipv4_with(offset: usize, value: u8) -> Vec<u8> {
    let mut packet = hex(IPV4);
    packet[offset] = value;
    seal(&mut packet, 20);
    packet
}

fn seal(packet: &mut [u8], header: usize) {
    packet[10..12].fill(0);
    let sum = Checksum::default().with(&packet[..header]).value();
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
}

/// An advert of FRR over IPv6, behind the header that carries it.
fn ipv6() -> Vec<u8> {
    hex("6c0 00000 0018 70 ff fe800000000000000000000000770100 ff020000000000000000000000000012
         3133640100646c5a fd770000000000000000000000000100")
}

fn error(packet: &[u8]) -> IpError {
    Datagram::parse_ipv4(packet).expect_err("broken")
}

#[test]
fn an_ipv4_packet_that_is_cut_anywhere_is_refused() {
    let packet = hex(IPV4);

    for length in 0..20 {
        assert_eq!(error(&packet[..length]), IpError::Truncated { needed: 20, available: length });
    }
    for length in 20..32 {
        assert_eq!(error(&packet[..length]), IpError::Truncated { needed: 32, available: length });
    }
}

#[test]
fn an_ipv6_packet_that_is_cut_anywhere_is_refused() {
    let packet = ipv6();

    for length in 0..packet.len() {
        let needed = if length < 40 { 40 } else { packet.len() };
        let error = Datagram::parse_ipv6(&packet[..length]).expect_err("cut");
        assert_eq!(error, IpError::Truncated { needed, available: length });
    }
}

#[test]
fn an_ipv6_packet_is_read_without_its_padding() {
    let padded = [ipv6().as_slice(), &[0; 6]].concat();

    let (protocol, datagram) = Datagram::parse_ipv6(&padded).unwrap();

    assert_eq!(protocol, IpProtocol::Vrrp);
    assert_eq!((datagram.source, datagram.destination), (ip("fe80::77:100"), ip("ff02::12")));
    assert_eq!(datagram.hop_limit, 255);
    assert_eq!(datagram.payload, hex("3133640100646c5a fd770000000000000000000000000100"));
}

#[test]
fn a_header_of_the_other_version_is_refused() {
    assert_eq!(error(&ipv6()), IpError::Version(6));
    let ipv4 = [hex(IPV4).as_slice(), &[0; 20]].concat();
    assert_eq!(Datagram::parse_ipv6(&ipv4), Err(IpError::Version(4)));
}

#[test]
fn an_ipv4_header_fits_between_20_bytes_and_the_total_length() {
    assert_eq!(error(&ipv4_with(0, 0x44)), IpError::HeaderLength { header: 16, total: 32 });
    assert_eq!(error(&ipv4_with(0, 0x49)), IpError::HeaderLength { header: 36, total: 32 });
    assert_eq!(error(&ipv4_with(3, 19)), IpError::HeaderLength { header: 20, total: 19 });
}

#[test]
fn a_damaged_ipv4_header_is_refused() {
    // The message-only checksum does not cover the source, and the source decides elections.
    let mut packet = hex(IPV4);
    packet[15] ^= 0x80;

    assert_eq!(error(&packet), IpError::HeaderChecksum);
}

#[test]
fn fragments_are_refused_and_dont_fragment_is_none() {
    assert_eq!(error(&ipv4_with(6, 0x20)), IpError::Fragment);
    assert_eq!(error(&ipv4_with(7, 0x01)), IpError::Fragment);
    assert_eq!(error(&ipv4_with(6, 0x1f)), IpError::Fragment);
    assert!(Datagram::parse_ipv4(&ipv4_with(6, 0x40)).is_ok());
}

#[test]
fn nobody_sends_from_a_group() {
    assert_eq!(error(&ipv4_with(12, 224)), IpError::Source(ip("224.77.0.1")));
    let mut broadcast = hex(IPV4);
    broadcast[12..16].fill(255);
    seal(&mut broadcast, 20);
    assert_eq!(error(&broadcast), IpError::Source(ip("255.255.255.255")));
    let mut packet = ipv6();
    packet[8] = 0xff;
    assert_eq!(Datagram::parse_ipv6(&packet), Err(IpError::Source(ip("ff80::77:100"))));
}

#[test]
fn the_protocol_is_told() {
    let cases = [(112, IpProtocol::Vrrp), (58, IpProtocol::Icmpv6), (51, IpProtocol::Other(51))];
    for (number, expected) in cases {
        assert_eq!(Datagram::parse_ipv4(&ipv4_with(9, number)).unwrap().0, expected);
        let mut packet = ipv6();
        packet[6] = number;
        assert_eq!(Datagram::parse_ipv6(&packet).unwrap().0, expected);
    }
}

#[test]
fn ipv6_extensions_are_another_protocol() {
    // 0 hop-by-hop options, 44 fragment, 51 authentication header.
    for extension in [0, 44, 51] {
        let mut packet = ipv6();
        packet[6] = extension;
        assert_eq!(Datagram::parse_ipv6(&packet).unwrap().0, IpProtocol::Other(extension));
    }
}
