//! VRRP advertisements: the one message type of the protocol (RFC 9568 section 5.2, RFC 3768 section 5.3).
//!
//! [`Advert`] is a received one that has passed every check that needs no knowledge of the election; [`AdvertRepr`] is
//! one to send. Whether the sender is a known peer, owns a better priority, or has the same addresses is decided by
//! the core.

mod addresses;
mod error;
mod policy;
mod repr;
mod v2;
mod v3;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

pub use addresses::Addresses;
pub use error::{EmitError, ReceiveError};
pub use policy::ReceivePolicy;
pub use repr::AdvertRepr;

use super::Datagram;
use crate::types::{Claim, Family, Ipv4Checksum, Protocol, VirtualRouterId};

/// The group of IPv4 adverts (RFC 9568 section 5.1.1.2).
pub const IPV4_GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);

/// The group of IPv6 adverts (RFC 9568 section 5.1.2.2).
pub const IPV6_GROUP: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// The hop limit of every advert that is sent (RFC 9568 sections 5.1.1.3 and 5.1.2.3).
pub const HOP_LIMIT: u8 = 255;

/// The only message type (RFC 9568 section 5.2.2).
const TYPE_ADVERTISEMENT: u8 = 1;

/// What both versions share: everything before the addresses.
const HEADER_LENGTH: usize = 8;

/// A received advertisement. Exists only if it passed every [receive check](super::ReceiveCheck).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advert<'a> {
    version: u8,
    vrid: VirtualRouterId,
    claim: Claim,
    interval: Duration,
    addresses: Addresses<'a>,
    checksum_form: Option<Ipv4Checksum>,
}

// === impl Advert ===

impl<'a> Advert<'a> {
    /// Makes every receive check, in the order of [`ReceiveCheck::ALL`](super::ReceiveCheck::ALL). The one exception: a
    /// message without a whole header is truncated, whatever its version.
    ///
    /// The VRID is read but compared with nothing: the datagram was brought here by [`Advert::peek`].
    pub fn parse(datagram: &Datagram<'a>, policy: &ReceivePolicy) -> Result<Self, ReceiveError> {
        policy.check_family(datagram)?;
        policy.check_hop_limit(datagram)?;
        let header = Header::read(datagram.payload)?;
        if header.version != policy.protocol.version() {
            return Err(ReceiveError::Version { found: header.version, expected: policy.protocol.version() });
        }
        if header.message_type != TYPE_ADVERTISEMENT {
            return Err(ReceiveError::Type(header.message_type));
        }
        match policy.protocol {
            Protocol::V2 { password } => v2::parse(&header, datagram, password, policy.interval),
            Protocol::V3 { .. } => v3::parse(&header, datagram, policy.family),
        }
    }

    /// The virtual router that a message is for, before any check; `None` if it is too short or says zero.
    ///
    /// Only for finding the virtual router whose policy applies.
    pub fn peek(payload: &[u8]) -> Option<VirtualRouterId> {
        payload.get(1).and_then(|number| VirtualRouterId::new(*number).ok())
    }

    /// The protocol version, 2 or 3.
    pub const fn version(&self) -> u8 {
        self.version
    }

    /// The virtual router that the advert speaks for.
    pub const fn vrid(&self) -> VirtualRouterId {
        self.vrid
    }

    /// What the sender claims: to be master with a priority, or not any more.
    pub const fn claim(&self) -> Claim {
        self.claim
    }

    /// The time between two adverts of the sender. VRRPv2: the configured one; VRRPv3: 10 ms..=40.95 s, to be learned.
    pub const fn interval(&self) -> Duration {
        self.interval
    }

    /// The virtual addresses in the order of the advert. VRRPv3: at least one; VRRPv2: possibly none, as FRR sends.
    pub fn addresses(&self) -> Addresses<'a> {
        self.addresses.clone()
    }

    /// How many addresses there are, 0..=255.
    pub fn address_count(&self) -> usize {
        self.addresses.len()
    }

    /// Which bytes the checksum covers; `None` for VRRPv2 and over IPv6, where there is only one form.
    pub const fn checksum_form(&self) -> Option<Ipv4Checksum> {
        self.checksum_form
    }

    /// Whether the list starts with an IPv6 link-local address, as it must over IPv6 (RFC 9568 section 5.2.9).
    ///
    /// Told, not enforced: FRR sends lists of global addresses only.
    pub fn first_address_is_link_local(&self) -> bool {
        let mut addresses = self.addresses();
        matches!(addresses.next(), Some(IpAddr::V6(first)) if first.is_unicast_link_local())
    }
}

/// The group that adverts of a family are sent to.
pub const fn group(family: Family) -> IpAddr {
    match family {
        Family::Ipv4 => IpAddr::V4(IPV4_GROUP),
        Family::Ipv6 => IpAddr::V6(IPV6_GROUP),
    }
}

/// The first eight bytes, which both versions share, but for the meaning of bytes 4 and 5.
struct Header<'a> {
    version: u8,
    message_type: u8,
    vrid: u8,
    priority: u8,
    address_count: usize,
    /// VRRPv2: authentication type and interval; VRRPv3: four reserved bits and the interval.
    version_specific: [u8; 2],
    /// What follows: addresses, and in VRRPv2 the authentication data.
    body: &'a [u8],
}

impl<'a> Header<'a> {
    fn read(message: &'a [u8]) -> Result<Self, ReceiveError> {
        let Some((header, body)) = message.split_first_chunk::<HEADER_LENGTH>() else {
            return Err(ReceiveError::Truncated { needed: HEADER_LENGTH, available: message.len() });
        };
        let &[version_and_type, vrid, priority, address_count, fourth, fifth, _, _] = header;
        Ok(Self {
            version: version_and_type >> 4,
            message_type: version_and_type & 0x0f,
            vrid,
            priority,
            address_count: usize::from(address_count),
            version_specific: [fourth, fifth],
            body,
        })
    }

    /// Checks that the body has exactly this many bytes, and splits it after the addresses.
    fn split_body(&self, address_length: usize, trailer: usize) -> Result<(&'a [u8], &'a [u8]), ReceiveError> {
        let addresses = self.address_count * address_length;
        let (needed, available) = (addresses + trailer, self.body.len());
        if available < needed {
            let (needed, available) = (HEADER_LENGTH + needed, HEADER_LENGTH + available);
            return Err(ReceiveError::Truncated { needed, available });
        }
        if available > needed {
            return Err(ReceiveError::TrailingBytes(available - needed));
        }
        Ok(self.body.split_at_checked(addresses).unwrap_or((self.body, &[])))
    }

    fn vrid(&self) -> Result<VirtualRouterId, ReceiveError> {
        VirtualRouterId::new(self.vrid).map_err(|_| ReceiveError::VirtualRouterId)
    }
}
