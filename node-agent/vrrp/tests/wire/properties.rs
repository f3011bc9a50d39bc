//! What holds for any value and any bytes.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arbtest::arbitrary::{Result, Unstructured};
use arbtest::arbtest;
use holdfast_vrrp::wire::{
    Advert, AdvertRepr, ArpPacket, Checksum, Datagram, IpProtocol, MacAddress, NeighborAdvertisement, ReceiveError,
    ReceivePolicy, arp, neighbor,
};
use holdfast_vrrp::{AdvertInterval, Claim, Family, Ipv4Checksum, Password, Protocol};

use super::support::{Packet, V2, V3, interval, policy, v2_password, vrid};

struct Sample {
    protocol: Protocol,
    family: Family,
    source: IpAddr,
    destination: IpAddr,
    vrid: u8,
    priority: u8,
    interval: AdvertInterval,
    addresses: Vec<IpAddr>,
}

fn address(input: &mut Unstructured<'_>, family: Family) -> Result<IpAddr> {
    Ok(match family {
        Family::Ipv4 => Ipv4Addr::from(input.arbitrary::<[u8; 4]>()?).into(),
        Family::Ipv6 => Ipv6Addr::from(input.arbitrary::<[u8; 16]>()?).into(),
    })
}

fn protocol(input: &mut Unstructured<'_>) -> Result<(Protocol, Family)> {
    let v3 = |checksum| Protocol::V3 { checksum };
    let password = Password::new(&input.arbitrary::<[u8; 8]>()?).ok();
    Ok(match input.int_in_range(0..=4)? {
        0 => (V2, Family::Ipv4),
        1 => (Protocol::V2 { password }, Family::Ipv4),
        2 => (v3(Ipv4Checksum::PseudoHeader), Family::Ipv4),
        3 => (v3(Ipv4Checksum::MessageOnly), Family::Ipv4),
        _ => (v3(Ipv4Checksum::PseudoHeader), Family::Ipv6),
    })
}

/// Any advert that may be sent.
fn sample(input: &mut Unstructured<'_>) -> Result<Sample> {
    let (protocol, family) = protocol(input)?;
    let milliseconds = match protocol {
        Protocol::V2 { .. } => input.int_in_range(1..=255)? * 1000,
        Protocol::V3 { .. } => input.int_in_range(1..=4095)? * 10,
    };
    let count = input.int_in_range(1..=255)?;
    Ok(Sample {
        protocol,
        family,
        source: address(input, family)?,
        destination: address(input, family)?,
        vrid: input.int_in_range(1..=255)?,
        priority: input.arbitrary()?,
        interval: interval(protocol, milliseconds),
        addresses: (0..count).map(|_| address(input, family)).collect::<Result<_>>()?,
    })
}

impl Sample {
    fn repr(&self) -> AdvertRepr<'_> {
        AdvertRepr {
            vrid: vrid(self.vrid),
            claim: Claim::from_wire(self.priority),
            protocol: self.protocol,
            interval: self.interval,
            addresses: &self.addresses,
        }
    }

    fn packet(&self) -> Packet {
        let mut message = vec![0; AdvertRepr::MAX_LENGTH];
        let length = self.repr().emit(self.source, self.destination, &mut message).expect("valid");
        message.truncate(length);
        Packet { source: self.source, destination: self.destination, hop_limit: 255, message }
    }

    fn policy(&self) -> ReceivePolicy {
        ReceivePolicy::multicast(self.protocol, self.family, self.interval)
    }
}

#[test]
fn what_was_written_is_read_back() {
    arbtest(|input| {
        let sample = sample(input)?;
        let packet = sample.packet();

        let advert = packet.parse(&sample.policy()).expect("valid");

        assert_eq!(packet.message.len(), sample.repr().length());
        assert_eq!(advert.version(), sample.protocol.version());
        assert_eq!(advert.vrid().get(), sample.vrid);
        assert_eq!(advert.claim().to_wire(), sample.priority);
        assert_eq!(advert.interval(), sample.interval.get());
        assert_eq!(advert.addresses().collect::<Vec<_>>(), sample.addresses);
        assert_eq!(Advert::peek(&packet.message), Some(advert.vrid()));
        Ok(())
    });
}

#[test]
fn any_prefix_of_an_advert_is_truncated() {
    arbtest(|input| {
        let sample = sample(input)?;
        let packet = sample.packet();
        let length = input.int_in_range(0..=packet.message.len() - 1)?;

        let error = packet.cut(length).parse(&sample.policy()).expect_err("cut");

        assert!(matches!(error, ReceiveError::Truncated { available, .. } if available == length), "{error}");
        Ok(())
    });
}

#[test]
fn every_flipped_bit_of_the_captured_adverts_is_noticed() {
    let pass = v2_password(b"secret12");
    for (packet, policy) in [
        (Packet::v2(), policy(V2, Family::Ipv4)),
        (Packet::v2_with_password(), policy(pass, Family::Ipv4)),
        (Packet::v3_ipv6(), policy(V3, Family::Ipv6)),
        (Packet::v3(), policy(V3, Family::Ipv4)),
    ] {
        for bit in 0..packet.message.len() * 8 {
            let flipped = packet.message[bit / 8] ^ 1 << (bit % 8);

            let damaged = packet.clone().byte(bit / 8, flipped);

            assert!(damaged.parse(&policy).is_err(), "bit {bit} of {:02x?}", packet.message);
        }
    }
}

/// VRRPv3 over IPv4 has several forms: there, one in some thousand bits turns one form into another, and a receiver that
/// accepts both cannot tell.
#[test]
fn a_flipped_bit_of_any_advert_is_noticed_where_the_checksum_has_one_form() {
    arbtest(|input| {
        let sample = sample(input)?;
        let packet = sample.packet();
        let has_one_form = packet.parse(&sample.policy()).expect("valid").checksum_form().is_none();
        let bit = input.int_in_range(0..=packet.message.len() * 8 - 1)?;
        let flipped = packet.message[bit / 8] ^ 1 << (bit % 8);

        let accepted = packet.byte(bit / 8, flipped).parse(&sample.policy()).is_ok();

        assert!(!(accepted && has_one_form), "bit {bit}");
        Ok(())
    });
}

#[test]
fn any_bytes_are_read_without_panic() {
    arbtest(|input| {
        let destination = if input.arbitrary()? { "224.0.0.18" } else { "10.77.0.2" };
        let hop_limit = if input.arbitrary()? { 255 } else { input.arbitrary()? };
        let bytes = input.bytes(input.len())?;

        let _ = Datagram::parse_ipv4(bytes);
        let _ = Datagram::parse_ipv6(bytes);
        let _ = ArpPacket::parse(bytes);
        let _ = Advert::peek(bytes);
        for (source, destination, family) in
            [("10.77.0.1", destination, Family::Ipv4), ("fe80::1", "ff02::12", Family::Ipv6)]
        {
            let packet = Packet { hop_limit, message: bytes.to_vec(), ..Packet::new(source, destination, "") };
            for protocol in [V2, v2_password(b"secret12"), V3] {
                let _ = packet.parse(&policy(protocol, family));
            }
            let _ = NeighborAdvertisement::parse(&packet.datagram());
        }
        Ok(())
    })
    .size_max(4096);
}

#[test]
fn announcements_are_read_back_as_the_claim_that_they_make() {
    arbtest(|input| {
        let mac = MacAddress(input.arbitrary()?);
        let ipv4 = Ipv4Addr::from(input.arbitrary::<[u8; 4]>()?);
        let [_, rest @ ..] = input.arbitrary::<[u8; 16]>()?;
        let mut octets = [0xfd; 16];
        octets[1..].copy_from_slice(&rest);
        let ipv6 = Ipv6Addr::from(octets);
        let router = input.arbitrary()?;

        let arp = ArpPacket::parse(&arp::gratuitous_request(mac, ipv4)[14..]).expect("valid");
        let frame = neighbor::unsolicited_advertisement(mac, ipv6, router);
        let (protocol, datagram) = Datagram::parse_ipv6(&frame[14..]).expect("valid");
        let advertisement = NeighborAdvertisement::parse(&datagram).expect("valid");

        assert_eq!((arp.sender_mac, arp.sender_address, arp.target_address), (mac, ipv4, ipv4));
        assert_eq!(protocol, IpProtocol::Icmpv6);
        assert_eq!((advertisement.target, advertisement.link_layer_address), (ipv6, Some(mac)));
        assert_eq!(advertisement.router, router);
        Ok(())
    });
}

#[test]
fn a_checksum_that_was_put_in_its_place_is_valid() {
    arbtest(|input| {
        let mut bytes = input.bytes(input.len())?.to_vec();
        if bytes.len() < 2 || bytes.iter().all(|byte| *byte == 0) {
            return Ok(());
        }
        bytes[..2].fill(0);
        let sum = Checksum::default().with(&bytes).value();
        bytes[..2].copy_from_slice(&sum.to_be_bytes());
        assert!(Checksum::default().with(&bytes).is_valid());
        Ok(())
    });
}
