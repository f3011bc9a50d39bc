//! Sending adverts from one address, and belonging to the VRRP multicast group on one interface.
//!
//! A raw IP socket: the kernel writes the IP header, sends the membership reports, and answers unicast adverts with
//! no ICMP error while the socket is open. It receives nothing; `packet_socket.rs` does.

use std::io;
use std::net::{IpAddr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, BorrowedFd};

use holdfast_vrrp::Family;
use holdfast_vrrp::wire::IpProtocol;
use holdfast_vrrp::wire::advert::{HOP_LIMIT, IPV4_GROUP, IPV6_GROUP};
use socket2::{Domain, InterfaceIndexOrAddress, Protocol, Socket, Type};

use super::interfaces::InterfaceIndex;
use super::packet_filter;
use super::packet_socket::enlarge_send_buffer;

/// Network control, CS6 (RFC 2474 section 4.2.2.2), as keepalived and FRR send.
const TRAFFIC_CLASS: u32 = 0xc0;

/// The queue of network control on the way out.
const SOCKET_PRIORITY: u32 = 6;

/// A thousand adverts at once, with what the kernel keeps about each.
const SEND_BUFFER: usize = 4 << 20;

/// A socket that sends adverts of one family from one address of one interface.
#[derive(Debug)]
pub struct AdvertSocket {
    socket: Socket,
    interface: InterfaceIndex,
    family: Family,
    member: bool,
}

impl AdvertSocket {
    /// Sends from `source`, which must be an address of the interface and usable already: a tentative IPv6 address is
    /// refused with `EADDRNOTAVAIL`.
    pub fn open(interface: InterfaceIndex, interface_name: &str, source: IpAddr) -> io::Result<Self> {
        let family = Family::of(source);
        let domain = match family {
            Family::Ipv4 => Domain::IPV4,
            Family::Ipv6 => Domain::IPV6,
        };
        let socket = Socket::new(domain, Type::RAW, Some(Protocol::from(i32::from(IpProtocol::VRRP))))?;
        socket.attach_filter(&packet_filter::nothing())?;
        socket.set_nonblocking(true)?;
        socket.bind_device(Some(interface_name.as_bytes()))?;
        enlarge_send_buffer(&socket, SEND_BUFFER)?;
        match source {
            IpAddr::V4(source) => {
                set_up_ipv4(&socket)?;
                socket.bind(&SocketAddrV4::new(source, 0).into())?;
            }
            IpAddr::V6(source) => {
                set_up_ipv6(&socket, interface)?;
                let scope = if source.is_unicast_link_local() { interface.get() } else { 0 };
                socket.bind(&SocketAddrV6::new(source, 0, 0, scope).into())?;
            }
        }
        // Last, because the kernel derives another priority from the traffic class.
        socket.set_priority(SOCKET_PRIORITY)?;
        Ok(Self { socket, interface, family, member: false })
    }

    /// Joins the VRRP group, so that network card and switches let its packets through.
    pub fn join_group(&mut self) -> io::Result<()> {
        if self.member {
            return Ok(());
        }
        let index = self.interface.get();
        match self.family {
            Family::Ipv4 => self.socket.join_multicast_v4_n(&IPV4_GROUP, &InterfaceIndexOrAddress::Index(index))?,
            Family::Ipv6 => self.socket.join_multicast_v6(&IPV6_GROUP, index)?,
        }
        self.member = true;
        Ok(())
    }
}

impl AsFd for AdvertSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The interface of multicast packets is that of the socket (`SO_BINDTODEVICE`), so `IP_MULTICAST_IF` adds nothing.
fn set_up_ipv4(socket: &Socket) -> io::Result<()> {
    socket.set_multicast_ttl_v4(u32::from(HOP_LIMIT))?;
    socket.set_ttl_v4(u32::from(HOP_LIMIT))?;
    socket.set_multicast_loop_v4(false)?;
    socket.set_multicast_all_v4(false)?;
    socket.set_tos_v4(TRAFFIC_CLASS)
}

fn set_up_ipv6(socket: &Socket, interface: InterfaceIndex) -> io::Result<()> {
    socket.set_multicast_if_v6(interface.get())?;
    socket.set_multicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_unicast_hops_v6(u32::from(HOP_LIMIT))?;
    socket.set_multicast_loop_v6(false)?;
    // Linux 4.20; before, a raw socket that receives nothing loses nothing.
    let _ = socket.set_multicast_all_v6(false);
    socket.set_tclass_v6(TRAFFIC_CLASS)
}
