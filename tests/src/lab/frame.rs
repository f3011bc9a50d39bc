//! An Ethernet frame as it was on the wire, and views of what the lab looks for in it: VRRP adverts, ARP, and neighbour
//! discovery. A view is `None` for a frame of another kind or one that is too short; nothing is checked beyond that, for
//! tests want to see wrong packets too.
//!
//! ```text
//!  0            6            12     14
//! +------------+------------+------+-----------------
//! | destination| source     | type | payload
//! +------------+------------+------+-----------------
//! ```

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Instant;

use super::mac::Mac;

/// Ethernet type of IPv4.
pub const IPV4: u16 = 0x0800;
/// Ethernet type of ARP.
pub const ARP: u16 = 0x0806;
/// Ethernet type of IPv6.
pub const IPV6: u16 = 0x86dd;
/// IP protocol number of VRRP.
pub const VRRP: u8 = 112;
/// IP protocol number of ICMP.
pub const ICMP: u8 = 1;
/// IP protocol number of `ICMPv6`.
pub const ICMPV6: u8 = 58;

/// Which way a frame passed the interface that it was seen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Into the host.
    Received,
    /// Out of the host.
    Sent,
}

/// A frame with its time.
#[derive(Clone)]
pub struct Frame {
    /// When the kernel handled it.
    pub at: Instant,
    /// Which way it went.
    pub direction: Direction,
    /// All bytes, from the destination address on.
    pub bytes: Vec<u8>,
}

/// The IP layer of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Packet<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// TTL or hop limit.
    pub time_to_live: u8,
    /// Type of service or traffic class.
    pub traffic_class: u8,
    /// Protocol number of the payload.
    pub protocol: u8,
    /// What follows the IP header, without Ethernet padding.
    pub payload: &'a [u8],
}

/// A VRRP advert, field by field as on the wire.
#[derive(Clone, Copy, Debug)]
pub struct Advert<'a> {
    /// The IP layer.
    pub packet: Packet<'a>,
    /// 2 or 3 in a correct advert.
    pub version: u8,
    /// Virtual router ID.
    pub virtual_router_id: u8,
    /// 0: the sender leaves; 255: it owns the address.
    pub priority: u8,
    /// Count of addresses that the header promises.
    pub count: u8,
}

/// An ARP packet for IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arp {
    /// 1 request, 2 reply.
    pub operation: u16,
    /// Ethernet address of the sender.
    pub sender_mac: Mac,
    /// IPv4 address of the sender.
    pub sender: Ipv4Addr,
    /// Ethernet address of the target.
    pub target_mac: Mac,
    /// IPv4 address that is asked for.
    pub target: Ipv4Addr,
}

/// An unsolicited or solicited neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NeighbourAdvertisement {
    /// Source of the packet.
    pub source: Ipv6Addr,
    /// Destination of the packet; `ff02::1` if unsolicited.
    pub destination: Ipv6Addr,
    /// The first byte of the flags: 0x80 router, 0x40 solicited, 0x20 override.
    pub flags: u8,
    /// The address that is announced.
    pub target: Ipv6Addr,
    /// The Ethernet address that it is announced at.
    pub link_layer: Option<Mac>,
}

impl Frame {
    /// Destination Ethernet address.
    pub fn destination(&self) -> Option<Mac> {
        array(&self.bytes, 0).map(Mac)
    }

    /// Source Ethernet address.
    pub fn source(&self) -> Option<Mac> {
        array(&self.bytes, 6).map(Mac)
    }

    /// Ethernet type.
    pub fn ether_type(&self) -> Option<u16> {
        array(&self.bytes, 12).map(u16::from_be_bytes)
    }

    /// The IP layer, version 4 or 6.
    pub fn packet(&self) -> Option<Packet<'_>> {
        let payload = self.bytes.get(14..)?;
        match self.ether_type()? {
            IPV4 => ipv4(payload),
            IPV6 => ipv6(payload),
            _ => None,
        }
    }

    /// The VRRP layer.
    ///
    /// ```text
    ///  0         1      2          3       4
    /// +---------+------+----------+-------+------------------
    /// | version | VRID | priority | count | interval, checksum, addresses
    /// |  + type |      |          |       |
    /// +---------+------+----------+-------+------------------
    /// ```
    pub fn advert(&self) -> Option<Advert<'_>> {
        let packet = self.packet().filter(|packet| packet.protocol == VRRP)?;
        let [version_and_type, virtual_router_id, priority, count] = array(packet.payload, 0)?;
        Some(Advert { packet, version: version_and_type >> 4, virtual_router_id, priority, count })
    }

    /// The ARP layer.
    ///
    /// ```text
    ///  0    2    4 5 6    8          14       18         24       28
    /// +----+----+-+-+----+----------+--------+----------+--------+
    /// | 1  |0800|6|4| op | sender HW| sender | target HW| target |
    /// +----+----+-+-+----+----------+--------+----------+--------+
    /// ```
    pub fn arp(&self) -> Option<Arp> {
        let payload = self.bytes.get(14..).filter(|_| self.ether_type() == Some(ARP))?;
        Some(Arp {
            operation: u16::from_be_bytes(array(payload, 6)?),
            sender_mac: Mac(array(payload, 8)?),
            sender: Ipv4Addr::from(array::<4>(payload, 14)?),
            target_mac: Mac(array(payload, 18)?),
            target: Ipv4Addr::from(array::<4>(payload, 24)?),
        })
    }

    /// The neighbour advertisement (`ICMPv6` type 136).
    ///
    /// ```text
    ///  0    1    2          4       5         8                24
    /// +----+----+----------+-------+---------+----------------+---+---+----------+
    /// |136 | 0  | checksum | flags | 0 0 0   | target         | 2 | 1 | Ethernet |
    /// +----+----+----------+-------+---------+----------------+---+---+----------+
    /// ```
    pub fn neighbour_advertisement(&self) -> Option<NeighbourAdvertisement> {
        let packet = self.packet().filter(|packet| packet.protocol == ICMPV6)?;
        let (IpAddr::V6(source), IpAddr::V6(destination)) = (packet.source, packet.destination) else {
            return None;
        };
        if packet.payload.first() != Some(&136) {
            return None;
        }
        let has_link_layer = packet.payload.get(24..26) == Some(&[2, 1]);
        Some(NeighbourAdvertisement {
            source,
            destination,
            flags: *packet.payload.get(4)?,
            target: Ipv6Addr::from(array::<16>(packet.payload, 8)?),
            link_layer: has_link_layer.then(|| array(packet.payload, 26)).flatten().map(Mac),
        })
    }

    /// The address that this frame announces to everybody: gratuitous ARP, or an unsolicited neighbour advertisement.
    pub fn announced(&self) -> Option<IpAddr> {
        if let Some(arp) = self.arp() {
            return (arp.sender == arp.target).then_some(IpAddr::V4(arp.sender));
        }
        let advertisement = self.neighbour_advertisement()?;
        advertisement.destination.is_multicast().then_some(IpAddr::V6(advertisement.target))
    }
}

impl fmt::Debug for Frame {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:?} {}", self.direction, hex(&self.bytes))
    }
}

/// Two digits a byte, without separators, as reference frames are written.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

fn ipv4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header_length = usize::from(bytes.first()? & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes(array(bytes, 2)?));
    Some(Packet {
        source: IpAddr::from(array::<4>(bytes, 12)?),
        destination: IpAddr::from(array::<4>(bytes, 16)?),
        time_to_live: *bytes.get(8)?,
        traffic_class: *bytes.get(1)?,
        protocol: *bytes.get(9)?,
        payload: bytes.get(header_length..total_length)?,
    })
}

/// Extension headers are not followed: a multicast listener report shows as protocol 0, which nobody here looks for.
fn ipv6(bytes: &[u8]) -> Option<Packet<'_>> {
    let length = usize::from(u16::from_be_bytes(array(bytes, 4)?));
    let [first, second] = array(bytes, 0)?;
    Some(Packet {
        source: IpAddr::from(array::<16>(bytes, 8)?),
        destination: IpAddr::from(array::<16>(bytes, 24)?),
        time_to_live: *bytes.get(7)?,
        traffic_class: (first << 4) | (second >> 4),
        protocol: *bytes.get(6)?,
        payload: bytes.get(40..40 + length)?,
    })
}

/// `N` bytes from `offset`.
fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
