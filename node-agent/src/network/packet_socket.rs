//! Receiving from one interface: adverts, and what other machines say of our addresses.
//!
//! Packet sockets see a packet before the host's firewall (netfilter `INPUT`), reverse path filter and martian checks
//! do, so none of them can make a backup deaf to a live master. They join no multicast group: `advert_socket.rs` does.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd, BorrowedFd};

use holdfast_vrrp::wire::{arp, neighbor};
use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

use super::interfaces::InterfaceIndex;
use super::packet_filter;
use crate::system;

/// Holds about ten thousand adverts: more than two thousand masters send in a second's stall at 200 ms.
const RECEIVE_BUFFER: usize = 16 << 20;

const ETHERNET_TYPE_IPV4: u16 = 0x0800;

/// What a socket receives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Traffic {
    /// Adverts over IPv4.
    Ipv4,
    /// Adverts and neighbour advertisements over IPv6.
    Ipv6,
    /// ARP.
    Arp,
}

/// A socket that receives one kind of traffic from one interface.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
}

impl PacketSocket {
    /// Receives `traffic` from `interface`. Of ARP it receives nothing before [`PacketSocket::watch`].
    pub fn open(interface: InterfaceIndex, traffic: Traffic) -> io::Result<Self> {
        // Without a protocol nothing arrives before the filter is in place.
        let socket = Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0)))?;
        let (ethernet_type, filter) = match traffic {
            Traffic::Ipv4 => (ETHERNET_TYPE_IPV4, packet_filter::ipv4()),
            Traffic::Ipv6 => (neighbor::ETHERTYPE, packet_filter::ipv6()),
            Traffic::Arp => (arp::ETHERTYPE, packet_filter::arp(&[])),
        };
        socket.attach_filter(&filter)?;
        // The filter drops outgoing packets too; this only spares the kernel their copies.
        let _ = system::ignore_outgoing(&socket);
        enlarge_receive_buffer(&socket, RECEIVE_BUFFER)?;
        system::bind_packet_socket(&socket, interface.get(), ethernet_type)?;
        Ok(Self { socket })
    }

    /// For ARP: receives the claims to these addresses from now on.
    pub fn watch(&self, addresses: &[Ipv4Addr]) -> io::Result<()> {
        self.socket.attach_filter(&packet_filter::arp(addresses))
    }

    /// How many packets were lost for want of room since the last call.
    pub fn take_dropped(&self) -> u64 {
        system::packets_dropped(&self.socket).map_or(0, u64::from)
    }
}

impl AsFd for PacketSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Whether this process may have packet sockets at all: it needs `CAP_NET_RAW`.
pub fn check_permission() -> io::Result<()> {
    Socket::new(Domain::PACKET, Type::DGRAM, Some(Protocol::from(0))).map(drop)
}

/// Makes room for `bytes`, past the limit for ordinary users where that is allowed.
pub(super) fn enlarge_receive_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    setsockopt(socket, sockopt::RcvBufForce, &bytes).or_else(|_| setsockopt(socket, sockopt::RcvBuf, &bytes))?;
    Ok(())
}

/// The same for what is to be sent.
pub(super) fn enlarge_send_buffer(socket: &impl AsFd, bytes: usize) -> io::Result<()> {
    setsockopt(socket, sockopt::SndBufForce, &bytes).or_else(|_| setsockopt(socket, sockopt::SndBuf, &bytes))?;
    Ok(())
}
