//! Any advert that can be configured: sent, or refused with the right reason; and what was sent is received.
//!
//! The input is read as below; what is missing is zero. All the rest are addresses.
//!
//! ```text
//! +--------+--------+--------+--------+--------+------------------------+
//! | flags  |  VRID  |priority|     interval    | password (8, if asked) |
//! +--------+--------+--------+--------+--------+------------------------+
//! | source (4 or 16)         | destination (4 or 16, if unicast)        |
//! +--------------------------+------------------------------------------+
//! ```

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use crate::types::{AdvertInterval, Claim, Family, Ipv4Checksum, OutOfRange, Password, Protocol, VirtualRouterId};
use crate::wire::{Advert, AdvertRepr, Datagram, EmitError, ReceivePolicy, advert};

const VERSION_2: u8 = 0x01;
const PASSWORD_OR_MESSAGE_ONLY: u8 = 0x02;
const IPV6: u8 = 0x04;
const UNICAST: u8 = 0x08;

/// Sends an advert that the bytes describe, and receives it.
pub fn roundtrip(mut input: &[u8]) {
    let [flags, vrid, priority, high, low] = take(&mut input);
    let Ok(vrid) = VirtualRouterId::new(vrid) else { return };
    let family = if flags & IPV6 == 0 { Family::Ipv4 } else { Family::Ipv6 };
    let Ok((protocol, interval)) = protocol(flags, u16::from_be_bytes([high, low]), &mut input) else { return };
    let source = address(family, &mut input);
    let destination = if flags & UNICAST == 0 { advert::group(family) } else { address(family, &mut input) };
    let mut addresses = Vec::new();
    while !input.is_empty() {
        addresses.push(address(family, &mut input));
    }
    let claim = Claim::from_wire(priority);
    send(&AdvertRepr { vrid, claim, protocol, interval, addresses: &addresses }, family, source, destination);
}

fn send(advert: &AdvertRepr<'_>, family: Family, source: IpAddr, destination: IpAddr) {
    let mut buffer = vec![0; advert.length()];
    let sent = advert.emit(source, destination, &mut buffer);
    match (advert.protocol, family, advert.addresses.len()) {
        (Protocol::V2 { .. }, Family::Ipv6, _) => assert_eq!(sent, Err(EmitError::Version2OverIpv6)),
        (_, _, count @ (0 | 256..)) => assert_eq!(sent, Err(EmitError::AddressCount(count))),
        _ => {
            assert_eq!(sent, Ok(buffer.len()));
            receive(advert, family, &Datagram { source, destination, hop_limit: 255, payload: &buffer });
            refuse_short_buffer(advert, source, destination, &mut buffer);
        }
    }
}

fn receive(sent: &AdvertRepr<'_>, family: Family, datagram: &Datagram<'_>) {
    let policy = ReceivePolicy::multicast(sent.protocol, family, sent.interval);
    let received = Advert::parse(datagram, &policy);
    assert!(received.is_ok(), "our own advert is refused: {received:?}");
    let Ok(received) = received else { return };
    assert_eq!(received.vrid(), sent.vrid);
    assert_eq!(received.claim(), sent.claim);
    assert_eq!(received.interval(), sent.interval.get());
    assert!(received.addresses().eq(sent.addresses.iter().copied()), "other addresses than those that were sent");
}

fn refuse_short_buffer(advert: &AdvertRepr<'_>, source: IpAddr, destination: IpAddr, buffer: &mut [u8]) {
    let needed = buffer.len();
    let Some((_, short)) = buffer.split_first_mut() else { return };
    let error = EmitError::Buffer { needed, available: short.len() };
    assert_eq!(advert.emit(source, destination, short), Err(error));
}

fn protocol(flags: u8, interval: u16, input: &mut &[u8]) -> Result<(Protocol, AdvertInterval), OutOfRange> {
    let option = flags & PASSWORD_OR_MESSAGE_ONLY != 0;
    if flags & VERSION_2 == 0 {
        let checksum = if option { Ipv4Checksum::MessageOnly } else { Ipv4Checksum::PseudoHeader };
        let interval = Duration::from_millis(u64::from(interval % 4095 + 1) * 10);
        return Ok((Protocol::V3 { checksum }, AdvertInterval::v3(interval)?));
    }
    let password = if option { Some(Password::new(&take::<8>(input))?) } else { None };
    let interval = Duration::from_secs(u64::from(interval % 255 + 1));
    Ok((Protocol::V2 { password }, AdvertInterval::v2(interval)?))
}

fn address(family: Family, input: &mut &[u8]) -> IpAddr {
    match family {
        Family::Ipv4 => Ipv4Addr::from(take::<4>(input)).into(),
        Family::Ipv6 => Ipv6Addr::from(take::<16>(input)).into(),
    }
}

/// The next `N` bytes of the input; zeros where it has ended.
fn take<const N: usize>(input: &mut &[u8]) -> [u8; N] {
    let mut bytes = [0; N];
    for byte in &mut bytes {
        *byte = input.split_off_first().copied().unwrap_or_default();
    }
    bytes
}
