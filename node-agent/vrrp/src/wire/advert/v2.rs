//! VRRPv2 (RFC 3768 section 5.1), with the simple text authentication of RFC 2338. IPv4 only.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------+-------+---------------+---------------+---------------+
//! |Version| Type  |Virtual Rtr ID |   Priority    | Count IP Addrs|
//! +-------+-------+---------------+---------------+---------------+
//! |   Auth Type   |   Adver Int   |           Checksum            |
//! +---------------+---------------+-------------------------------+
//! |                    IP Address (1 .. count)                    |
//! +---------------------------------------------------------------+
//! |                 Authentication Data (8 bytes)                 |
//! |                                                               |
//! +---------------------------------------------------------------+
//! ```
//!
//! The authentication data is there whatever the type, and the checksum covers it. `Adver Int` counts seconds.

use std::time::Duration;

use super::{Addresses, Advert, Header, ReceiveError};
use crate::types::{AdvertInterval, Claim, Family, Password};
use crate::wire::{Checksum, Datagram};

/// Every message ends with this many bytes of authentication data (RFC 3768 section 5.3.10).
pub(super) const AUTHENTICATION_LENGTH: usize = 8;

const NO_AUTHENTICATION: u8 = 0;
const SIMPLE_TEXT: u8 = 1;

/// The checks of VRRPv2 after version and type.
pub(super) fn parse<'a>(
    header: &Header<'a>,
    datagram: &Datagram<'a>,
    password: Option<Password>,
    interval: AdvertInterval,
) -> Result<Advert<'a>, ReceiveError> {
    let (addresses, authentication) = header.split_body(4, AUTHENTICATION_LENGTH)?;
    if !Checksum::default().with(datagram.payload).is_valid() {
        return Err(ReceiveError::Checksum);
    }
    let vrid = header.vrid()?;
    let [found_type, seconds] = header.version_specific;
    check_authentication(password, found_type, authentication)?;
    let found = Duration::from_secs(u64::from(seconds));
    if found != interval.get() {
        return Err(ReceiveError::IntervalMismatch { found, expected: interval.get() });
    }
    Ok(Advert {
        version: 2,
        vrid,
        claim: Claim::from_wire(header.priority),
        interval: found,
        addresses: Addresses::new(Family::Ipv4, addresses),
        checksum_form: None,
    })
}

/// Type and data must be the configured ones; without a password the data is ignored (RFC 3768 section 5.3.10).
fn check_authentication(password: Option<Password>, found: u8, data: &[u8]) -> Result<(), ReceiveError> {
    let expected = authentication_type(password.as_ref());
    if found != expected {
        return Err(ReceiveError::AuthenticationType { found, expected });
    }
    match password {
        Some(password) if password.bytes() != data => Err(ReceiveError::AuthenticationData),
        _ => Ok(()),
    }
}

/// Bytes 4 and 5 of a message to send.
pub(super) fn version_specific(password: Option<&Password>, interval: AdvertInterval) -> [u8; 2] {
    [authentication_type(password), interval.seconds()]
}

/// The last eight bytes of a message to send.
pub(super) fn authentication_data(password: Option<&Password>) -> [u8; AUTHENTICATION_LENGTH] {
    password.map_or([0; AUTHENTICATION_LENGTH], |password| *password.bytes())
}

fn authentication_type(password: Option<&Password>) -> u8 {
    if password.is_some() { SIMPLE_TEXT } else { NO_AUTHENTICATION }
}
