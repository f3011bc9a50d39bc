//! ARP over Ethernet (RFC 826): announcing an IPv4 address, asking for it, and hearing others claim it.
//!
//! ```text
//!  0                   1                   2                   3
//!  0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
//! +-------------------------------+-------------------------------+
//! |       Hardware Type = 1       |    Protocol Type = 0x0800     |
//! +---------------+---------------+-------------------------------+
//! | HW Length = 6 |Proto Length=4 |           Operation           |
//! +---------------+---------------+-------------------------------+
//! |                  Sender Hardware Address (6 bytes)            |
//! |                               +-------------------------------+
//! |                               |        Sender Address         |
//! +-------------------------------+-------------------------------+
//! |      ... (4 bytes in all)     |    Target Hardware Address    |
//! +-------------------------------+                               |
//! |                           (6 bytes)                           |
//! +---------------------------------------------------------------+
//! |                        Target Address                         |
//! +---------------------------------------------------------------+
//! ```

use std::net::Ipv4Addr;

use thiserror::Error;

use super::{MacAddress, concat};

/// The Ethernet type of ARP.
pub const ETHERTYPE: u16 = 0x0806;

/// The length of an Ethernet frame with an ARP packet, without padding: the network card adds it.
pub const FRAME_LENGTH: usize = 42;

/// Hardware type Ethernet, protocol type IPv4, and the lengths of their addresses.
const ETHERNET_AND_IPV4: [u8; 6] = [0x00, 0x01, 0x08, 0x00, 6, 4];

const REQUEST: [u8; 2] = [0, 1];
const REPLY: [u8; 2] = [0, 2];

/// An ARP packet about IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ArpPacket {
    /// Question or answer. Both teach the sender's address (RFC 826), so most readers do not care.
    pub operation: ArpOperation,
    /// The Ethernet address that the sender says it has.
    pub sender_mac: MacAddress,
    /// The IPv4 address that the sender says it has; `0.0.0.0` in a probe.
    pub sender_address: Ipv4Addr,
    /// The Ethernet address that is asked for; without meaning in a request.
    pub target_mac: MacAddress,
    /// The IPv4 address that is asked for.
    pub target_address: Ipv4Addr,
}

/// What an ARP packet is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArpOperation {
    /// 1: who has the target address?
    Request,
    /// 2: the sender has its address.
    Reply,
}

/// Why a packet is not ARP about IPv4 over Ethernet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ArpError {
    /// The packet is shorter than 28 bytes.
    #[error("an ARP packet has 28 bytes, not {0}")]
    Truncated(usize),
    /// The packet is about other kinds of addresses.
    #[error("the ARP packet is not about IPv4 over Ethernet")]
    AddressTypes,
    /// Neither request nor reply.
    #[error("ARP operation {0} is neither request nor reply")]
    Operation(u16),
}

/// A gratuitous ARP request: whoever has `address` in its cache sends to `sender` from now on.
///
/// Sender and target are the address itself, as RFC 9568 section 6.4 asks, and the target hardware address is
/// broadcast, as keepalived and FRR send it; receivers ignore that field.
pub fn gratuitous_request(sender: MacAddress, address: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    request(sender, address, MacAddress::BROADCAST, address)
}

/// An ARP probe: asks whether another machine has `address`, without touching any cache (RFC 5227 section 2.1.1).
pub fn probe(sender: MacAddress, address: Ipv4Addr) -> [u8; FRAME_LENGTH] {
    request(sender, Ipv4Addr::UNSPECIFIED, MacAddress([0; 6]), address)
}

fn request(
    sender: MacAddress,
    sender_address: Ipv4Addr,
    target: MacAddress,
    target_address: Ipv4Addr,
) -> [u8; FRAME_LENGTH] {
    concat(&[
        MacAddress::BROADCAST.bytes(),
        sender.bytes(),
        &ETHERTYPE.to_be_bytes(),
        &ETHERNET_AND_IPV4,
        &REQUEST,
        sender.bytes(),
        &sender_address.octets(),
        target.bytes(),
        &target_address.octets(),
    ])
}

// === impl ArpPacket ===

impl ArpPacket {
    /// Reads a packet that starts after the Ethernet header. Padding after the 28 bytes is ignored.
    pub fn parse(packet: &[u8]) -> Result<Self, ArpError> {
        let truncated = || ArpError::Truncated(packet.len());
        let (types, rest) = packet.split_first_chunk::<6>().ok_or_else(truncated)?;
        let (operation, rest) = rest.split_first_chunk::<2>().ok_or_else(truncated)?;
        let (sender_mac, rest) = rest.split_first_chunk::<6>().ok_or_else(truncated)?;
        let (sender_address, rest) = rest.split_first_chunk::<4>().ok_or_else(truncated)?;
        let (target_mac, rest) = rest.split_first_chunk::<6>().ok_or_else(truncated)?;
        let target_address = rest.first_chunk::<4>().ok_or_else(truncated)?;

        if *types != ETHERNET_AND_IPV4 {
            return Err(ArpError::AddressTypes);
        }
        let operation = match *operation {
            REQUEST => ArpOperation::Request,
            REPLY => ArpOperation::Reply,
            other => return Err(ArpError::Operation(u16::from_be_bytes(other))),
        };
        Ok(Self {
            operation,
            sender_mac: MacAddress(*sender_mac),
            sender_address: Ipv4Addr::from(*sender_address),
            target_mac: MacAddress(*target_mac),
            target_address: Ipv4Addr::from(*target_address),
        })
    }

    /// The address that the sender says is its own. A probe claims none.
    pub fn claimed_address(&self) -> Option<Ipv4Addr> {
        (!self.sender_address.is_unspecified()).then_some(self.sender_address)
    }
}
