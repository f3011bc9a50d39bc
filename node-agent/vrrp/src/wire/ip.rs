//! Received IP packets, as a packet socket delivers them: the network header first, link-layer padding last.
//!
//! A packet socket hands over what the kernel has not looked at yet, so everything that the kernel would check on the
//! way to a raw socket is checked here. Nothing is reassembled: VRRP and neighbour discovery never need fragments.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thiserror::Error;

use super::Checksum;

/// The payload of an IP packet and what the header says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Datagram<'a> {
    /// The sender: never a multicast or broadcast address when parsed.
    pub source: IpAddr,
    /// The receiver, of the same family when parsed.
    pub destination: IpAddr,
    /// Time to live of IPv4, hop limit of IPv6: 255 proves that no router forwarded the packet (RFC 5082).
    pub hop_limit: u8,
    /// What follows the IP header, without padding.
    pub payload: &'a [u8],
}

/// The protocol that a packet carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IpProtocol {
    /// 112: VRRP (RFC 9568 section 5.1).
    Vrrp,
    /// 58: ICMPv6, of which neighbour discovery is a part (RFC 4443).
    Icmpv6,
    /// Any other number.
    Other(u8),
}

/// Why a packet is not a usable IP packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum IpError {
    /// The packet ends before the header says so, or within the header.
    #[error("the packet has {available} bytes, {needed} are needed")]
    Truncated {
        /// Bytes that must be there.
        needed: usize,
        /// Bytes that are there.
        available: usize,
    },
    /// The version field names another family than the one that was asked for.
    #[error("IP version {0} is not the one of this packet type")]
    Version(u8),
    /// An IPv4 header is shorter than its fixed part, or longer than the packet claims to be.
    #[error("an IPv4 header of {header} bytes does not fit a packet of {total} bytes")]
    HeaderLength {
        /// The length of the header, in bytes.
        header: usize,
        /// The total length field.
        total: usize,
    },
    /// The IPv4 header was damaged on its way.
    #[error("the checksum of the IPv4 header is wrong")]
    HeaderChecksum,
    /// A fragment holds a part of a message only.
    #[error("the packet is a fragment")]
    Fragment,
    /// Nobody sends from a multicast or broadcast address (RFC 1122 section 3.2.1.3, RFC 4291 section 2.7).
    #[error("{0} cannot be the source of a packet")]
    Source(IpAddr),
}

// === impl IpProtocol ===

impl IpProtocol {
    /// The number of VRRP in the protocol or next header field.
    pub const VRRP: u8 = 112;
    /// The number of ICMPv6 in the next header field.
    pub const ICMPV6: u8 = 58;

    /// The protocol with this number.
    pub const fn from_wire(number: u8) -> Self {
        match number {
            Self::VRRP => Self::Vrrp,
            Self::ICMPV6 => Self::Icmpv6,
            other => Self::Other(other),
        }
    }
}

// === impl IpError ===

impl IpError {
    /// A stable name in `snake_case`, usable as the value of a metric's label.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Truncated { .. } => "ip_truncated",
            Self::Version(_) => "ip_version",
            Self::HeaderLength { .. } => "ip_header_length",
            Self::HeaderChecksum => "ip_header_checksum",
            Self::Fragment => "ip_fragment",
            Self::Source(_) => "ip_source",
        }
    }
}

// === impl Datagram ===

impl<'a> Datagram<'a> {
    /// Reads an IPv4 packet (RFC 791 section 3.1). Options are skipped, padding after the total length is cut off.
    ///
    /// ```text
    ///  0                   1                   2                   3
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    /// +-------+-------+---------------+-------------------------------+
    /// |Version|  IHL  |Type of Service|         Total Length          |
    /// +-------+-------+---------------+-----+-------------------------+
    /// |        Identification         |Flags|     Fragment Offset     |
    /// +---------------+---------------+-----+-------------------------+
    /// | Time to Live  |   Protocol    |        Header Checksum        |
    /// +---------------+---------------+-------------------------------+
    /// |                        Source Address                         |
    /// +---------------------------------------------------------------+
    /// |                      Destination Address                      |
    /// +---------------------------------------------------------------+
    /// |                  Options (IHL - 5 words)                      |
    /// +---------------------------------------------------------------+
    /// ```
    pub fn parse_ipv4(packet: &'a [u8]) -> Result<(IpProtocol, Self), IpError> {
        const MORE_FRAGMENTS_OR_OFFSET: u16 = 0x3fff;

        let truncated = |needed| IpError::Truncated { needed, available: packet.len() };
        let fixed: &[u8; 20] = packet.first_chunk().ok_or(truncated(20))?;
        let &[
            version_and_length,
            _,
            length_high,
            length_low,
            _,
            _,
            fragment_high,
            fragment_low, //
            hop_limit,
            protocol,
            _,
            _,
            s0,
            s1,
            s2,
            s3,
            d0,
            d1,
            d2,
            d3,
        ] = fixed;

        if version_and_length >> 4 != 4 {
            return Err(IpError::Version(version_and_length >> 4));
        }
        let header_length = usize::from(version_and_length & 0x0f) * 4;
        let total_length = usize::from(u16::from_be_bytes([length_high, length_low]));
        if header_length < 20 || header_length > total_length {
            return Err(IpError::HeaderLength { header: header_length, total: total_length });
        }
        let packet = packet.get(..total_length).ok_or(truncated(total_length))?;
        let (header, payload) = packet.split_at_checked(header_length).ok_or(truncated(header_length))?;
        if !Checksum::default().with(header).is_valid() {
            return Err(IpError::HeaderChecksum);
        }
        if u16::from_be_bytes([fragment_high, fragment_low]) & MORE_FRAGMENTS_OR_OFFSET != 0 {
            return Err(IpError::Fragment);
        }
        let source = Ipv4Addr::new(s0, s1, s2, s3);
        if source.is_multicast() || source.is_broadcast() {
            return Err(IpError::Source(source.into()));
        }
        let destination = Ipv4Addr::new(d0, d1, d2, d3);
        let datagram = Self { source: source.into(), destination: destination.into(), hop_limit, payload };
        Ok((IpProtocol::from_wire(protocol), datagram))
    }

    /// Reads an IPv6 packet (RFC 8200 section 3). Padding after the payload length is cut off.
    ///
    /// Extension headers are not walked: neither VRRP nor an unsolicited neighbour advertisement has any. A packet that
    /// has one is [`IpProtocol::Other`] with the number of the extension, a fragment (44) among them.
    ///
    /// ```text
    ///  0                   1                   2                   3
    ///  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
    /// +-------+---------------+---------------------------------------+
    /// |Version| Traffic Class |              Flow Label               |
    /// +-------+---------------+-------+---------------+---------------+
    /// |        Payload Length         |  Next Header  |   Hop Limit   |
    /// +-------------------------------+---------------+---------------+
    /// |                   Source Address (16 bytes)                   |
    /// +---------------------------------------------------------------+
    /// |                Destination Address (16 bytes)                 |
    /// +---------------------------------------------------------------+
    /// ```
    pub fn parse_ipv6(packet: &'a [u8]) -> Result<(IpProtocol, Self), IpError> {
        let truncated = |needed| IpError::Truncated { needed, available: packet.len() };
        let (first, rest) = packet.split_first_chunk::<8>().ok_or(truncated(40))?;
        let (source, rest) = rest.split_first_chunk::<16>().ok_or(truncated(40))?;
        let (destination, rest) = rest.split_first_chunk::<16>().ok_or(truncated(40))?;
        let &[version, _, _, _, length_high, length_low, next_header, hop_limit] = first;

        if version >> 4 != 6 {
            return Err(IpError::Version(version >> 4));
        }
        let length = usize::from(u16::from_be_bytes([length_high, length_low]));
        let payload = rest.get(..length).ok_or(truncated(40 + length))?;
        let source = Ipv6Addr::from(*source);
        if source.is_multicast() {
            return Err(IpError::Source(source.into()));
        }
        let destination = Ipv6Addr::from(*destination);
        let datagram = Self { source: source.into(), destination: destination.into(), hop_limit, payload };
        Ok((IpProtocol::from_wire(next_header), datagram))
    }
}
