//! Bodies of the fuzz targets, as plain functions over bytes: a fuzzer feeds them new input, the test suite replays the
//! committed corpus. A body panics if a rule is broken; whether the input is valid is of no interest.
//!
//! The fuzzer and its corpus live in the folder `fuzz` beside `src`.

mod advert;
mod neighbors;
mod repair;
mod roundtrip;
mod scenario;

pub use advert::{decode_v2, decode_v3};
pub use neighbors::decode_arp_nd;
pub use roundtrip::roundtrip;
pub use scenario::scenario;

use crate::wire::{Datagram, IpError, IpProtocol};

/// A fuzz target: one input in, a panic if a rule is broken.
pub type Target = fn(&[u8]);

/// Every target, under the name of its binary and of its corpus folder.
pub const TARGETS: [(&str, Target); 5] = [
    ("decode_v2", decode_v2),
    ("decode_v3", decode_v3),
    ("decode_arp_nd", decode_arp_nd),
    ("roundtrip", roundtrip),
    ("scenario", scenario),
];

/// Reads a packet of the family that its first byte names.
fn parse_packet(packet: &[u8]) -> Result<(IpProtocol, Datagram<'_>), IpError> {
    match packet.first() {
        Some(first) if first >> 4 == 6 => Datagram::parse_ipv6(packet),
        _ => Datagram::parse_ipv4(packet),
    }
}
