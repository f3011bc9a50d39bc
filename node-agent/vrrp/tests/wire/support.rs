//! Packets to parse and to break.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::wire::{Advert, Checksum, Datagram, ReceiveError, ReceivePolicy};
use holdfast_vrrp::{AdvertInterval, Family, Ipv4Checksum, Password, Protocol, VirtualRouterId};

pub(crate) const V2: Protocol = Protocol::V2 { password: None };
pub(crate) const V3: Protocol = Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader };

/// Reads hexadecimal digits; anything else between them is for the eye.
pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> =
        text.chars().filter_map(|digit| digit.to_digit(16)).map(|digit| u8::try_from(digit).unwrap()).collect();
    assert!(digits.len().is_multiple_of(2), "an odd number of digits: {text}");
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) fn vrid(number: u8) -> VirtualRouterId {
    VirtualRouterId::new(number).unwrap()
}

pub(crate) fn v2_password(text: &[u8]) -> Protocol {
    Protocol::V2 { password: Some(Password::new(text).unwrap()) }
}

pub(crate) fn interval(protocol: Protocol, milliseconds: u64) -> AdvertInterval {
    let interval = Duration::from_millis(milliseconds);
    match protocol {
        Protocol::V2 { .. } => AdvertInterval::v2(interval).unwrap(),
        Protocol::V3 { .. } => AdvertInterval::v3(interval).unwrap(),
    }
}

/// A virtual router with multicast and an interval of one second.
pub(crate) fn policy(protocol: Protocol, family: Family) -> ReceivePolicy {
    ReceivePolicy::multicast(protocol, family, interval(protocol, 1000))
}

/// A datagram that owns its message, so that it can be changed.
#[derive(Clone, Debug)]
pub(crate) struct Packet {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    pub(crate) hop_limit: u8,
    pub(crate) message: Vec<u8>,
}

impl Packet {
    pub(crate) fn new(source: &str, destination: &str, message: &str) -> Self {
        Self { source: ip(source), destination: ip(destination), hop_limit: 255, message: hex(message) }
    }

    /// keepalived, VRRPv2 without authentication, 1 s, priority 200, one address.
    pub(crate) fn v2() -> Self {
        Self::new("10.77.0.1", "224.0.0.18", "2133c80100010c19 0a4d0064 0000000000000000")
    }

    /// keepalived, VRRPv2 with the password `secret12`.
    pub(crate) fn v2_with_password() -> Self {
        Self::new("10.77.0.1", "224.0.0.18", "2133c80101019d9a 0a4d0064 7365637265743132")
    }

    /// keepalived, VRRPv3 over IPv4, 0.1 s, priority 200, one address.
    pub(crate) fn v3() -> Self {
        Self::new("10.77.0.1", "224.0.0.18", "3133c801000a1133 0a4d0064")
    }

    /// keepalived, VRRPv3 over IPv6, 0.1 s, priority 200, a link-local and a global address.
    pub(crate) fn v3_ipv6() -> Self {
        Self::new(
            "fe80::ff:fe00:a",
            "ff02::12",
            "3133c802000a0b18 fe800000000000000000000000770100 fd770000000000000000000000000100",
        )
    }

    pub(crate) fn to(self, destination: &str) -> Self {
        Self { destination: ip(destination), ..self }
    }

    pub(crate) fn hop_limit(self, hop_limit: u8) -> Self {
        Self { hop_limit, ..self }
    }

    pub(crate) fn byte(mut self, offset: usize, value: u8) -> Self {
        self.message[offset] = value;
        self
    }

    pub(crate) fn append(mut self, bytes: &[u8]) -> Self {
        self.message.extend_from_slice(bytes);
        self
    }

    pub(crate) fn cut(mut self, length: usize) -> Self {
        self.message.truncate(length);
        self
    }

    /// Makes the checksum right again: without pseudo-header for VRRPv2, with it otherwise.
    pub(crate) fn sealed(self) -> Self {
        let version = self.message[0] >> 4;
        let start = if version == 2 { Checksum::default() } else { self.pseudo_header() };
        self.sealed_over(start)
    }

    /// Makes the checksum right in the form of RFC 9568 section 5.2.8: the message alone.
    pub(crate) fn sealed_message_only(self) -> Self {
        self.sealed_over(Checksum::default())
    }

    fn sealed_over(mut self, start: Checksum) -> Self {
        self.message[6..8].fill(0);
        let sum = start.with(&self.message).value();
        self.message[6..8].copy_from_slice(&sum.to_be_bytes());
        self
    }

    fn pseudo_header(&self) -> Checksum {
        Checksum::pseudo_header(self.source, self.destination, 112, self.message.len()).unwrap()
    }

    pub(crate) fn datagram(&self) -> Datagram<'_> {
        let Self { source, destination, hop_limit, ref message } = *self;
        Datagram { source, destination, hop_limit, payload: message }
    }

    pub(crate) fn parse(&self, policy: &ReceivePolicy) -> Result<Advert<'_>, ReceiveError> {
        Advert::parse(&self.datagram(), policy)
    }
}
