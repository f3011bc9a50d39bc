//! An advert of a group is written into a buffer that is there already.

use std::hint::black_box;

use holdfast_vrrp::wire::AdvertRepr;
use holdfast_vrrp::{Claim, Priority};

use super::Operation;
use super::router::{Kind, MEMBER};

pub(crate) fn operation(kind: &'static Kind) -> Operation {
    let group = kind.master();
    let claim = Claim::Master(Priority::new(100).unwrap());
    let mut buffer = vec![0; AdvertRepr::MAX_LENGTH];
    let mut encode = move || {
        let (source, destination) = (black_box(kind.own_address()), black_box(kind.destination()));
        let length = group.encode(MEMBER, black_box(claim), source, destination, &mut buffer).unwrap();
        black_box(&buffer);
        length
    };
    assert!(encode() > 0);
    Box::new(encode)
}
