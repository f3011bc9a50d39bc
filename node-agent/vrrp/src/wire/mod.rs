//! Bytes on the wire: VRRP advertisements, ARP and neighbour discovery, and the IP headers around them.
//!
//! Two kinds of types, and nothing in between: *checked views* borrow received bytes and exist only if every check has
//! passed ([`Datagram`], [`Advert`], [`ArpPacket`], [`NeighborAdvertisement`]); *values to send* write themselves
//! ([`AdvertRepr`]) or are functions that return a whole frame ([`arp`], [`neighbor`]). Neither side allocates, and no
//! input makes either panic. What an advert means for the election is not decided here.

pub mod advert;
pub mod arp;
mod checksum;
mod ip;
mod mac;
pub mod neighbor;
mod receive_counters;

pub use advert::{Addresses, Advert, AdvertRepr, EmitError, ReceiveError, ReceivePolicy};
pub use arp::{ArpError, ArpOperation, ArpPacket};
pub use checksum::Checksum;
pub use ip::{Datagram, IpError, IpProtocol};
pub use mac::MacAddress;
pub use neighbor::{NeighborAdvertisement, NeighborError};
pub use receive_counters::{ReceiveCheck, ReceiveCounters};

/// Joins the parts of a frame whose length is known. The parts must add up to `N` bytes.
fn concat<const N: usize>(parts: &[&[u8]]) -> [u8; N] {
    debug_assert_eq!(parts.iter().map(|part| part.len()).sum::<usize>(), N, "the parts do not fill the frame");
    let mut frame = [0; N];
    for (slot, byte) in frame.iter_mut().zip(parts.iter().copied().flatten()) {
        *slot = *byte;
    }
    frame
}
