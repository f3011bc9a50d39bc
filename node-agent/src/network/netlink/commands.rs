//! Adding, renewing and removing addresses, many in one system call; and reading all links and addresses.

use std::io;
use std::net::IpAddr;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::errno::Errno;
use nix::libc;

use super::message::{Content, Dump, Lifetime, replies, write_dump, write_request};
use crate::network::interfaces::{NetworkChange, Placement};
use crate::network::packet_socket::enlarge_receive_buffer;

/// How many requests go into one system call: their answers must fit into the receive buffer.
const REQUESTS_AT_ONCE: usize = 256;

const RECEIVE_BUFFER: usize = 4 << 20;

/// The kernel writes dumps in pieces of at most 32 KiB.
const REPLY_LENGTH: usize = 64 << 10;

/// How often a dump is tried again because something changed meanwhile.
const DUMP_ATTEMPTS: usize = 8;

/// Something to do with an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AddressRequest {
    /// Put it there; fails with `EEXIST` if it is there.
    Add(Placement),
    /// Put it there, or take it over if it is there.
    Restore(Placement),
    /// Let its lifetime begin anew. Puts it there if it is not: the kernel cannot be told otherwise.
    Renew(Placement),
    /// Take it away.
    Remove(Placement),
}

/// What the kernel answered.
pub type Outcome = Result<(), Errno>;

/// A netlink socket for requests.
pub struct AddressCommands {
    socket: Socket,
    port: u32,
    sequence: u32,
    requests: Vec<u8>,
    reply: Vec<u8>,
}

impl AddressCommands {
    /// Opens the socket.
    pub fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        enlarge_receive_buffer(&socket, RECEIVE_BUFFER)?;
        // Answers without a copy of the request (Linux 4.3); where it is refused they are just longer.
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket, port, sequence: 0, requests: Vec::new(), reply: vec![0; REPLY_LENGTH] })
    }

    /// The netlink port, by which the monitor knows our requests.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Carries out all requests in order and appends one outcome for each.
    ///
    /// The kernel works while the call lasts; a request whose answer got lost counts as `ENOBUFS`.
    pub fn execute(
        &mut self,
        requests: &[AddressRequest],
        lifetime: impl Fn(&Placement) -> Lifetime,
        outcomes: &mut Vec<Outcome>,
    ) {
        for chunk in requests.chunks(REQUESTS_AT_ONCE) {
            let first = outcomes.len();
            let first_sequence = self.send(chunk, &lifetime, outcomes);
            if let Some(pending) = outcomes.get_mut(first..) {
                self.collect(first_sequence, pending);
            }
        }
    }

    /// Sends renewals without waiting for answers; returns the error numbers of the refused ones.
    pub fn renew(
        &mut self,
        placements: &[Placement],
        lifetime: impl Fn(&Placement) -> Lifetime,
        refused: &mut Vec<Errno>,
    ) {
        self.requests.clear();
        for placement in placements {
            self.sequence = self.sequence.wrapping_add(1);
            let request = AddressRequest::Renew(*placement);
            write_request(&mut self.requests, self.sequence, &request, lifetime(placement));
        }
        if let Err(error) = self.socket.send(&self.requests, 0) {
            refused.extend(placements.iter().map(|_| errno(&error)));
        }
        while let Some(length) = self.receive() {
            let Some(datagram) = self.reply.get(..length) else { continue };
            refused.extend(replies(datagram).filter_map(|reply| match reply.content {
                Content::Answer(Err(code)) => Some(Errno::from_raw(code)),
                _ => None,
            }));
        }
    }

    /// Sends the chunk, and appends for each request what is to be assumed if no answer comes.
    fn send(
        &mut self,
        chunk: &[AddressRequest],
        lifetime: impl Fn(&Placement) -> Lifetime,
        outcomes: &mut Vec<Outcome>,
    ) -> u32 {
        self.requests.clear();
        let first = self.sequence.wrapping_add(1);
        for request in chunk {
            self.sequence = self.sequence.wrapping_add(1);
            write_request(&mut self.requests, self.sequence, request, lifetime(&request.placement()));
        }
        let unanswered = match self.socket.send(&self.requests, 0) {
            Ok(_) => Errno::ENOBUFS,
            Err(error) => errno(&error),
        };
        outcomes.extend(chunk.iter().map(|_| Err(unanswered)));
        first
    }

    /// The answers are there when the send returns, so an empty socket means that no more will come.
    fn collect(&mut self, first_sequence: u32, outcomes: &mut [Outcome]) {
        let mut missing = outcomes.len();
        while missing > 0 {
            let Some(length) = self.receive() else { return };
            let Some(datagram) = self.reply.get(..length) else { return };
            for reply in replies(datagram) {
                let Content::Answer(answer) = reply.content else { continue };
                let place = reply.sequence.wrapping_sub(first_sequence);
                let Some(outcome) = usize::try_from(place).ok().and_then(|place| outcomes.get_mut(place)) else {
                    continue;
                };
                *outcome = answer.map_err(Errno::from_raw);
                missing = missing.saturating_sub(1);
            }
        }
    }

    fn receive(&mut self) -> Option<usize> {
        loop {
            match self.socket.recv(&mut self.reply.as_mut_slice(), libc::MSG_DONTWAIT) {
                Ok(length) => return Some(length),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
    }

    /// Everything that is there: links first, then addresses.
    pub fn dump(&mut self) -> io::Result<Vec<NetworkChange>> {
        let mut changes = self.dump_consistently(Dump::Links)?;
        changes.extend(self.dump_consistently(Dump::Addresses)?);
        Ok(changes)
    }

    fn dump_consistently(&mut self, what: Dump) -> io::Result<Vec<NetworkChange>> {
        for _ in 0..DUMP_ATTEMPTS {
            if let Some(changes) = self.dump_once(what)? {
                return Ok(changes);
            }
        }
        Err(io::Error::other("the network changed faster than it could be read"))
    }

    /// `None` if something changed during the dump.
    fn dump_once(&mut self, what: Dump) -> io::Result<Option<Vec<NetworkChange>>> {
        self.requests.clear();
        self.sequence = self.sequence.wrapping_add(1);
        write_dump(&mut self.requests, self.sequence, what);
        self.socket.send(&self.requests, 0)?;
        let (mut changes, mut consistent) = (Vec::new(), true);
        loop {
            let length = self.socket.recv(&mut self.reply.as_mut_slice(), 0)?;
            let Some(datagram) = self.reply.get(..length) else { continue };
            for reply in replies(datagram).filter(|reply| reply.sequence == self.sequence) {
                consistent &= !reply.interrupted;
                match reply.content {
                    Content::Change(change) => changes.push(change),
                    Content::Done => return Ok(consistent.then_some(changes)),
                    Content::Answer(Err(code)) => return Err(io::Error::from_raw_os_error(code)),
                    Content::Answer(Ok(())) | Content::Other => {}
                }
            }
        }
    }
}

impl AddressRequest {
    /// The address and where it is.
    pub const fn placement(&self) -> Placement {
        let (Self::Add(placement) | Self::Restore(placement) | Self::Renew(placement) | Self::Remove(placement)) = self;
        *placement
    }

    /// The address.
    pub const fn address(&self) -> IpAddr {
        self.placement().address
    }
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
