//! What can be wrong with an advert: on receipt, one variant per check; on sending, one per precondition.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use crate::wire::ReceiveCheck;

/// Why a received advert was dropped: one variant per [`ReceiveCheck`], with what a person needs to find the cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ReceiveError {
    /// Source or destination is not of the virtual router's address family.
    #[error("the datagram is of another address family than the virtual router")]
    Family,
    /// RFC 9568 sections 5.1.1.3 and 5.1.2.3: forwarded packets are not obeyed.
    #[error("hop limit {found} is below {minimum}")]
    HopLimit {
        /// The hop limit of the datagram.
        found: u8,
        /// The least that is accepted.
        minimum: u8,
    },
    /// RFC 9568 section 5.2.1: the routers of a LAN have to agree on a version.
    #[error("version {found}, but {expected} is configured")]
    Version {
        /// The version of the message.
        found: u8,
        /// The configured version.
        expected: u8,
    },
    /// RFC 9568 section 5.2.2: the only type is 1.
    #[error("message type {0} is not an advertisement")]
    Type(u8),
    /// The message is shorter than its header or its address count says.
    #[error("the message has {available} bytes, {needed} are needed")]
    Truncated {
        /// Bytes that must be there.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The message is longer than its address count says.
    #[error("{0} bytes follow the message")]
    TrailingBytes(usize),
    /// RFC 9568 section 5.2.8, RFC 3768 section 5.3.8: no form of the checksum fits.
    #[error("the checksum is wrong")]
    Checksum,
    /// RFC 9568 section 5.2.3: the range starts at 1.
    #[error("virtual router ID 0")]
    VirtualRouterId,
    /// RFC 2338 section 5.3.6.
    #[error("authentication type {found}, but {expected} is configured")]
    AuthenticationType {
        /// The type of the message: 0 none, 1 simple text, 2 authentication header.
        found: u8,
        /// The configured type: 0 or 1.
        expected: u8,
    },
    /// RFC 2338 section 5.3.10. The password of the message is not repeated here.
    #[error("the password is not the configured one")]
    AuthenticationData,
    /// RFC 3768 section 5.3.7: VRRPv2 routers have to agree on the interval.
    #[error("interval {found:?}, but {expected:?} is configured")]
    IntervalMismatch {
        /// The interval of the message.
        found: Duration,
        /// The configured interval.
        expected: Duration,
    },
    /// RFC 9568 section 5.2.7 with erratum 8301: obeying an interval of zero means to flap.
    #[error("interval 0")]
    IntervalZero,
    /// RFC 9568 section 5.2.5 with erratum 8299: a virtual router has an address.
    #[error("the advert lists no address")]
    AddressCount,
}

/// Why an advert could not be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EmitError {
    /// The buffer cannot hold the message.
    #[error("the buffer has {available} bytes, {needed} are needed")]
    Buffer {
        /// Bytes of the message.
        needed: usize,
        /// Bytes of the buffer.
        available: usize,
    },
    /// The address count field is one byte, and zero addresses are refused by every VRRPv3 receiver.
    #[error("an advert has 1..=255 addresses, not {0}")]
    AddressCount(usize),
    /// All addresses of an advert are of the family that carries it.
    #[error("address {0} is of another family than the advert's source")]
    Family(IpAddr),
    /// VRRPv2 knows IPv4 only.
    #[error("VRRPv2 cannot be sent over IPv6")]
    Version2OverIpv6,
    /// The interval field of this version cannot hold the interval.
    #[error("an interval of {0:?} cannot be written in this protocol version")]
    Interval(Duration),
}

// === impl ReceiveError ===

impl ReceiveError {
    /// The check that failed.
    pub const fn check(&self) -> ReceiveCheck {
        match self {
            Self::Family => ReceiveCheck::Family,
            Self::HopLimit { .. } => ReceiveCheck::HopLimit,
            Self::Version { .. } => ReceiveCheck::Version,
            Self::Type(_) => ReceiveCheck::Type,
            Self::Truncated { .. } => ReceiveCheck::Truncated,
            Self::TrailingBytes(_) => ReceiveCheck::TrailingBytes,
            Self::Checksum => ReceiveCheck::Checksum,
            Self::VirtualRouterId => ReceiveCheck::VirtualRouterId,
            Self::AuthenticationType { .. } => ReceiveCheck::AuthenticationType,
            Self::AuthenticationData => ReceiveCheck::AuthenticationData,
            Self::IntervalMismatch { .. } => ReceiveCheck::IntervalMismatch,
            Self::IntervalZero => ReceiveCheck::IntervalZero,
            Self::AddressCount => ReceiveCheck::AddressCount,
        }
    }
}
