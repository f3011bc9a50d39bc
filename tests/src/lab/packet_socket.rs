//! A packet socket on one interface: whole Ethernet frames in and out, with the kernel's time of arrival.

use std::io::IoSliceMut;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::ifaddrs::getifaddrs;
use nix::sys::socket::{
    ControlMessageOwned, LinkAddr, MsgFlags, bind, recvmsg, sendto, setsockopt, sockopt, sockopt::ReceiveTimestampns,
};
use socket2::{Domain, Protocol, Socket, Type};

use super::frame::{Direction, Frame};
use super::packet_filter::PacketFilter;

/// `ETH_P_ALL`: frames of every protocol, also those that leave.
const EVERY_PROTOCOL: u16 = 0x0003;

/// `PACKET_OUTGOING` of `sockaddr_ll.sll_pkttype`.
const OUTGOING: u8 = 4;

/// Room for a flood while the reading thread waits for a processor.
const RECEIVE_BUFFER: usize = 64 << 20;

/// Larger than any frame on the lab's links (MTU 1500).
const LARGEST_FRAME: usize = 9216;

/// How long one receive blocks, so that its thread sees a wish to stop.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(20);

/// See the module.
#[derive(Debug)]
pub struct PacketSocket {
    socket: Socket,
    interface: LinkAddr,
}

/// What one receive brought.
#[derive(Debug)]
pub struct Received {
    /// The frame.
    pub frame: Frame,
    /// Frames that the kernel has dropped so far because the buffer was full.
    pub dropped: u32,
}

impl PacketSocket {
    /// Opens the socket on `interface` of the calling thread's network namespace: call it inside `Namespace::run`.
    pub fn open(interface: &str) -> Result<Self> {
        Self::open_for(interface, EVERY_PROTOCOL)
    }

    /// As [`PacketSocket::open`], for arriving frames of one Ethernet type: the others cost nothing, and there may be many.
    pub fn open_for(interface: &str, ether_type: u16) -> Result<Self> {
        let address = link_address(interface)?;
        let protocol = Protocol::from(i32::from(ether_type.to_be()));
        let socket = Socket::new(Domain::PACKET, Type::RAW, Some(protocol)).context("cannot open a packet socket")?;
        bind(socket.as_raw_fd(), &address).with_context(|| format!("cannot bind a packet socket to {interface}"))?;
        setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).context("cannot enlarge the receive buffer")?;
        setsockopt(&socket, sockopt::RxqOvfl, &1).context("cannot ask for the count of dropped frames")?;
        setsockopt(&socket, ReceiveTimestampns, &true).context("cannot ask for timestamps")?;
        socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).context("cannot set a receive timeout")?;
        Ok(Self { socket, interface: address })
    }

    /// As [`PacketSocket::open`], for the frames that a filter lets pass; at the beginning there may be others.
    pub fn open_filtered(interface: &str, filter: &PacketFilter) -> Result<Self> {
        let opened = Self::open(interface)?;
        opened.socket.attach_filter(&filter.program()).context("cannot attach a filter")?;
        Ok(opened)
    }

    /// The next frame; `None` if none came for a short while.
    pub fn receive(&self) -> Result<Option<Received>> {
        let mut bytes = vec![0; LARGEST_FRAME];
        let mut control = nix::cmsg_space!(nix::sys::time::TimeSpec, u32);
        let mut buffers = [IoSliceMut::new(&mut bytes)];
        let flags = MsgFlags::empty();
        let message = match recvmsg::<LinkAddr>(self.socket.as_raw_fd(), &mut buffers, Some(&mut control), flags) {
            Err(Errno::EAGAIN | Errno::EINTR | Errno::ENETDOWN) => return Ok(None),
            message => message.context("cannot receive a frame")?,
        };
        let outgoing = message.address.is_some_and(|address| address.pkttype() == OUTGOING);
        let direction = if outgoing { Direction::Sent } else { Direction::Received };
        let (mut at, mut dropped) = (Instant::now(), 0);
        for part in message.cmsgs().context("a frame came with truncated ancillary data")? {
            match part {
                ControlMessageOwned::ScmTimestampns(stamp) => at = on_monotonic_clock(stamp.into()),
                ControlMessageOwned::RxqOvfl(count) => dropped = count,
                _ => {}
            }
        }
        let length = message.bytes;
        bytes.truncate(length);
        Ok(Some(Received { frame: Frame { at, direction, bytes }, dropped }))
    }

    /// Sends a whole frame, Ethernet header included.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        sendto(self.socket.as_raw_fd(), frame, &self.interface, MsgFlags::empty())
            .map(drop)
            .context("cannot send a frame")
    }
}

fn link_address(interface: &str) -> Result<LinkAddr> {
    getifaddrs()
        .context("cannot list interfaces")?
        .filter(|entry| entry.interface_name == interface)
        .find_map(|entry| entry.address?.as_link_addr().copied())
        .ok_or_else(|| anyhow!("there is no interface {interface}"))
}

/// The kernel stamps frames by the wall clock; what counts is how long ago that was.
fn on_monotonic_clock(stamp: Duration) -> Instant {
    let age = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().saturating_sub(stamp);
    let now = Instant::now();
    now.checked_sub(age).unwrap_or(now)
}
