//! The addresses of a VIP: `192.0.2.10`, `192.0.2.10/24` or `2001:db8::10/64`.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use kube::core::Rule;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::protocol::Family;

/// The longest text of an address with its prefix length.
const MAX_LENGTH: usize = 43;

/// An address that Holdfast holds, with the prefix length it is programmed with, if one was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct VipAddress {
    address: IpAddr,
    prefix_length: Option<u8>,
}

/// A text that cannot be the address of a VIP.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseAddressError {
    /// Neither an IP address nor an address with a prefix length.
    #[error("{0:?} is not an IP address: write an address such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10/64")]
    Malformed(String),
    /// The prefix length does not fit the address family.
    #[error("{0:?} has a wrong prefix length: it must be 1..=32 for IPv4, 1..=128 for IPv6")]
    PrefixLength(String),
    /// An address that no host can own: unspecified, loopback, multicast, broadcast, or IPv4 mapped into IPv6.
    #[error("{0:?} cannot be a virtual IP: write a unicast address of the node network")]
    NotUnicast(String),
}

impl VipAddress {
    /// The address alone.
    pub fn address(self) -> IpAddr {
        self.address
    }

    /// The prefix length, if one was given: 1..=32 for IPv4, 1..=128 for IPv6.
    pub fn prefix_length(self) -> Option<u8> {
        self.prefix_length
    }

    /// Whether it stands for its subnet as a whole, by its prefix length: the first address of the subnet, or for IPv4 the
    /// last one (RFC 4291, section 2.6.1; RFC 919). No host can own it. Subnets of one or two addresses have none such
    /// (RFC 3021, RFC 6164).
    pub fn is_of_whole_subnet(self) -> bool {
        let width = if self.address.is_ipv4() { 32 } else { 128 };
        let Some(host_bits @ 2..) = self.prefix_length.map(|length| width - u32::from(length).min(width)) else {
            return false;
        };
        let all = u128::MAX.checked_shr(128 - host_bits).unwrap_or(u128::MAX);
        let host = bits(self.address) & all;
        host == 0 || (self.address.is_ipv4() && host == all)
    }

    /// The address family.
    pub fn family(self) -> Family {
        Family::of(self.address)
    }
}

impl FromStr for VipAddress {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| ParseAddressError::Malformed(text.to_owned()))?;
        let prefix_length = prefix.map(|prefix| parse_prefix(prefix, address, text)).transpose()?;
        if !is_unicast(address) {
            return Err(ParseAddressError::NotUnicast(text.to_owned()));
        }
        Ok(Self { address, prefix_length })
    }
}

fn parse_prefix(prefix: &str, address: IpAddr, text: &str) -> Result<u8, ParseAddressError> {
    let longest = if address.is_ipv4() { 32 } else { 128 };
    // `u8::from_str` accepts "+24" and "024", which other tools read differently or not at all.
    let canonical = prefix.bytes().all(|byte| byte.is_ascii_digit()) && !prefix.starts_with('0');
    prefix
        .parse()
        .ok()
        .filter(|length| canonical && (1..=longest).contains(length))
        .ok_or_else(|| ParseAddressError::PrefixLength(text.to_owned()))
}

fn is_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => !(v4.is_unspecified() || v4.is_loopback() || v4.is_multicast() || v4.is_broadcast()),
        IpAddr::V6(v6) => {
            !(v6.is_unspecified() || v6.is_loopback() || v6.is_multicast() || v6.to_ipv4_mapped().is_some())
        }
    }
}

impl fmt::Display for VipAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.address)?;
        match self.prefix_length {
            Some(length) => write!(f, "/{length}"),
            None => Ok(()),
        }
    }
}

impl TryFrom<String> for VipAddress {
    type Error = ParseAddressError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<VipAddress> for String {
    fn from(address: VipAddress) -> Self {
        address.to_string()
    }
}

/// Whether `address` lies in the subnet of `network` with this prefix length. Families that differ never match.
pub fn subnet_contains(network: IpAddr, prefix_length: u8, address: IpAddr) -> bool {
    if network.is_ipv4() != address.is_ipv4() {
        return false;
    }
    let width = if network.is_ipv4() { 32 } else { 128 };
    let host_bits = u32::from(width - prefix_length.min(width));
    // A shift by the full width is undefined for integers and means that everything matches.
    (bits(network) ^ bits(address)).checked_shr(host_bits).unwrap_or(0) == 0
}

fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => u128::from(v4.to_bits()),
        IpAddr::V6(v6) => Ipv6Addr::to_bits(v6),
    }
}

/// The schema of `VirtualIP.spec.addresses`: rules stand on the item, so that an error names the item.
pub(crate) fn list_schema(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 1,
        "maxItems": 64,
        "items": {
            "type": "string",
            "minLength": 2,
            "maxLength": MAX_LENGTH,
            "x-kubernetes-validations": [address_form(), address_is_unicast()],
        },
        "x-kubernetes-validations": [addresses_differ()],
    })
}

fn address_form() -> Rule {
    Rule::new("isIP(self) || isCIDR(self)").message(
        "must be an IP address with or without a prefix length, such as 192.0.2.10, 192.0.2.10/24 or 2001:db8::10/64",
    )
}

fn address_is_unicast() -> Rule {
    Rule::new(
        "isIP(self) ? (ip(self).isGlobalUnicast() || ip(self).isLinkLocalUnicast()) : \
         !isCIDR(self) || (cidr(self).prefixLength() > 0 && \
         (cidr(self).ip().isGlobalUnicast() || cidr(self).ip().isLinkLocalUnicast()))",
    )
    .message("must be a unicast address of the node network, with a prefix length above 0")
}

/// One address may not be given twice, not even with another prefix length or spelling.
fn addresses_differ() -> Rule {
    let address = |item: &str| format!("(isIP({item}) ? ip({item}) : cidr({item}).ip())");
    let (a, b) = (address("a"), address("b"));
    Rule::new(format!("!self.all(a, isIP(a) || isCIDR(a)) || self.all(a, self.exists_one(b, {a} == {b}))"))
        .message("each address may be given only once, whatever its prefix length")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_come_with_or_without_a_prefix_length() {
        for (text, family, prefix_length) in [
            ("192.0.2.10", Family::IPv4, None),
            ("192.0.2.10/24", Family::IPv4, Some(24)),
            ("192.0.2.10/32", Family::IPv4, Some(32)),
            ("2001:db8::10", Family::IPv6, None),
            ("2001:db8::10/64", Family::IPv6, Some(64)),
            ("fe80::1/128", Family::IPv6, Some(128)),
        ] {
            let address: VipAddress = text.parse().unwrap();
            assert_eq!((address.family(), address.prefix_length()), (family, prefix_length), "{text}");
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn what_no_host_can_own_is_refused_with_the_reason() {
        use ParseAddressError as Error;
        let cases = [
            ("", Error::Malformed as fn(String) -> Error),
            ("example.org", Error::Malformed),
            ("192.0.2", Error::Malformed),
            ("192.0.2.010", Error::Malformed),
            ("fe80::1%eth0", Error::Malformed),
            ("192.0.2.1/33", Error::PrefixLength),
            ("192.0.2.1/0", Error::PrefixLength),
            ("192.0.2.1/+24", Error::PrefixLength),
            ("2001:db8::1/129", Error::PrefixLength),
            ("0.0.0.0", Error::NotUnicast),
            ("127.0.0.1", Error::NotUnicast),
            ("224.0.0.18", Error::NotUnicast),
            ("ff02::12", Error::NotUnicast),
            ("::ffff:192.0.2.1", Error::NotUnicast),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<VipAddress>(), Err(error(text.to_owned())));
        }
    }

    #[test]
    fn the_first_and_the_last_address_of_a_subnet_stand_for_all_of_it() {
        for (text, expected) in [
            ("192.0.2.0/24", true),
            ("192.0.2.255/24", true),
            ("192.0.2.255/23", false),
            ("192.0.2.127/25", true),
            ("192.0.2.0", false),
            ("192.0.2.0/31", false),
            ("192.0.2.0/32", false),
            ("10.0.0.0/1", false),
            ("128.0.0.0/1", true),
            ("2001:db8::/64", true),
            ("2001:db8::ffff:ffff:ffff:ffff/64", false),
            ("2001:db8::/127", false),
        ] {
            assert_eq!(text.parse::<VipAddress>().unwrap().is_of_whole_subnet(), expected, "{text}");
        }
    }

    #[test]
    fn a_subnet_contains_the_addresses_that_share_its_prefix() {
        for (network, length, address, inside) in [
            ("192.0.2.1", 24, "192.0.2.200", true),
            ("192.0.2.1", 24, "192.0.3.1", false),
            ("192.0.2.1", 32, "192.0.2.1", true),
            ("192.0.2.1", 32, "192.0.2.2", false),
            ("192.0.2.1", 0, "203.0.113.1", true),
            ("2001:db8::1", 64, "2001:db8::ffff", true),
            ("2001:db8::1", 64, "2001:db8:0:1::1", false),
            ("::1", 0, "2001:db8::1", true),
            ("192.0.2.1", 0, "2001:db8::1", false),
        ] {
            let found = subnet_contains(network.parse().unwrap(), length, address.parse().unwrap());
            assert_eq!(found, inside, "{network}/{length} {address}");
        }
    }
}
