//! Writing messages of `nf_tables` (`linux/netfilter/nfnetlink.h`, `nf_tables.h`). Pure.
//!
//! Messages go to the kernel as one batch: all of it takes effect at once, or nothing does.
//!
//! ```text
//! begin of batch
//! +----------+-----------+----------------------------------+
//! | nlmsghdr | nfgenmsg  | attributes                       |
//! | 16 bytes | 4 bytes   | each: length, kind, value, padding |
//! +----------+-----------+----------------------------------+
//! ...
//! end of batch
//! ```
//!
//! Numbers within attributes are in network byte order, unlike everywhere else in netlink.

use netlink_packet_core::{NLM_F_CREATE, NLM_F_REQUEST};

/// `NFNL_SUBSYS_NFTABLES`.
pub(super) const SUBSYSTEM: u16 = 10;
/// `NFPROTO_NETDEV`: what is attached to a device.
const FAMILY: u8 = 5;

const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const HEADER_LENGTH: usize = 20;
/// Where in a message its sequence number is.
const SEQUENCE: std::ops::Range<usize> = 8..12;
const NESTED: u16 = 0x8000;

/// What a message does. The numbers are those of `nf_tables_msg_types`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u16)]
pub(super) enum Kind {
    NewTable = 0,
    DeleteTable = 2,
    NewChain = 3,
    DeleteChain = 5,
    NewRule = 6,
    GetRules = 7,
    DeleteRule = 8,
    NewSet = 9,
    DeleteSet = 11,
    NewElements = 12,
    GetElements = 13,
    DeleteElements = 14,
    NewObject = 18,
    GetObject = 19,
    DeleteObject = 20,
}

impl Kind {
    /// The type of the message.
    pub(super) const fn message_type(self) -> u16 {
        (SUBSYSTEM << 8) | self as u16
    }

    const fn creates(self) -> bool {
        matches!(
            self,
            Self::NewTable | Self::NewChain | Self::NewRule | Self::NewSet | Self::NewElements | Self::NewObject
        )
    }
}

/// A batch in the making.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    messages: usize,
}

impl Batch {
    pub(super) fn new() -> Self {
        let mut batch = Self { bytes: Vec::new(), messages: 0 };
        batch.frame(BATCH_BEGIN);
        batch
    }

    /// Appends a message.
    pub(super) fn push(&mut self, kind: Kind, write: impl FnOnce(&mut Attributes<'_>)) {
        let flags = if kind.creates() { NLM_F_REQUEST | NLM_F_CREATE | NLM_F_APPEND } else { NLM_F_REQUEST };
        message(&mut self.bytes, kind.message_type(), flags, (FAMILY, 0), write);
        self.messages += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.messages == 0
    }

    /// What is to be sent. Answers have the same sequence number.
    pub(super) fn finish(mut self, sequence: u32) -> Vec<u8> {
        self.frame(BATCH_END);
        number(&mut self.bytes, sequence);
        self.bytes
    }

    fn frame(&mut self, kind: u16) {
        message(&mut self.bytes, kind, NLM_F_REQUEST, (0, SUBSYSTEM), |_| {});
    }
}

/// A request for everything of a kind, outside any batch.
pub(super) fn dump(kind: Kind, write: impl FnOnce(&mut Attributes<'_>)) -> Vec<u8> {
    let mut bytes = Vec::new();
    message(&mut bytes, kind.message_type(), NLM_F_REQUEST | netlink_packet_core::NLM_F_DUMP, (FAMILY, 0), write);
    bytes
}

/// Gives all of these messages the same sequence number: an answer to an earlier request is told by it.
pub(super) fn number(mut messages: &mut [u8], sequence: u32) {
    while let Some((length, field)) = messages.first_chunk().copied().zip(messages.get_mut(SEQUENCE)) {
        field.copy_from_slice(&sequence.to_ne_bytes());
        let length = usize::try_from(u32::from_ne_bytes(length)).unwrap_or(usize::MAX);
        messages = std::mem::take(&mut messages).get_mut(length.max(HEADER_LENGTH)..).unwrap_or_default();
    }
}

/// `NLM_F_APPEND`: rules keep the order in which they are written.
const NLM_F_APPEND: u16 = 0x800;

fn message(
    bytes: &mut Vec<u8>,
    message_type: u16,
    flags: u16,
    (family, resource): (u8, u16),
    write: impl FnOnce(&mut Attributes<'_>),
) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    bytes.extend_from_slice(&message_type.to_ne_bytes());
    bytes.extend_from_slice(&flags.to_ne_bytes());
    // The sequence number comes later, the port from the kernel.
    bytes.extend_from_slice(&[0; 8]);
    bytes.extend_from_slice(&[family, 0]);
    bytes.extend_from_slice(&resource.to_be_bytes());
    debug_assert_eq!(bytes.len(), start + HEADER_LENGTH);
    write(&mut Attributes { bytes });
    let length = u32::try_from(bytes.len() - start).unwrap_or(u32::MAX);
    if let Some(field) = bytes.get_mut(start..start + 4) {
        field.copy_from_slice(&length.to_ne_bytes());
    }
}

/// Appends attributes to a message.
pub(super) struct Attributes<'a> {
    bytes: &'a mut Vec<u8>,
}

impl Attributes<'_> {
    pub(super) fn bytes(&mut self, kind: u16, value: &[u8]) {
        self.attribute(kind, |bytes| bytes.extend_from_slice(value));
    }

    /// A name, which the kernel wants with a zero at its end.
    pub(super) fn text(&mut self, kind: u16, value: &str) {
        self.attribute(kind, |bytes| {
            bytes.extend_from_slice(value.as_bytes());
            bytes.push(0);
        });
    }

    pub(super) fn number(&mut self, kind: u16, value: u32) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(super) fn long_number(&mut self, kind: u16, value: u64) {
        self.bytes(kind, &value.to_be_bytes());
    }

    pub(super) fn nested(&mut self, kind: u16, write: impl FnOnce(&mut Attributes<'_>)) {
        self.attribute(kind | NESTED, |bytes| write(&mut Attributes { bytes }));
    }

    fn attribute(&mut self, kind: u16, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 2]);
        self.bytes.extend_from_slice(&kind.to_ne_bytes());
        write(self.bytes);
        let length = u16::try_from(self.bytes.len() - start).unwrap_or(u16::MAX);
        if let Some(field) = self.bytes.get_mut(start..start + 2) {
            field.copy_from_slice(&length.to_ne_bytes());
        }
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_padded_and_nested_ones_count_what_is_in_them() {
        let mut bytes = Vec::new();
        let mut attributes = Attributes { bytes: &mut bytes };
        attributes.nested(3, |inner| {
            inner.text(1, "ab");
            inner.number(2, 5);
        });
        let head = |length: u16, kind: u16| [length.to_ne_bytes(), kind.to_ne_bytes()].concat();
        let expected = [head(20, 3 | NESTED), head(7, 1), b"ab\0\0".to_vec(), head(8, 2), vec![0, 0, 0, 5]].concat();
        assert_eq!(bytes, expected);
    }

    #[test]
    fn a_batch_begins_and_ends_with_its_marks() {
        let mut batch = Batch::new();
        assert!(batch.is_empty());
        batch.push(Kind::NewTable, |table| table.text(1, "t"));
        let bytes = batch.finish(7);
        assert_eq!(bytes.len(), 20 + (20 + 8) + 20);
        for message in [0, 20, 48] {
            assert_eq!(bytes.get(message + 8..message + 12), Some(7_u32.to_ne_bytes().as_slice()));
        }
        assert_eq!(bytes.get(4..6), Some(BATCH_BEGIN.to_ne_bytes().as_slice()));
        assert_eq!(bytes.get(52..54), Some(BATCH_END.to_ne_bytes().as_slice()));
    }
}
