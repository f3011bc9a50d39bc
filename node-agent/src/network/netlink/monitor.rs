//! Hearing of every change of links and addresses.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;
use socket2::{SockFilter, SockRef};

use super::message::{Content, replies};
use crate::network::interfaces::NetworkChange;
use crate::network::packet_socket::enlarge_receive_buffer;

const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_IPV4_IFADDR: u32 = 5;
const RTNLGRP_IPV6_IFADDR: u32 = 9;

/// Holds the reports of about ten thousand changes.
const RECEIVE_BUFFER: usize = 16 << 20;

/// Longer than any report: those of network cards with many virtual functions have tens of kilobytes.
const REPORT_LENGTH: usize = 256 << 10;

/// No more reports than these are taken in at one wake-up.
const REPORTS_AT_ONCE: usize = 4096;

/// What a look at the monitor found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Every change.
    Everything,
    /// Reports were lost: the state must be read anew.
    Overrun,
}

/// A subscription to the kernel's reports.
pub struct Monitor {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Monitor {
    /// Subscribes.
    pub fn open() -> io::Result<Self> {
        Self::with_receive_buffer(RECEIVE_BUFFER)
    }

    /// Subscribes with room for reports of this size in bytes, as the kernel counts it.
    pub fn with_receive_buffer(bytes: usize) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.set_non_blocking(true)?;
        enlarge_receive_buffer(&socket, bytes)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        for group in [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV6_IFADDR] {
            socket.add_membership(group)?;
        }
        Ok(Self { socket, buffer: vec![0; REPORT_LENGTH] })
    }

    /// Leaves the additions and renewals of addresses out that these netlink ports asked for: our own.
    ///
    /// The kernel does it, so renewing thousands of addresses wakes nobody here. Removals are told nonetheless: where
    /// the kernel takes secondary addresses away along with their primary one, it names whoever removed that one.
    pub fn ignore_additions_by(&self, ports: &[u32]) -> io::Result<()> {
        SockRef::from(&self.socket).attach_filter(&filter(ports))
    }

    /// Takes in what is waiting, and appends it to `changes`; never blocks.
    pub fn read(&mut self, changes: &mut Vec<NetworkChange>) -> io::Result<Heard> {
        for _ in 0..REPORTS_AT_ONCE {
            let length = match self.socket.recv(&mut self.buffer.as_mut_slice(), libc::MSG_DONTWAIT) {
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => return Ok(Heard::Overrun),
                Err(error) => return Err(error),
            };
            let Some(datagram) = self.buffer.get(..length) else { continue };
            changes.extend(replies(datagram).filter_map(|reply| match reply.content {
                Content::Change(change) => Some(change),
                _ => None,
            }));
        }
        Ok(Heard::Everything)
    }

    /// Throws away what is waiting: it is older than what is about to be read.
    pub fn discard(&mut self) {
        let mut ignored = Vec::new();
        while let Ok(heard) = self.read(&mut ignored)
            && (heard == Heard::Overrun || !ignored.is_empty())
        {
            ignored.clear();
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Loads the type, and for an addition compares the port with each of ours. The machine loads in network byte order,
/// netlink writes in that of the host.
fn filter(ports: &[u32]) -> Vec<SockFilter> {
    const LOAD_WORD: u16 = 0x20;
    const LOAD_HALF: u16 = 0x28;
    const JUMP_IF_EQUAL: u16 = 0x15;
    const RETURN: u16 = 0x06;
    const TYPE: u32 = 4;
    const PORT: u32 = 12;
    const RTM_NEWADDR: u16 = 20;

    let mut program = vec![
        SockFilter::new(LOAD_HALF, 0, 0, TYPE),
        SockFilter::new(JUMP_IF_EQUAL, 1, 0, u32::from(RTM_NEWADDR.to_be())),
        SockFilter::new(RETURN, 0, 0, u32::MAX),
        SockFilter::new(LOAD_WORD, 0, 0, PORT),
    ];
    for port in ports {
        program.push(SockFilter::new(JUMP_IF_EQUAL, 0, 1, port.to_be()));
        program.push(SockFilter::new(RETURN, 0, 0, 0));
    }
    program.push(SockFilter::new(RETURN, 0, 0, u32::MAX));
    program
}
