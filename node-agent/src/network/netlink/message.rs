//! Netlink messages: requests to write, reports to read.
//!
//! Reports are read attribute by attribute, and only those that are needed: a kernel that says something new about an
//! interface must not make the interface unreadable.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::wire::MacAddress;
use netlink_packet_core::{NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST};
use netlink_packet_core::{NetlinkMessage, NlasIterator};
use netlink_packet_route::address::{
    AddressAttribute, AddressFlags, AddressMessage, AddressProtocol, AddressScope, CacheInfo,
};
use netlink_packet_route::link::{LinkAttribute, LinkExtentMask, LinkMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::commands::AddressRequest;
use crate::network::interfaces::{InterfaceAddress, InterfaceIndex, Link, NetworkChange, Placement};
use crate::network::ownership::MARK;

/// The kernel lifetime of a virtual address, in whole seconds as the kernel counts it.
///
/// The kernel removes an address this long after its last renewal, up to one second later (measured: 0 to 0.5 s, once
/// 1.2 s with IPv6), because it looks no more often than once a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lifetime {
    seconds: u32,
}

impl Lifetime {
    /// Of an address that nothing else takes from a dead agent.
    pub const SHORT: Self = Self { seconds: 2 };

    /// At least this long.
    pub fn at_least(duration: Duration) -> Self {
        let whole = u32::try_from(duration.as_secs()).unwrap_or(u32::MAX - 1);
        Self { seconds: whole + u32::from(duration.subsec_nanos() > 0) }
    }

    /// How long it is.
    pub const fn as_duration(self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }
}

const HEADER_LENGTH: usize = 16;

const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const RTM_NEWLINK: u16 = 16;
const RTM_DELLINK: u16 = 17;
const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;

const NLM_F_DUMP_INTR: u16 = 0x10;

const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_LINK_NETNSID: u16 = 37;
const IFF_UP: u32 = 1;
const IFF_RUNNING: u32 = 1 << 6;

const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
const IFA_FLAGS: u16 = 8;
const IFA_PROTO: u16 = 11;
const IFA_F_SECONDARY: u32 = 0x01;
const IFA_F_DADFAILED: u32 = 0x08;
const IFA_F_DEPRECATED: u32 = 0x20;
const IFA_F_TENTATIVE: u32 = 0x40;

const AF_BRIDGE: u8 = 7;
const AF_INET: u8 = 2;

/// A message as read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) sequence: u32,
    /// Something changed during the dump that this is a part of.
    pub(super) interrupted: bool,
    pub(super) content: Content,
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Something is there or gone.
    Change(NetworkChange),
    /// A request was carried out, or refused with this error number.
    Answer(Result<(), i32>),
    /// The end of a dump.
    Done,
    /// Nothing of interest.
    Other,
}

/// Reads the messages of a datagram, one after another. Stops at the first that is damaged.
pub(super) fn replies(mut datagram: &[u8]) -> impl Iterator<Item = Reply> {
    std::iter::from_fn(move || {
        let header = Header::read(datagram)?;
        let length = usize::try_from(header.length).ok()?;
        let payload = datagram.get(HEADER_LENGTH..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        let interrupted = header.flags & NLM_F_DUMP_INTR != 0;
        Some(Reply { sequence: header.sequence, interrupted, content: content(&header, payload) })
    })
}

/// ```text
///  0               1               2               3
/// +---------------------------------------------------------------+
/// |                       length, with header                     |
/// +-------------------------------+-------------------------------+
/// |             type              |             flags             |
/// +-------------------------------+-------------------------------+
/// |                           sequence                            |
/// +---------------------------------------------------------------+
/// |                 port of the program that asked                |
/// +---------------------------------------------------------------+
/// ```
struct Header {
    length: u32,
    message_type: u16,
    flags: u16,
    sequence: u32,
    port: u32,
}

impl Header {
    fn read(bytes: &[u8]) -> Option<Self> {
        Some(Self {
            length: u32::from_ne_bytes(field(bytes, 0)?),
            message_type: u16::from_ne_bytes(field(bytes, 4)?),
            flags: u16::from_ne_bytes(field(bytes, 6)?),
            sequence: u32::from_ne_bytes(field(bytes, 8)?),
            port: u32::from_ne_bytes(field(bytes, 12)?),
        })
    }
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn content(header: &Header, payload: &[u8]) -> Content {
    let change = match header.message_type {
        NLMSG_DONE => return Content::Done,
        NLMSG_ERROR => return field(payload, 0).map_or(Content::Other, |code| answer(i32::from_ne_bytes(code))),
        RTM_NEWLINK | RTM_DELLINK => read_link(header, payload),
        RTM_NEWADDR | RTM_DELADDR => read_address(header, payload),
        _ => None,
    };
    change.map_or(Content::Other, Content::Change)
}

/// The kernel writes error numbers negative.
fn answer(code: i32) -> Content {
    Content::Answer(if code == 0 { Ok(()) } else { Err(code.saturating_neg()) })
}

/// `struct ifinfomsg`: family, padding, type, index, flags, change; then attributes.
fn read_link(header: &Header, payload: &[u8]) -> Option<NetworkChange> {
    let [family] = field(payload, 0)?;
    if family == AF_BRIDGE {
        // The same interface again, as a port of its bridge.
        return None;
    }
    let index = InterfaceIndex::new(u32::from_ne_bytes(field(payload, 4)?));
    if header.message_type == RTM_DELLINK {
        return Some(NetworkChange::LinkGone(index));
    }
    let flags = u32::from_ne_bytes(field(payload, 8)?);
    let (mut name, mut mac, mut parent, mut elsewhere) = (None, None, None, false);
    for (kind, value) in attributes(payload.get(16..)?) {
        match kind {
            IFLA_IFNAME => name = value.split(|byte| *byte == 0).next().and_then(|name| str::from_utf8(name).ok()),
            IFLA_ADDRESS => mac = value.try_into().ok().map(MacAddress),
            IFLA_LINK => parent = field(value, 0).map(|index| InterfaceIndex::new(u32::from_ne_bytes(index))),
            IFLA_LINK_NETNSID => elsewhere = true,
            _ => {}
        }
    }
    Some(NetworkChange::LinkSet(Link {
        index,
        name: name?.to_owned(),
        mac,
        enabled: flags & IFF_UP != 0,
        running: flags & IFF_RUNNING != 0,
        parent: parent.filter(|parent| !elsewhere && *parent != index),
    }))
}

/// `struct ifaddrmsg`: family, prefix length, flags, scope, interface; then attributes.
fn read_address(header: &Header, payload: &[u8]) -> Option<NetworkChange> {
    let [family, prefix_length, short_flags, _] = field(payload, 0)?;
    let index = InterfaceIndex::new(u32::from_ne_bytes(field(payload, 4)?));
    let (mut local, mut remote, mut flags, mut protocol) = (None, None, u32::from(short_flags), None);
    for (kind, value) in attributes(payload.get(8..)?) {
        match kind {
            // On a point-to-point link the other end's address; elsewhere the same as IFA_LOCAL, or alone.
            IFA_ADDRESS => remote = read_ip(value),
            IFA_LOCAL => local = read_ip(value),
            IFA_FLAGS => flags = u32::from_ne_bytes(field(value, 0)?),
            IFA_PROTO => protocol = value.first().copied(),
            _ => {}
        }
    }
    let address = local.or(remote)?;
    if header.message_type == RTM_DELADDR {
        let placement = Placement { interface: index, address, prefix_length };
        return Some(NetworkChange::AddressGone { placement, port: header.port });
    }
    let present = InterfaceAddress {
        address,
        prefix_length,
        // The same bit means "temporary" with IPv6.
        secondary: family == AF_INET && flags & IFA_F_SECONDARY != 0,
        tentative: flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED) != 0,
        deprecated: flags & IFA_F_DEPRECATED != 0,
        protocol,
    };
    Some(NetworkChange::AddressSet(index, present))
}

fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let whole = NlasIterator::new(bytes).map_while(Result::ok);
    whole.filter_map(|attribute| {
        let bytes = attribute.into_inner();
        let length = usize::from(u16::from_ne_bytes(field(bytes, 0)?));
        let kind = u16::from_ne_bytes(field(bytes, 2)?);
        Some((kind, bytes.get(4..length)?))
    })
}

fn read_ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => field::<4>(value, 0).map(IpAddr::from),
        16 => field::<16>(value, 0).map(IpAddr::from),
        _ => None,
    }
}

/// Appends a request about an address to `buffer`.
pub(super) fn write_request(buffer: &mut Vec<u8>, sequence: u32, request: &AddressRequest, lifetime: Lifetime) {
    let (flags, placement) = match request {
        AddressRequest::Add(placement) => (NLM_F_CREATE | NLM_F_EXCL | NLM_F_ACK, placement),
        AddressRequest::Restore(placement) => (NLM_F_CREATE | NLM_F_REPLACE | NLM_F_ACK, placement),
        // Nobody waits for the answer; a refusal is told without being asked for.
        AddressRequest::Renew(placement) => (NLM_F_REPLACE, placement),
        AddressRequest::Remove(placement) => (NLM_F_ACK, placement),
    };
    let message = match request {
        AddressRequest::Remove(_) => RouteNetlinkMessage::DelAddress(address_message(placement)),
        _ => RouteNetlinkMessage::NewAddress(virtual_address_message(placement, lifetime)),
    };
    write(buffer, sequence, flags, message);
}

/// Appends the request for all links or all addresses to `buffer`.
pub(super) fn write_dump(buffer: &mut Vec<u8>, sequence: u32, what: Dump) {
    let message = match what {
        Dump::Links => {
            let mut message = LinkMessage::default();
            message.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
            RouteNetlinkMessage::GetLink(message)
        }
        Dump::Addresses => RouteNetlinkMessage::GetAddress(AddressMessage::default()),
    };
    write(buffer, sequence, NLM_F_DUMP, message);
}

/// What to read all of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dump {
    Links,
    Addresses,
}

fn write(buffer: &mut Vec<u8>, sequence: u32, flags: u16, message: RouteNetlinkMessage) {
    let mut message = NetlinkMessage::from(message);
    message.header.flags = NLM_F_REQUEST | flags;
    message.header.sequence_number = sequence;
    message.finalize();
    let start = buffer.len();
    buffer.resize(start + message.buffer_len(), 0);
    if let Some(slot) = buffer.get_mut(start..) {
        message.serialize(slot);
    }
}

fn address_message(placement: &Placement) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = match placement.address {
        IpAddr::V4(_) => AddressFamily::Inet,
        IpAddr::V6(_) => AddressFamily::Inet6,
    };
    message.header.prefix_len = placement.prefix_length;
    message.header.scope = AddressScope::Universe;
    message.header.index = placement.interface.get();
    message.attributes.push(AddressAttribute::Local(placement.address));
    message.attributes.push(AddressAttribute::Address(placement.address));
    message
}

/// No duplicate address detection, since the election has decided; no route to a subnet; a lifetime that ends unless
/// renewed; never a source address of the node's own connections (IPv6: deprecated from the start; IPv4: behind the
/// primary address); and our mark.
fn virtual_address_message(placement: &Placement, Lifetime { seconds }: Lifetime) -> AddressMessage {
    let mut lifetime = CacheInfo::default();
    lifetime.ifa_valid = seconds;
    lifetime.ifa_preferred = if placement.address.is_ipv6() { 0 } else { seconds };
    let mut message = address_message(placement);
    message.attributes.extend([
        AddressAttribute::Flags(AddressFlags::Nodad | AddressFlags::Noprefixroute),
        AddressAttribute::CacheInfo(lifetime),
        AddressAttribute::Protocol(AddressProtocol::Other(MARK)),
    ]);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placement(address: &str, prefix_length: u8) -> Placement {
        let address = address.parse().expect("an address");
        Placement { interface: InterfaceIndex::new(7), address, prefix_length }
    }

    fn written(request: &AddressRequest) -> Vec<u8> {
        let mut buffer = Vec::new();
        write_request(&mut buffer, 42, request, Lifetime::SHORT);
        buffer
    }

    #[test]
    fn what_is_written_can_be_read() {
        for (address, length) in [("10.0.0.100", 32), ("fd00::100", 128)] {
            let placement = placement(address, length);
            let buffer = written(&AddressRequest::Add(placement));
            let reply = replies(&buffer).next().expect("a message");
            let expected =
                InterfaceAddress { protocol: Some(MARK), ..InterfaceAddress::new(placement.address, length) };
            let change = NetworkChange::AddressSet(placement.interface, expected);
            assert_eq!(reply, Reply { sequence: 42, interrupted: false, content: Content::Change(change) });

            let buffer = written(&AddressRequest::Remove(placement));
            let reply = replies(&buffer).next().expect("a message");
            assert_eq!(reply.content, Content::Change(NetworkChange::AddressGone { placement, port: 0 }));
        }
    }

    #[test]
    fn messages_follow_each_other_and_damage_ends_the_reading() {
        let mut buffer = written(&AddressRequest::Remove(placement("10.0.0.100", 32)));
        let length = buffer.len();
        buffer.extend(written(&AddressRequest::Remove(placement("10.0.0.101", 32))));
        assert_eq!(replies(&buffer).count(), 2);
        for cut in 0..buffer.len() {
            let expected = usize::from(cut >= length);
            assert_eq!(replies(&buffer[..cut]).count(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn a_damaged_length_neither_panics_nor_loops() {
        let buffer = written(&AddressRequest::Add(placement("10.0.0.100", 32)));
        for length in [0_u32, 1, 15, 16, 17, 4_000_000_000] {
            let mut damaged = buffer.clone();
            damaged[..4].copy_from_slice(&length.to_ne_bytes());
            assert!(replies(&damaged).count() <= 1, "length {length}");
        }
    }

    #[test]
    fn an_answer_carries_the_error_number() {
        let message = |code: i32| {
            let mut bytes = Vec::new();
            bytes.extend(36_u32.to_ne_bytes());
            bytes.extend(NLMSG_ERROR.to_ne_bytes());
            bytes.extend(0_u16.to_ne_bytes());
            bytes.extend(9_u32.to_ne_bytes());
            bytes.extend(0_u32.to_ne_bytes());
            bytes.extend(code.to_ne_bytes());
            bytes.extend([0; 16]);
            bytes
        };
        let read = |code| replies(&message(code)).next().map(|reply| reply.content);
        assert_eq!(read(0), Some(Content::Answer(Ok(()))));
        assert_eq!(read(-17), Some(Content::Answer(Err(17))));
    }

    #[test]
    fn only_a_virtual_ipv6_address_is_deprecated_from_the_start() {
        let lifetime = |address: &str| {
            let message = virtual_address_message(&placement(address, 64), Lifetime::SHORT);
            message.attributes.into_iter().find_map(|attribute| match attribute {
                AddressAttribute::CacheInfo(info) => Some((info.ifa_preferred, info.ifa_valid)),
                _ => None,
            })
        };
        assert_eq!(lifetime("10.0.0.100"), Some((2, 2)));
        assert_eq!(lifetime("fd00::100"), Some((0, 2)));
    }
}
