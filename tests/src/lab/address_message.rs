//! The kernel's notices about addresses (rtnetlink), as far as the lab reads them.
//!
//! ```text
//!  0        4      6       8     12    16       17       18      19      20      24
//! +--------+------+-------+-----+-----+--------+--------+-------+-------+-------+------------ -
//! | length | type | flags | seq | pid | family | prefix | flags | scope | index | attributes
//! +--------+------+-------+-----+-----+--------+--------+-------+-------+-------+------------ -
//! attribute: | length (header included) | type | value | padding to 4 bytes |
//! ```
//! All numbers are in the machine's byte order.

use std::net::IpAddr;

const HEADER: usize = 16;
const ADDRESS_HEADER: usize = 8;

const RTM_NEWADDR: u16 = 20;
const RTM_DELADDR: u16 = 21;
const IFA_ADDRESS: u16 = 1;

/// What happened to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was added, or its lifetime was renewed.
    Set,
    /// It is gone.
    Removed,
}

/// Reads every notice in one datagram; others are passed over.
pub fn parse(mut datagram: &[u8]) -> Vec<(Change, IpAddr)> {
    let mut changes = Vec::new();
    while let Some(length) = array(datagram, 0).map(u32::from_ne_bytes) {
        let length = length as usize;
        let Some(message) = datagram.get(..length).filter(|message| message.len() >= HEADER) else { break };
        changes.extend(parse_one(message));
        datagram = datagram.get(aligned(length)..).unwrap_or_default();
    }
    changes
}

fn parse_one(message: &[u8]) -> Option<(Change, IpAddr)> {
    let change = match u16::from_ne_bytes(array(message, 4)?) {
        RTM_NEWADDR => Change::Set,
        RTM_DELADDR => Change::Removed,
        _ => return None,
    };
    let mut attributes = message.get(HEADER + ADDRESS_HEADER..)?;
    loop {
        let length = usize::from(u16::from_ne_bytes(array(attributes, 0)?));
        let kind = u16::from_ne_bytes(array(attributes, 2)?);
        if kind == IFA_ADDRESS {
            return Some((change, address(attributes.get(4..length)?)?));
        }
        attributes = attributes.get(aligned(length.max(4))..)?;
    }
}

fn address(value: &[u8]) -> Option<IpAddr> {
    let ipv4 = <[u8; 4]>::try_from(value).ok().map(IpAddr::from);
    ipv4.or_else(|| <[u8; 16]>::try_from(value).ok().map(IpAddr::from))
}

fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

fn array<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}
