//! ICMP and `ICMPv6` echoes that carry the number of the probe.
//!
//! ```text
//!  0      1      2          4            6          8        16          24
//! +------+------+----------+------------+----------+--------+-----------+
//! | type | code | checksum | identifier | sequence | magic  | number    |
//! +------+------+----------+------------+----------+--------+-----------+
//! ```

use std::net::IpAddr;
use std::sync::atomic::{AtomicU16, Ordering};

use super::checksum;
use super::frame::{Frame, ICMP, ICMPV6};

const MAGIC: [u8; 8] = *b"holdfast";

/// Which prober an echo belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identifier(u16);

impl Identifier {
    /// One that no other prober of this process has.
    pub fn unique() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

/// An echo request for `target`. The kernel overwrites the checksum of `ICMPv6`, which covers the addresses.
pub fn request(target: IpAddr, identifier: Identifier, number: u64) -> Vec<u8> {
    let kind = if target.is_ipv4() { 8 } else { 128 };
    let [.., s1, s2] = number.to_be_bytes();
    let [i1, i2] = identifier.0.to_be_bytes();
    let with_checksum = |[c1, c2]: [u8; 2]| {
        let header = [kind, 0, c1, c2, i1, i2, s1, s2];
        [header, MAGIC, number.to_be_bytes()].concat()
    };
    with_checksum(checksum::internet(&with_checksum([0, 0])))
}

/// The number of the probe that `frame` answers, if it is an answer of `target` to the prober with this identifier.
pub fn answered(frame: &Frame, target: IpAddr, identifier: Identifier) -> Option<u64> {
    let packet = frame.packet().filter(|packet| packet.source == target)?;
    if !matches!((packet.protocol, packet.payload.first()), (ICMP, Some(0)) | (ICMPV6, Some(129))) {
        return None;
    }
    number(packet.payload, identifier)
}

/// As [`answered`], for an IPv4 packet of any source, as a raw socket delivers it.
pub fn number_of(packet: &[u8], identifier: Identifier) -> Option<u64> {
    let message = packet.get(usize::from(packet.first()? & 0x0f) * 4..)?;
    if message.first() != Some(&0) {
        return None;
    }
    number(message, identifier)
}

fn number(message: &[u8], identifier: Identifier) -> Option<u64> {
    let is_ours = message.get(4..6)? == identifier.0.to_be_bytes() && message.get(8..16)? == MAGIC;
    let number = message.get(16..)?.first_chunk().copied().map(u64::from_be_bytes);
    number.filter(|_| is_ours)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_echo_request_has_a_valid_checksum_and_its_number() {
        let bytes = request(IpAddr::from([10, 77, 0, 100]), Identifier(0x1234), 0x0102_0304_0506_0708);
        assert_eq!(checksum::internet(&bytes), [0, 0]);
        assert_eq!(bytes[..2], [8, 0]);
        assert_eq!(bytes[4..], *b"\x12\x34\x07\x08holdfast\x01\x02\x03\x04\x05\x06\x07\x08");
    }

    #[test]
    fn a_raw_packet_is_an_answer_only_if_it_is_one_of_ours() {
        let mut packet = [vec![0x45; 20], request(IpAddr::from([10, 77, 0, 100]), Identifier(7), 42)].concat();
        assert_eq!(number_of(&packet, Identifier(7)), None, "a request");
        packet[20] = 0;
        assert_eq!(number_of(&packet, Identifier(7)), Some(42));
        assert_eq!(number_of(&packet, Identifier(8)), None);
        assert_eq!(number_of(&packet[..30], Identifier(7)), None);
    }
}
