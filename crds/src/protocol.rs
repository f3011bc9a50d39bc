//! Words of VRRP that several kinds share.

use std::fmt;
use std::net::IpAddr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::duration::DurationString;

/// The version of VRRP on the wire: 3 (RFC 9568) or 2 (RFC 3768). A number in YAML.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
pub enum ProtocolVersion {
    /// VRRPv2: IPv4 only, intervals of whole seconds.
    V2,
    /// VRRPv3: IPv4 and IPv6, intervals in steps of 10 ms.
    #[default]
    V3,
}

/// A number that is no version of VRRP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("protocolVersion {0} does not exist: write 2 or 3")]
pub struct UnknownProtocolVersion(u8);

impl ProtocolVersion {
    /// The advertisement interval of a VirtualIP that states none: 200 ms with VRRPv3, so that a crash fails over in
    /// under a second; 1 s with VRRPv2, the least that it can carry.
    pub const fn default_interval(self) -> DurationString {
        match self {
            Self::V2 => DurationString::from_secs(1),
            Self::V3 => DurationString::from_millis(200),
        }
    }
}

impl TryFrom<u8> for ProtocolVersion {
    type Error = UnknownProtocolVersion;

    fn try_from(number: u8) -> Result<Self, Self::Error> {
        match number {
            2 => Ok(Self::V2),
            3 => Ok(Self::V3),
            other => Err(UnknownProtocolVersion(other)),
        }
    }
}

impl From<ProtocolVersion> for u8 {
    fn from(version: ProtocolVersion) -> Self {
        match version {
            ProtocolVersion::V2 => 2,
            ProtocolVersion::V3 => 3,
        }
    }
}

impl JsonSchema for ProtocolVersion {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ProtocolVersion".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "integer", "enum": [2, 3] })
    }
}

/// An address family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Family {
    /// IPv4: VRRP group 224.0.0.18, announced by gratuitous ARP.
    IPv4,
    /// IPv6: VRRP group `ff02::12`, announced by unsolicited neighbour advertisements.
    IPv6,
}

impl Family {
    /// The family of an address.
    pub const fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(_) => Self::IPv4,
            IpAddr::V6(_) => Self::IPv6,
        }
    }
}

impl fmt::Display for Family {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::IPv4 => "IPv4",
            Self::IPv6 => "IPv6",
        })
    }
}

/// How advertisements travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Transport {
    /// To the multicast group of VRRP (224.0.0.18, `ff02::12`); nothing to configure, but the network must carry it.
    #[default]
    Multicast,
    /// To the address of each peer; peers come from the nodes and from externalPeers.
    Unicast,
}

/// The form of the VRRPv3 checksum that is sent over IPv4. Both forms are accepted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Ipv4Checksum {
    /// Over pseudo-header and message, as keepalived and FRR send it.
    #[default]
    PseudoHeader,
    /// Over the message alone, as some routers do (RFC 9568, section 5.2.8).
    MessageOnly,
}

/// What happens to a VIP when the agent that holds it dies or freezes while its node lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Fencing {
    /// The kernel drops the VIP once its successor may have it: nothing is lost, two holders for about one interval.
    #[default]
    Overlap,
    /// The kernel drops the VIP before a successor can take it: never two holders, a short gap.
    Strict,
    /// No fence. The kernel lifetime of the address still bounds how long the VIP outlives the agent.
    None,
}

/// The state of a virtual router on one node, in the words of VRRP and keepalived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum RouterState {
    /// Holds the VIP and advertises it.
    Master,
    /// Hears the master and waits.
    Backup,
    /// Cannot hold the VIP: a check fails, or the interface is down.
    Fault,
    /// Is starting and takes no part yet.
    Init,
    /// Has not been heard of for too long: its agent or its node may be down.
    Unknown,
}

impl RouterState {
    /// The word in status tables and labels, such as `MASTER`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Master => "MASTER",
            Self::Backup => "BACKUP",
            Self::Fault => "FAULT",
            Self::Init => "INIT",
            Self::Unknown => "UNKNOWN",
        }
    }
}

impl fmt::Display for RouterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
