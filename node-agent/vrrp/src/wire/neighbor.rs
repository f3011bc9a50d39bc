//! IPv6 neighbour discovery (RFC 4861): announcing an address, asking for it, and hearing others claim it.

use std::net::{IpAddr, Ipv6Addr};

use thiserror::Error;

use super::{Checksum, Datagram, IpProtocol, MacAddress, concat};

/// The Ethernet type of IPv6.
pub const ETHERTYPE: u16 = 0x86dd;

/// The length of an Ethernet frame with an unsolicited neighbour advertisement.
pub const ADVERTISEMENT_FRAME_LENGTH: usize = 14 + 40 + 32;

/// The length of an Ethernet frame with a neighbour solicitation for a probe.
pub const SOLICITATION_FRAME_LENGTH: usize = 14 + 40 + 32;

/// Forwarded packets are not obeyed: neighbour discovery stays on the link (RFC 4861 section 7.1).
const HOP_LIMIT: u8 = 255;

const NEIGHBOR_SOLICITATION: u8 = 135;
const NEIGHBOR_ADVERTISEMENT: u8 = 136;

/// The options with the Ethernet address of the sender and of the target: their types, and their length in units of
/// eight bytes.
const SOURCE_LINK_LAYER_ADDRESS: u8 = 1;
const TARGET_LINK_LAYER_ADDRESS: u8 = 2;
const ETHERNET_OPTION_UNITS: u8 = 1;

const ROUTER: u8 = 0x80;
const SOLICITED: u8 = 0x40;
const OVERRIDE: u8 = 0x20;

const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);

/// A received neighbour advertisement that passed the checks of RFC 4861 section 7.1.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct NeighborAdvertisement {
    /// The address that the sender says it has.
    pub target: Ipv6Addr,
    /// The Ethernet address that belongs to it, if it was told.
    pub link_layer_address: Option<MacAddress>,
    /// R: the sender is a router.
    pub router: bool,
    /// S: somebody asked for it.
    pub solicited: bool,
    /// O: replace what is in the cache.
    pub overrides: bool,
}

/// Why a datagram is not a valid neighbour advertisement.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NeighborError {
    /// Neighbour discovery exists over IPv6 only.
    #[error("the datagram is not IPv6")]
    Family,
    /// The packet has crossed a router.
    #[error("hop limit {0} is not 255")]
    HopLimit(u8),
    /// The message is shorter than 24 bytes.
    #[error("a neighbour advertisement has at least 24 bytes, not {0}")]
    Truncated(usize),
    /// Another message of ICMPv6.
    #[error("ICMPv6 type {message_type} code {code} is not a neighbour advertisement")]
    Type {
        /// The type field.
        message_type: u8,
        /// The code field.
        code: u8,
    },
    /// The message was damaged on its way.
    #[error("the ICMPv6 checksum is wrong")]
    Checksum,
    /// A multicast address belongs to nobody.
    #[error("{0} cannot be the target of a neighbour advertisement")]
    Target(Ipv6Addr),
    /// Nobody can have asked for what goes to everybody.
    #[error("a solicited neighbour advertisement cannot be multicast")]
    SolicitedMulticast,
    /// An option has no length, or reaches past the end.
    #[error("an option of the neighbour advertisement is malformed")]
    Option,
}

/// An unsolicited neighbour advertisement to all nodes: whoever has `address` in its cache sends to `sender` from now
/// on (RFC 4861 section 7.2.6, RFC 9568 section 6.4).
///
/// `router` is the R flag: true only if this machine forwards IPv6, or clients drop their default route.
pub fn unsolicited_advertisement(
    sender: MacAddress,
    address: Ipv6Addr,
    router: bool,
) -> [u8; ADVERTISEMENT_FRAME_LENGTH] {
    let flags = OVERRIDE | if router { ROUTER } else { 0 };
    let message: [u8; 32] = concat(&[
        &[NEIGHBOR_ADVERTISEMENT, 0, 0, 0, flags, 0, 0, 0],
        &address.octets(),
        &[TARGET_LINK_LAYER_ADDRESS, ETHERNET_OPTION_UNITS],
        sender.bytes(),
    ]);
    frame(sender, address, ALL_NODES, &message)
}

/// A neighbour solicitation for a probe: asks from `source`, an address of our own, whether another machine has `address`
/// (RFC 4861 section 7.2.2).
///
/// Not from the unspecified address, as duplicate address detection does it: the answer would go to all nodes, and take
/// every client back to the machine that answers. This one goes to us alone.
pub fn solicitation_probe(sender: MacAddress, source: Ipv6Addr, address: Ipv6Addr) -> [u8; SOLICITATION_FRAME_LENGTH] {
    let message: [u8; 32] = concat(&[
        &[NEIGHBOR_SOLICITATION, 0, 0, 0, 0, 0, 0, 0],
        &address.octets(),
        &[SOURCE_LINK_LAYER_ADDRESS, ETHERNET_OPTION_UNITS],
        sender.bytes(),
    ]);
    frame(sender, source, solicited_node(address), &message)
}

/// The group that whoever has this address listens to (RFC 4291 section 2.7.1).
pub fn solicited_node(address: Ipv6Addr) -> Ipv6Addr {
    let [.., a, b, c] = address.octets();
    Ipv6Addr::new(0xff02, 0, 0, 0, 0, 1, 0xff00 | u16::from(a), u16::from_be_bytes([b, c]))
}

/// An Ethernet frame with this ICMPv6 message, whose checksum field is still zero.
///
/// ```text
/// +----------------+----------------+--------+
/// |  Destination   |     Source     | 0x86dd |  Ethernet, 14 bytes
/// +----------------+----------------+--------+
/// |      IPv6, next header 58, hop limit 255 |  40 bytes
/// +------+------+----------+-----------------+
/// | Type | Code | Checksum |  R S O, zeros   |  8 bytes
/// +------+------+----------+-----------------+
/// |              Target Address              |  16 bytes
/// +------------------------------------------+
/// |        Link-layer address option         |  8 bytes: the target's, or in a solicitation the sender's
/// +------------------------------------------+
/// ```
fn frame<const N: usize>(sender: MacAddress, source: Ipv6Addr, destination: Ipv6Addr, message: &[u8]) -> [u8; N] {
    let sum = Checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, message.len()).with(message);
    let length = u16::try_from(message.len()).unwrap_or_default();
    let (type_and_code, rest) = message.split_at_checked(2).unwrap_or_default();
    concat(&[
        MacAddress::ipv6_multicast(destination).bytes(),
        sender.bytes(),
        &ETHERTYPE.to_be_bytes(),
        &[0x60, 0, 0, 0],
        &length.to_be_bytes(),
        &[IpProtocol::ICMPV6, HOP_LIMIT],
        &source.octets(),
        &destination.octets(),
        type_and_code,
        &sum.value().to_be_bytes(),
        rest.get(2..).unwrap_or_default(),
    ])
}

// === impl NeighborAdvertisement ===

impl NeighborAdvertisement {
    /// Reads an ICMPv6 message and makes the checks of RFC 4861 section 7.1.2.
    pub fn parse(datagram: &Datagram<'_>) -> Result<Self, NeighborError> {
        let Datagram { source: IpAddr::V6(source), destination: IpAddr::V6(destination), hop_limit, payload } =
            *datagram
        else {
            return Err(NeighborError::Family);
        };
        if hop_limit != HOP_LIMIT {
            return Err(NeighborError::HopLimit(hop_limit));
        }
        let truncated = || NeighborError::Truncated(payload.len());
        let (header, rest) = payload.split_first_chunk::<8>().ok_or_else(truncated)?;
        let (target, options) = rest.split_first_chunk::<16>().ok_or_else(truncated)?;
        let &[message_type, code, _, _, flags, _, _, _] = header;

        if (message_type, code) != (NEIGHBOR_ADVERTISEMENT, 0) {
            return Err(NeighborError::Type { message_type, code });
        }
        let sum = Checksum::pseudo_header_ipv6(source, destination, IpProtocol::ICMPV6, payload.len()).with(payload);
        if !sum.is_valid() {
            return Err(NeighborError::Checksum);
        }
        let target = Ipv6Addr::from(*target);
        if target.is_multicast() {
            return Err(NeighborError::Target(target));
        }
        let solicited = flags & SOLICITED != 0;
        if solicited && destination.is_multicast() {
            return Err(NeighborError::SolicitedMulticast);
        }
        Ok(Self {
            target,
            link_layer_address: target_link_layer_address(options)?,
            router: flags & ROUTER != 0,
            solicited,
            overrides: flags & OVERRIDE != 0,
        })
    }
}

/// Walks the options (RFC 4861 section 4.6): type, length in units of eight bytes, contents.
fn target_link_layer_address(mut options: &[u8]) -> Result<Option<MacAddress>, NeighborError> {
    let mut found = None;
    while !options.is_empty() {
        let Some(&[option_type, units]) = options.first_chunk::<2>() else { return Err(NeighborError::Option) };
        let length = usize::from(units) * 8;
        let (option, rest) = options.split_at_checked(length).ok_or(NeighborError::Option)?;
        if option.is_empty() {
            return Err(NeighborError::Option);
        }
        // Another length would be an address of another kind of link.
        if let (TARGET_LINK_LAYER_ADDRESS, &[_, _, a, b, c, d, e, f]) = (option_type, option) {
            found = Some(MacAddress([a, b, c, d, e, f]));
        }
        options = rest;
    }
    Ok(found)
}
