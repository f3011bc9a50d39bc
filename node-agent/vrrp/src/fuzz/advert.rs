//! Any packet as an advert: refused, or read so that writing it again gives the same message.

use std::net::IpAddr;
use std::time::Duration;

use super::parse_packet;
use super::repair::with_right_checksums;
use crate::types::{AdvertInterval, Family, Ipv4Checksum, Password, Protocol};
use crate::wire::{Advert, AdvertRepr, Datagram, ReceiveCounters, ReceivePolicy};

/// The interval that the routers are configured with.
const INTERVAL: Duration = Duration::from_secs(1);

/// An IP packet on its way to VRRPv2 routers with and without a password.
pub fn decode_v2(packet: &[u8]) {
    let passwords = [None, Password::new(b"secret12").ok()];
    let protocols = passwords.map(|password| Protocol::V2 { password });
    let Ok(interval) = AdvertInterval::v2(INTERVAL) else { return };
    decode_both(packet, &protocols, interval);
}

/// An IP packet on its way to a VRRPv3 router of its family.
pub fn decode_v3(packet: &[u8]) {
    let protocols = [Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader }];
    let Ok(interval) = AdvertInterval::v3(INTERVAL) else { return };
    decode_both(packet, &protocols, interval);
}

/// The packet as it is, and with right checksums.
fn decode_both(packet: &[u8], protocols: &[Protocol], interval: AdvertInterval) {
    decode(packet, protocols, interval);
    decode(&with_right_checksums(packet), protocols, interval);
}

fn decode(packet: &[u8], protocols: &[Protocol], interval: AdvertInterval) {
    let Ok((_, datagram)) = parse_packet(packet) else { return };
    let family = if datagram.source.is_ipv4() { Family::Ipv4 } else { Family::Ipv6 };
    for protocol in protocols {
        for policy in
            [ReceivePolicy::multicast(*protocol, family, interval), ReceivePolicy::unicast(*protocol, family, interval)]
        {
            receive(&datagram, &policy);
        }
    }
}

fn receive(datagram: &Datagram<'_>, policy: &ReceivePolicy) {
    match Advert::parse(datagram, policy) {
        Ok(advert) => check_accepted(&advert, datagram, policy),
        Err(error) => {
            let mut counters = ReceiveCounters::default();
            counters.count(&error);
            assert_eq!(counters.get(error.check()), 1, "{error} is not counted under its own name");
            assert_eq!(counters.total(), 1, "{error} is counted more than once");
        }
    }
}

fn check_accepted(advert: &Advert<'_>, datagram: &Datagram<'_>, policy: &ReceivePolicy) {
    assert_eq!(Advert::peek(datagram.payload), Some(advert.vrid()), "brought to the wrong virtual router");
    assert_eq!(advert.version(), policy.protocol.version());
    match policy.protocol {
        Protocol::V2 { .. } => assert_eq!(advert.interval(), policy.interval.get()),
        Protocol::V3 { .. } => assert!(advert.interval() >= Duration::from_millis(10), "a timer would spin"),
    }
    assert!(advert.version() == 2 || advert.address_count() > 0, "a virtual router without an address");
    assert!(!datagram.destination.is_multicast() || datagram.hop_limit == 255, "a forwarded packet");
    assert_eq!(advert.addresses().count(), advert.address_count());
    write_again(advert, datagram, policy);
}

/// Writes what was read. Only the checksum and what a receiver ignores may differ from what came in.
fn write_again(advert: &Advert<'_>, datagram: &Datagram<'_>, policy: &ReceivePolicy) {
    let addresses: Vec<IpAddr> = advert.addresses().collect();
    let (protocol, interval) = match policy.protocol {
        Protocol::V2 { .. } => (policy.protocol, AdvertInterval::v2(advert.interval())),
        Protocol::V3 { .. } => {
            let checksum = advert.checksum_form().unwrap_or_default();
            (Protocol::V3 { checksum }, AdvertInterval::v3(advert.interval()))
        }
    };
    assert!(interval.is_ok(), "an interval that cannot be sent was accepted: {:?}", advert.interval());
    let Ok(interval) = interval else { return };
    let repr = AdvertRepr { vrid: advert.vrid(), claim: advert.claim(), protocol, interval, addresses: &addresses };
    let mut buffer = [0; AdvertRepr::MAX_LENGTH];
    let Ok(length) = repr.emit(datagram.source, datagram.destination, &mut buffer) else {
        assert_eq!(advert.address_count(), 0, "what was accepted cannot be sent");
        return;
    };
    let message = buffer.get(..length).unwrap_or_default();
    assert_eq!(without_ignored(message, protocol), without_ignored(datagram.payload, protocol));
    let again = Datagram { payload: message, ..*datagram };
    assert_eq!(Advert::parse(&again, policy).as_ref(), Ok(advert), "what was written is not what was read");
}

/// The message with zeros for the checksum, the reserved bits, and the authentication data that nobody checks.
fn without_ignored(message: &[u8], protocol: Protocol) -> Vec<u8> {
    let mut message = message.to_vec();
    let length = message.len();
    let mut clear = |from: usize, to: usize, keep: u8| {
        message.iter_mut().take(to).skip(from).for_each(|byte| *byte &= keep);
    };
    clear(6, 8, 0);
    match protocol {
        Protocol::V2 { password: None } => clear(length.saturating_sub(8), length, 0),
        Protocol::V2 { password: Some(_) } => {}
        Protocol::V3 { .. } => clear(4, 5, 0x0f),
    }
    message
}
