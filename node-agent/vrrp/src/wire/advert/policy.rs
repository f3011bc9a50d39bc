//! What a virtual router expects of the adverts that it receives.

use std::net::IpAddr;

use super::{HOP_LIMIT, ReceiveError};
use crate::types::{AdvertInterval, Family, Protocol};
use crate::wire::Datagram;

/// What a received advert is checked against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ReceivePolicy {
    /// The configured version; for VRRPv2 with the password that adverts must carry.
    pub protocol: Protocol,
    /// The address family of the virtual router.
    pub family: Family,
    /// The configured interval. VRRPv2 adverts must carry the same one; VRRPv3 adverts may carry any.
    pub interval: AdvertInterval,
    /// The least hop limit of a *unicast* datagram; `None` takes any. Multicast must always have 255.
    pub minimum_hop_limit: Option<u8>,
}

impl ReceivePolicy {
    /// For a virtual router that uses multicast: whatever comes must have crossed no router (RFC 9568 section 5.1).
    pub const fn multicast(protocol: Protocol, family: Family, interval: AdvertInterval) -> Self {
        Self { protocol, family, interval, minimum_hop_limit: Some(HOP_LIMIT) }
    }

    /// For a virtual router with unicast peers. IPv4 needs 255, as all known senders set it.
    ///
    /// Over IPv6 keepalived sends with the hop limit of the interface, usually 64, so 255 cannot be asked for. Any is
    /// taken, unless [`ReceivePolicy::minimum_hop_limit`] is set to what the peers are known to send.
    pub const fn unicast(protocol: Protocol, family: Family, interval: AdvertInterval) -> Self {
        let minimum_hop_limit = match family {
            Family::Ipv4 => Some(HOP_LIMIT),
            Family::Ipv6 => None,
        };
        Self { protocol, family, interval, minimum_hop_limit }
    }

    pub(super) fn check_family(&self, datagram: &Datagram<'_>) -> Result<(), ReceiveError> {
        let fits = |address: IpAddr| address.is_ipv4() == (self.family == Family::Ipv4);
        if fits(datagram.source) && fits(datagram.destination) { Ok(()) } else { Err(ReceiveError::Family) }
    }

    pub(super) fn check_hop_limit(&self, datagram: &Datagram<'_>) -> Result<(), ReceiveError> {
        let minimum = if datagram.destination.is_multicast() { Some(HOP_LIMIT) } else { self.minimum_hop_limit };
        match minimum {
            Some(minimum) if datagram.hop_limit < minimum => {
                Err(ReceiveError::HopLimit { found: datagram.hop_limit, minimum })
            }
            _ => Ok(()),
        }
    }
}
