//! Ethernet addresses, and the ones that VRRP and IPv6 multicast derive.

use std::fmt;
use std::net::Ipv6Addr;

use crate::types::{Family, VirtualRouterId};

/// An Ethernet address of six bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MacAddress(pub [u8; 6]);

impl MacAddress {
    /// All stations of the LAN.
    pub const BROADCAST: Self = Self([0xff; 6]);

    /// The virtual router MAC address (RFC 9568 section 7.3): `00:00:5e:00:01:{VRID}` for IPv4 and
    /// `00:00:5e:00:02:{VRID}` for IPv6.
    pub fn virtual_router(family: Family, virtual_router_id: VirtualRouterId) -> Self {
        let block = match family {
            Family::Ipv4 => 1,
            Family::Ipv6 => 2,
        };
        Self([0x00, 0x00, 0x5e, 0x00, block, virtual_router_id.get()])
    }

    /// Where frames to an IPv6 multicast group go: `33:33` and the last four bytes of the group (RFC 2464 section 7).
    pub fn ipv6_multicast(group: Ipv6Addr) -> Self {
        let [.., a, b, c, d] = group.octets();
        Self([0x33, 0x33, a, b, c, d])
    }

    /// The bytes in the order of the wire.
    pub const fn bytes(&self) -> &[u8; 6] {
        &self.0
    }
}

impl fmt::Display for MacAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for byte in self.0 {
            write!(formatter, "{separator}{byte:02x}")?;
            separator = ":";
        }
        Ok(())
    }
}
