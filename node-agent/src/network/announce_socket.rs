//! Sending whole Ethernet frames from one interface: gratuitous ARP, neighbour advertisements, probes.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use socket2::{Domain, Protocol, Socket, Type};

use super::interfaces::InterfaceIndex;
use super::packet_socket::enlarge_send_buffer;
use crate::system;

/// Several thousand frames at once, with what the kernel keeps about each.
const SEND_BUFFER: usize = 4 << 20;

/// A socket that sends frames on one interface and receives nothing.
#[derive(Debug)]
pub struct AnnounceSocket {
    socket: Socket,
}

impl AnnounceSocket {
    /// Sends on `interface`.
    pub fn open(interface: InterfaceIndex) -> io::Result<Self> {
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(Protocol::from(0)))?;
        socket.set_nonblocking(true)?;
        enlarge_send_buffer(&socket, SEND_BUFFER)?;
        system::bind_packet_socket(&socket, interface.get(), 0)?;
        Ok(Self { socket })
    }
}

impl AsFd for AnnounceSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
