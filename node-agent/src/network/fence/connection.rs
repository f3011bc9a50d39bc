//! Talking to `nf_tables`: one batch, one answer.

use std::collections::HashMap;
use std::io;
use std::time::Duration;

use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_NETFILTER};
use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};
use nix::sys::time::TimeVal;

use super::message::{Batch, Kind, number};
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
/// The kernel answers while it is asked: what has not come by then was lost.
const ANSWER_WITHIN: Duration = Duration::from_secs(1);

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
    /// Of the last request.
    sequence: u32,
    reply: Vec<u8>,
}

impl Connection {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        let port = socket.bind_auto()?.port_number();
        socket.connect(&SocketAddr::new(0, 0))?;
        enlarge_receive_buffer(&socket, RECEIVE_BUFFER)?;
        setsockopt(&socket, sockopt::SndBufForce, &SEND_BUFFER)?;
        let seconds = i64::try_from(ANSWER_WITHIN.as_secs()).unwrap_or(i64::MAX);
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::new(seconds, 0))?;
        // Answers without a copy of the batch.
        let _ = socket.set_cap_ack(true);
        Ok(Self { socket, port, sequence: 0, reply: vec![0; REPLY_LENGTH] })
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
        let sequence = self.next_sequence();
        self.socket.send(&batch.finish(sequence), 0).map_err(|error| errno(&error))?;
        // The kernel has worked while the call lasted. Only what fails is answered.
        let mut first = Ok(());
        while let Some(length) = self.receive(libc::MSG_DONTWAIT)? {
            first = first.and(refusal(self.reply.get(..length).unwrap_or_default(), sequence));
        }
        first
    }

    /// Reads all counters, by name.
    pub(super) fn counters(&mut self, request: Vec<u8>) -> Result<HashMap<String, u64>, Errno> {
        let mut counters = HashMap::new();
        self.dump(request, |payload| counters.extend(counter(payload)))?;
        Ok(counters)
    }

    /// Reads the keys of a set.
    pub(super) fn keys(&mut self, request: Vec<u8>) -> Result<Vec<Vec<u8>>, Errno> {
        let mut found = Vec::new();
        self.dump(request, |payload| found.extend(keys(payload)))?;
        Ok(found)
    }

    /// How many of something there are.
    pub(super) fn count(&mut self, request: Vec<u8>) -> Result<usize, Errno> {
        let mut count = 0;
        self.dump(request, |_| count += 1)?;
        Ok(count)
    }

    fn dump(&mut self, mut request: Vec<u8>, mut take: impl FnMut(&[u8])) -> Result<(), Errno> {
        let sequence = self.next_sequence();
        number(&mut request, sequence);
        self.socket.send(&request, 0).map_err(|error| errno(&error))?;
        loop {
            let length = match self.receive(0) {
                Ok(Some(length)) => length,
                Ok(None) => return Err(Errno::ETIMEDOUT),
                // That was an earlier answer: the kernel goes on with this one only when there is room.
                Err(Errno::ENOBUFS) => continue,
                Err(error) => return Err(error),
            };
            for message in answers(self.reply.get(..length).unwrap_or_default(), sequence) {
                if let Some(error) = message.error() {
                    return Err(error);
                }
                if message.kind == NLMSG_DONE {
                    return Ok(());
                }
                take(message.payload);
            }
        }
    }

    fn next_sequence(&mut self) -> u32 {
        self.sequence = self.sequence.wrapping_add(1);
        self.sequence
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

    /// What others have done to the table since the last call, or since it was made anew, whichever was later.
    pub(super) fn look(&mut self, table: &str) -> Sight {
        let (mut sight, mut overrun) = (Sight::Whole, false);
        loop {
            match self.socket.recv(&mut self.reply.as_mut_slice(), 0).map_err(|error| errno(&error)) {
                Ok(length) => {
                    let messages = messages(self.reply.get(..length).unwrap_or_default());
                    sight = messages.fold(sight, |sight, message| sight.after(&message, self.own_port, table));
                }
                Err(Errno::EINTR) => {}
                // This is told before what came earlier, such as that the table was made anew.
                Err(Errno::ENOBUFS) => overrun = true,
                Err(_) if overrun && sight == Sight::Whole => return Sight::Unknown,
                Err(_) => return sight,
            }
        }
    }
}

/// What is known of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    /// Nobody else has taken anything away.
    Whole,
    /// Somebody else has.
    Damaged,
    /// Reports were lost: others on the node change tables of thousands of rules.
    Unknown,
}

impl Sight {
    fn after(self, message: &Message<'_>, own_port: u32, table: &str) -> Self {
        let is_own = message.port == own_port;
        if is_own && message.kind == Kind::NewTable.message_type() && message.is_about(table) {
            return Self::Whole;
        }
        if !is_own && message.takes_from(table) { Self::Damaged } else { self }
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
    sequence: u32,
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
        let deletes = kinds.iter().any(|kind| kind.message_type() == self.kind);
        let destroys = DESTROY.contains(&self.kind.wrapping_sub(Kind::NewTable.message_type()));
        (deletes || destroys) && self.is_about(table)
    }

    fn is_about(&self, table: &str) -> bool {
        let name = self.payload.get(GENERIC_LENGTH..).and_then(|attributes| find(attributes, TABLE));
        name.and_then(text) == Some(table)
    }
}

/// The first error in a datagram that is about this request, and not about an earlier one.
fn refusal(datagram: &[u8], sequence: u32) -> Result<(), Errno> {
    answers(datagram, sequence).find_map(|message| message.error()).map_or(Ok(()), Err)
}

fn answers(datagram: &[u8], sequence: u32) -> impl Iterator<Item = Message<'_>> {
    messages(datagram).filter(move |message| message.sequence == sequence)
}

fn messages(mut datagram: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = usize::try_from(u32::from_ne_bytes(field(datagram, 0)?)).ok()?;
        let kind = u16::from_ne_bytes(field(datagram, 4)?);
        let sequence = u32::from_ne_bytes(field(datagram, 8)?);
        let port = u32::from_ne_bytes(field(datagram, 12)?);
        let payload = datagram.get(HEADER_LENGTH..length)?;
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(Message { kind, sequence, port, payload })
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

#[cfg(test)]
mod tests {
    use super::*;

    const OWN_PORT: u32 = 7;

    fn message(kind: u16, sequence: u32, port: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER_LENGTH + payload.len()).expect("short");
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 2]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend(port.to_ne_bytes());
        bytes.extend(payload);
        bytes
    }

    fn refused(sequence: u32, error: Errno) -> Vec<u8> {
        message(NLMSG_ERROR, sequence, OWN_PORT, &(-(error as i32)).to_ne_bytes())
    }

    #[test]
    fn an_answer_to_an_earlier_request_is_no_answer_to_this_one() {
        let datagram = [refused(4, Errno::ENOENT), refused(5, Errno::EBUSY)].concat();
        assert_eq!(refusal(&datagram, 4), Err(Errno::ENOENT));
        assert_eq!(refusal(&datagram, 5), Err(Errno::EBUSY));
        assert_eq!(refusal(&datagram, 6), Ok(()));
        assert_eq!(refusal(&message(NLMSG_ERROR, 6, OWN_PORT, &[0; 4]), 6), Ok(()), "that was a confirmation");
    }

    /// What a watch sees after such reports: each a kind, who did it, and to which table.
    fn seen(reports: &[(Kind, u32, &str)]) -> Sight {
        let report = |(kind, port, table): &(Kind, u32, &str)| {
            let length = u16::try_from(4 + table.len() + 1).expect("short");
            let head = [0; GENERIC_LENGTH].into_iter().chain(length.to_ne_bytes()).chain(TABLE.to_ne_bytes());
            let mut payload: Vec<u8> = head.chain(table.bytes()).chain([0]).collect();
            payload.resize(payload.len().next_multiple_of(4), 0);
            message(kind.message_type(), 0, *port, &payload)
        };
        let datagram: Vec<u8> = reports.iter().flat_map(report).collect();
        messages(&datagram).fold(Sight::Whole, |sight, message| sight.after(&message, OWN_PORT, "fence"))
    }

    #[test]
    fn what_somebody_else_takes_away_is_damage_until_the_table_is_made_anew() {
        let flush = (Kind::DeleteTable, 99, "fence");
        let own = [(Kind::DeleteTable, OWN_PORT, "fence"), (Kind::NewTable, OWN_PORT, "fence")];
        let [own_deletion, own_creation] = own;
        assert_eq!(seen(&own), Sight::Whole);
        assert_eq!(seen(&[flush]), Sight::Damaged);
        assert_eq!(seen(&[(Kind::DeleteElements, 99, "fence")]), Sight::Damaged);
        assert_eq!(seen(&[(Kind::DeleteTable, 99, "other")]), Sight::Whole);
        assert_eq!(seen(&[flush, own_deletion, own_creation]), Sight::Whole, "it is mended already");
        assert_eq!(seen(&[own_deletion, own_creation, flush]), Sight::Damaged);
        assert_eq!(seen(&[flush, (Kind::NewTable, OWN_PORT, "fence-trial")]), Sight::Damaged);
    }
}
