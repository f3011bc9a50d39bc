//! VRRPv3 (RFC 9568 section 5.1), over IPv4 and IPv6.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  | Virtual Rtr ID|   Priority    |IPvX Addr Count|
//! +-------+-------+---------------+---------------+---------------+
//! |Reserve| Max Advertise Interval|           Checksum            |
//! +-------+-----------------------+-------------------------------+
//! |             IPvX Address (1 .. count, 4 or 16 bytes)          |
//! +---------------------------------------------------------------+
//! ```
//!
//! The interval counts centiseconds in 12 bits. The reserved bits are zero when sent and ignored when received.

use std::net::IpAddr;
use std::time::Duration;

use super::{Addresses, Advert, Header, IPV4_GROUP, ReceiveError};
use crate::types::{AdvertInterval, Claim, Family, Ipv4Checksum};
use crate::wire::{Checksum, Datagram, IpProtocol};

const INTERVAL_BITS: u16 = 0x0fff;

/// The checks of VRRPv3 after version and type.
pub(super) fn parse<'a>(
    header: &Header<'a>,
    datagram: &Datagram<'a>,
    family: Family,
) -> Result<Advert<'a>, ReceiveError> {
    let (addresses, _) = header.split_body(address_length(family), 0)?;
    let checksum_form = check_checksum(datagram)?;
    let vrid = header.vrid()?;
    let centiseconds = u16::from_be_bytes(header.version_specific) & INTERVAL_BITS;
    if centiseconds == 0 {
        return Err(ReceiveError::IntervalZero);
    }
    if header.address_count == 0 {
        return Err(ReceiveError::AddressCount);
    }
    Ok(Advert {
        version: 3,
        vrid,
        claim: Claim::from_wire(header.priority),
        interval: Duration::from_millis(u64::from(centiseconds) * 10),
        addresses: Addresses::new(family, addresses),
        checksum_form,
    })
}

/// Finds the form under which the checksum is right. Over IPv6 there is only one, which has no name.
///
/// keepalived up to 1.3.6 puts the group into the pseudo-header of a unicast advert, so over IPv4 that is tried last.
fn check_checksum(datagram: &Datagram<'_>) -> Result<Option<Ipv4Checksum>, ReceiveError> {
    let Datagram { source, destination, payload, .. } = *datagram;
    let with_pseudo_header = |destination: IpAddr| {
        Checksum::pseudo_header(source, destination, IpProtocol::VRRP, payload.len())
            .is_some_and(|sum| sum.with(payload).is_valid())
    };
    if destination.is_ipv6() {
        return if with_pseudo_header(destination) { Ok(None) } else { Err(ReceiveError::Checksum) };
    }
    if with_pseudo_header(destination) {
        return Ok(Some(Ipv4Checksum::PseudoHeader));
    }
    if Checksum::default().with(payload).is_valid() {
        return Ok(Some(Ipv4Checksum::MessageOnly));
    }
    if with_pseudo_header(IPV4_GROUP.into()) {
        return Ok(Some(Ipv4Checksum::PseudoHeader));
    }
    Err(ReceiveError::Checksum)
}

/// Bytes 4 and 5 of a message to send.
pub(super) fn version_specific(interval: AdvertInterval) -> [u8; 2] {
    (interval.centiseconds() & INTERVAL_BITS).to_be_bytes()
}

/// The length of one address in the list.
pub(super) const fn address_length(family: Family) -> usize {
    match family {
        Family::Ipv4 => 4,
        Family::Ipv6 => 16,
    }
}
