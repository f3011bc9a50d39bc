//! An IP packet, as a packet socket delivers it, becomes an advert.

use std::hint::black_box;

use holdfast_vrrp::Family;
use holdfast_vrrp::wire::{Advert, Datagram, ReceivePolicy};

use super::Operation;
use super::router::{Kind, interval};

pub(crate) fn operation(kind: &'static Kind) -> Operation {
    let packet = kind.packet_of_master();
    let policy = ReceivePolicy::multicast(kind.protocol(), kind.family, interval());
    let decode = move || {
        let datagram = datagram(kind, black_box(&packet));
        let advert = Advert::parse(&datagram, black_box(&policy)).unwrap();
        black_box(advert).address_count()
    };
    assert!(decode() > 0);
    Box::new(decode)
}

/// What the packet carries.
pub(crate) fn datagram<'a>(kind: &Kind, packet: &'a [u8]) -> Datagram<'a> {
    let parsed = match kind.family {
        Family::Ipv4 => Datagram::parse_ipv4(packet),
        Family::Ipv6 => Datagram::parse_ipv6(packet),
    };
    parsed.unwrap().1
}
