//! An address with the length of its prefix, written as `192.0.2.1/24`.

use std::fmt;
use std::net::{AddrParseError, IpAddr};
use std::num::ParseIntError;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An address of an interface, and the subnet that it stands in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Subnet {
    /// The address.
    pub address: IpAddr,
    /// The length of its prefix in bits.
    pub prefix_length: u8,
}

/// Why a text is no address with a prefix length.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum ParseSubnetError {
    /// There is no prefix length.
    #[error("{0:?} has no prefix length")]
    NoLength(String),
    /// The part before the slash is no address.
    #[error("{0:?} has no address before the slash")]
    Address(String, #[source] AddrParseError),
    /// The part after the slash is no number.
    #[error("{0:?} has no number after the slash")]
    Length(String, #[source] ParseIntError),
    /// The prefix is longer than the address.
    #[error("the prefix of {0:?} is longer than its address")]
    TooLong(String),
}

impl fmt::Display for Subnet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix_length)
    }
}

impl FromStr for Subnet {
    type Err = ParseSubnetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (address, length) = text.split_once('/').ok_or_else(|| ParseSubnetError::NoLength(text.to_owned()))?;
        let address: IpAddr = address.parse().map_err(|error| ParseSubnetError::Address(text.to_owned(), error))?;
        let prefix_length = length.parse().map_err(|error| ParseSubnetError::Length(text.to_owned(), error))?;
        if prefix_length > if address.is_ipv4() { 32 } else { 128 } {
            return Err(ParseSubnetError::TooLong(text.to_owned()));
        }
        Ok(Self { address, prefix_length })
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl TryFrom<String> for Subnet {
    type Error = ParseSubnetError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in ["192.0.2.1/24", "0.0.0.0/0", "192.0.2.1/32", "2001:db8::1/64", "::1/128"] {
            assert_eq!(text.parse::<Subnet>().expect("a subnet").to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "192.0.2.1", "192.0.2.1/", "192.0.2.1/33", "2001:db8::1/129", "192.0.2/24", "a/24"] {
            assert!(text.parse::<Subnet>().is_err(), "{text}");
        }
    }
}
