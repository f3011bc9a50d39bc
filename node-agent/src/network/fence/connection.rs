//! Talking to `nf_tables`: one batch, one answer.

use std::collections::HashMap;
use std::io;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use super::message::{Batch, Kind};
use crate::network::packet_socket::enlarge_receive_buffer;

const HEADER_LENGTH: usize = 16;
const GENERIC_LENGTH: usize = 4;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REPLY_LENGTH: usize = 64 << 10;
const RECEIVE_BUFFER: usize = 1 << 20;
/// A batch is one message: that of the whole table with ten thousand addresses takes some megabytes.
const SEND_BUFFER: usize = 16 << 20;
/// A watch hears of our own changes, too: those of thousands of addresses must not look as if something had been missed, which
/// would be mended by another such change.
const WATCH_BUFFER: usize = 8 << 20;

/// The group that is told of every change.
const GROUP_NFTABLES: u32 = 7;

const OBJECT_NAME: u16 = 2;
const OBJECT_DATA: u16 = 4;
const COUNTER_PACKETS: u16 = 2;
const SET_ELEMENTS: u16 = 3;
const ELEMENT_KEY: u16 = 1;
const DATA_VALUE: u16 = 1;
/// The first attribute of all that is told of: the name of the table.
const TABLE: u16 = 1;
const KIND_MASK: u16 = 0x3fff;

/// A socket for orders.
pub(super) struct Connection {
    socket: Socket,
    port: u32,
    reply: Vec<u8>,
}

impl Connection {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        enlarge_receive_buffer(&socket, RECEIVE_BUFFER)?;
        setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER)?;
        // Answers without a copy of the batch.
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket, port, reply: vec![0; REPLY_LENGTH] })
    }

    /// By which a [`Watch`] knows our own changes.
    pub(super) const fn port(&self) -> u32 {
        self.port
    }

    /// Carries out all of a batch, or nothing and says what the first obstacle was.
    pub(super) fn commit(&mut self, batch: Batch) -> Result<(), Errno> {
        if batch.is_empty() {
            return Ok(());
        }
        self.socket.send(&batch.finish(), 0).map_err(|error| errno(&error))?;
        // The kernel has worked while the call lasted. Only what fails is answered.
        let mut first = Ok(());
        while let Some(length) = self.receive(libc::MSG_DONTWAIT)? {
            let refused = messages(self.reply.get(..length).unwrap_or_default()).find_map(|message| message.error());
            first = first.and(refused.map_or(Ok(()), Err));
        }
        first
    }

    /// Reads all counters, by name.
    pub(super) fn counters(&mut self, request: &[u8]) -> Result<HashMap<String, u64>, Errno> {
        let mut counters = HashMap::new();
        self.dump(request, |payload| counters.extend(counter(payload)))?;
        Ok(counters)
    }

    /// Reads the keys of a set.
    pub(super) fn keys(&mut self, request: &[u8]) -> Result<Vec<Vec<u8>>, Errno> {
        let mut found = Vec::new();
        self.dump(request, |payload| found.extend(keys(payload)))?;
        Ok(found)
    }

    fn dump(&mut self, request: &[u8], mut take: impl FnMut(&[u8])) -> Result<(), Errno> {
        self.socket.send(request, 0).map_err(|error| errno(&error))?;
        while let Some(length) = self.receive(0)? {
            for message in messages(self.reply.get(..length).unwrap_or_default()) {
                if let Some(error) = message.error() {
                    return Err(error);
                }
                if message.kind == NLMSG_DONE {
                    return Ok(());
                }
                take(message.payload);
            }
        }
        Ok(())
    }

    fn receive(&mut self, flags: libc::c_int) -> Result<Option<usize>, Errno> {
        loop {
            match self.socket.recv(&mut self.reply.as_mut_slice(), flags).map_err(|error| errno(&error)) {
                Ok(length) => return Ok(Some(length)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
    }
}

/// Hears of what others do to the table.
pub(super) struct Watch {
    socket: Socket,
    own_port: u32,
    reply: Vec<u8>,
}

impl Watch {
    pub(super) fn open(own_port: u32) -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.add_membership(GROUP_NFTABLES)?;
        socket.set_non_blocking(true)?;
        enlarge_receive_buffer(&socket, WATCH_BUFFER)?;
        Ok(Self { socket, own_port, reply: vec![0; REPLY_LENGTH] })
    }

    /// Whether somebody else has taken something of the table away since the last call; true also if that is not known.
    pub(super) fn was_damaged(&mut self, table: &str) -> bool {
        let mut damaged = false;
        loop {
            match self.socket.recv(&mut self.reply.as_mut_slice(), 0).map_err(|error| errno(&error)) {
                Ok(length) => {
                    let mut messages = messages(self.reply.get(..length).unwrap_or_default());
                    damaged |= messages.any(|message| message.port != self.own_port && message.takes_from(table));
                }
                Err(Errno::EINTR) => {}
                Err(Errno::ENOBUFS) => damaged = true,
                Err(_) => return damaged,
            }
        }
    }
}

impl std::os::fd::AsFd for Watch {
    fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// What deletes without an error where there is nothing (Linux 6.3): a table, chain, rule, set or element.
const DESTROY: std::ops::RangeInclusive<u16> = 26..=30;

struct Message<'a> {
    kind: u16,
    port: u32,
    payload: &'a [u8],
}

impl Message<'_> {
    fn error(&self) -> Option<Errno> {
        let code = field(self.payload, 0).map(i32::from_ne_bytes).filter(|_| self.kind == NLMSG_ERROR)?;
        (code != 0).then(|| Errno::from_raw(code.saturating_neg()))
    }

    fn takes_from(&self, table: &str) -> bool {
        let kinds = [Kind::DeleteTable, Kind::DeleteChain, Kind::DeleteRule, Kind::DeleteSet, Kind::DeleteElements];
        let named = || attributes(self.payload.get(GENERIC_LENGTH..)?).find(|(kind, _)| *kind == TABLE);
        let deletes = kinds.iter().any(|kind| kind.message_type() == self.kind);
        let destroys = DESTROY.contains(&self.kind.wrapping_sub(Kind::NewTable.message_type()));
        (deletes || destroys) && named().is_some_and(|(_, name)| text(name) == Some(table))
    }
}

fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(field(datagram, 0)?)).ok()?;
        let kind = u16::from_ne_bytes(field(datagram, 4)?);
        let port = u32::from_ne_bytes(field(datagram, 12)?);
        let payload = datagram.get(HEADER_LENGTH..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, port, payload })
    })
}

fn attributes(mut bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    std::iter::from_fn(move || {
        let length = usize::from(u16::from_ne_bytes(field(bytes, 0)?));
        let kind = u16::from_ne_bytes(field(bytes, 2)?) & KIND_MASK;
        let value = bytes.get(4..length)?;
        bytes = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    })
}

fn counter(payload: &[u8]) -> Option<(String, u64)> {
    let attributes = payload.get(GENERIC_LENGTH..)?;
    let name = text(find(attributes, OBJECT_NAME)?)?.to_owned();
    let packets = find(find(attributes, OBJECT_DATA)?, COUNTER_PACKETS)?;
    Some((name, u64::from_be_bytes(field(packets, 0)?)))
}

fn keys(payload: &[u8]) -> Vec<Vec<u8>> {
    let elements = payload.get(GENERIC_LENGTH..).and_then(|set| find(set, SET_ELEMENTS)).unwrap_or_default();
    let key = |(_, element)| find(find(element, ELEMENT_KEY)?, DATA_VALUE).map(<[u8]>::to_vec);
    attributes(elements).filter_map(key).collect()
}

fn find(bytes: &[u8], wanted: u16) -> Option<&[u8]> {
    attributes(bytes).find(|(kind, _)| *kind == wanted).map(|(_, value)| value)
}

fn text(bytes: &[u8]) -> Option<&str> {
    str::from_utf8(bytes.split(|byte| *byte == 0).next()?).ok()
}

fn field<const N: usize>(bytes: &[u8], offset: usize) -> Option<[u8; N]> {
    bytes.get(offset..)?.first_chunk().copied()
}

fn errno(error: &io::Error) -> Errno {
    error.raw_os_error().map_or(Errno::EIO, Errno::from_raw)
}
