//! The Internet checksum (RFC 1071) and the pseudo-headers that it may cover. Arithmetic only.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A running one's complement sum over 16-bit words (RFC 1071 section 1).
///
/// Over bytes whose checksum field is zero, [`Checksum::value`] is what belongs into the field; over bytes with the
/// field filled in, [`Checksum::is_valid`] tells whether it was right.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// The sum of the pseudo-header of either family, or `None` if the addresses are of different families.
    pub fn pseudo_header(source: IpAddr, destination: IpAddr, protocol: u8, length: usize) -> Option<Self> {
        match (source, destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                Some(Self::pseudo_header_ipv4(source, destination, protocol, length))
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                Some(Self::pseudo_header_ipv6(source, destination, protocol, length))
            }
            _ => None,
        }
    }

    /// The sum of an IPv4 pseudo-header; `length` counts the bytes after the IP header (RFC 9293 section 3.1).
    ///
    /// ```text
    /// +--------+--------+--------+--------+
    /// |          source address           |
    /// +--------+--------+--------+--------+
    /// |        destination address        |
    /// +--------+--------+--------+--------+
    /// |  zero  |protocol|     length      |
    /// +--------+--------+--------+--------+
    /// ```
    pub fn pseudo_header_ipv4(source: Ipv4Addr, destination: Ipv4Addr, protocol: u8, length: usize) -> Self {
        Self::default().with(&source.octets()).with(&destination.octets()).with_number(protocol, length)
    }

    /// The sum of an IPv6 pseudo-header; `length` counts the bytes after the IP header (RFC 8200 section 8.1).
    ///
    /// ```text
    /// +--------+--------+--------+--------+
    /// |     source address (16 bytes)     |
    /// +--------+--------+--------+--------+
    /// |  destination address (16 bytes)   |
    /// +--------+--------+--------+--------+
    /// |              length               |
    /// +--------+--------+--------+--------+
    /// |           zero           |protocol|
    /// +--------+--------+--------+--------+
    /// ```
    pub fn pseudo_header_ipv6(source: Ipv6Addr, destination: Ipv6Addr, protocol: u8, length: usize) -> Self {
        Self::default().with(&source.octets()).with(&destination.octets()).with_number(protocol, length)
    }

    /// Adds bytes. An odd last byte counts as the upper half of a word, so only the last part may be of odd length.
    #[must_use]
    pub fn with(self, bytes: &[u8]) -> Self {
        let (words, odd) = bytes.as_chunks::<2>();
        let sum: u64 = words.iter().map(|word| u64::from(u16::from_be_bytes(*word))).sum();
        let last: u64 = odd.iter().map(|byte| u64::from(*byte) << 8).sum();
        Self(self.0 + sum + last)
    }

    /// The end of both pseudo-headers: in one's complement, where the words stand does not matter.
    fn with_number(self, protocol: u8, length: usize) -> Self {
        // The longest payload of an IP packet without extensions has 65535 bytes; longer input is cut in the sum only.
        let length = u32::try_from(length).unwrap_or(u32::MAX);
        self.with(&length.to_be_bytes()).with(&[0, protocol])
    }

    /// The checksum of what was added: the complement of the sum.
    pub fn value(self) -> u16 {
        !self.fold()
    }

    /// Whether what was added, checksum field included, is intact.
    pub fn is_valid(self) -> bool {
        self.fold() == 0xffff
    }

    fn fold(self) -> u16 {
        let mut sum = self.0;
        while sum > 0xffff {
            sum = (sum >> 16) + (sum & 0xffff);
        }
        u16::try_from(sum).unwrap_or(u16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_of_rfc_1071_section_3_has_its_sum() {
        let bytes = [0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7];

        assert_eq!(Checksum::default().with(&bytes).value(), !0xddf2);
    }

    #[test]
    fn an_odd_last_byte_is_the_upper_half_of_a_word() {
        assert_eq!(Checksum::default().with(&[1]), Checksum::default().with(&[1, 0]));
    }

    #[test]
    fn carries_come_round_more_than_once() {
        // 0xffff + 0xffff = 0x1fffe, which folds to 0xffff.
        assert!(Checksum::default().with(&[0xff; 4]).is_valid());
        assert!(Checksum::default().with(&vec![0xff; 65534]).is_valid());
    }

    #[test]
    fn a_pseudo_header_of_two_families_does_not_exist() {
        let (ipv4, ipv6) = (IpAddr::from([10, 77, 0, 1]), IpAddr::from([0u16; 8]));

        assert_eq!(Checksum::pseudo_header(ipv4, ipv6, 112, 8), None);
        assert_eq!(Checksum::pseudo_header(ipv6, ipv4, 112, 8), None);
    }
}
