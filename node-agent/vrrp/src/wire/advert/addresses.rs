//! The address list of a received advert, read in place.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::types::Family;

/// Iterates over the addresses of an advert without copying the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses<'a> {
    list: List<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum List<'a> {
    Ipv4(&'a [[u8; 4]]),
    Ipv6(&'a [[u8; 16]]),
}

impl<'a> Addresses<'a> {
    /// The addresses in these bytes; a remainder shorter than an address is left out.
    pub(super) fn new(family: Family, bytes: &'a [u8]) -> Self {
        let list = match family {
            Family::Ipv4 => List::Ipv4(bytes.as_chunks().0),
            Family::Ipv6 => List::Ipv6(bytes.as_chunks().0),
        };
        Self { list }
    }
}

impl Iterator for Addresses<'_> {
    type Item = IpAddr;

    fn next(&mut self) -> Option<IpAddr> {
        match &mut self.list {
            List::Ipv4(list) => list.split_off_first().map(|octets| Ipv4Addr::from(*octets).into()),
            List::Ipv6(list) => list.split_off_first().map(|octets| Ipv6Addr::from(*octets).into()),
        }
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let count = match self.list {
            List::Ipv4(list) => list.len(),
            List::Ipv6(list) => list.len(),
        };
        (count, Some(count))
    }
}

impl ExactSizeIterator for Addresses<'_> {}
