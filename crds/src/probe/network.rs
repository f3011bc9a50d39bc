//! Probes that ask a service over the network: TCP, UDP, gRPC, DNS, SMTP and ping.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::loopback;
use crate::rules;

/// Passes when a TCP connection is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
}

/// Passes when a UDP datagram is sent and no port-unreachable error comes back before the timeout; with `requireReply`,
/// only when an answer comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::at_most_one_of(&["payload", "binaryPayload"]))]
pub struct UdpProbe {
    /// The address or name to send to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The payload as text, at most 1024 characters. Default: an empty datagram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub payload: Option<String>,
    /// The payload in base64, for bytes that are no text. Instead of `payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1368))]
    #[x_kube(
        validation = Rule::new("self.matches('^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$')")
            .message("must be base64 with padding, such as aGVsbG8=")
    )]
    pub binary_payload: Option<String>,
    /// Whether an answer must come back. Default false.
    #[serde(default)]
    pub require_reply: bool,
}

/// Passes when a gRPC server answers SERVING (the protocol grpc.health.v1), without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The service to ask for. Default empty: the server as a whole.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    #[schemars(length(max = 253))]
    pub service: String,
}

/// Passes when a DNS server answers without an error and with at least one record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DnsProbe {
    /// The address of the server, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub server: String,
    /// The port: 1 to 65535, default 53.
    #[serde(default = "dns_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The name to ask for, such as `www.example.org`, or `.` for the root.
    #[schemars(length(min = 1, max = 254))]
    #[x_kube(
        validation = Rule::new("self.matches('^([.]|([A-Za-z0-9_-]{1,63}[.])*[A-Za-z0-9_-]{1,63}[.]?)$')")
            .message("must be a DNS name, such as www.example.org, or . for the root")
    )]
    pub name: String,
    /// The type of record. Default `A`.
    #[serde(default, rename = "type")]
    pub record_type: DnsRecordType,
}

/// The type of a DNS record.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum DnsRecordType {
    /// IPv4 address.
    #[default]
    A,
    /// IPv6 address.
    Aaaa,
    /// Canonical name.
    Cname,
    /// Mail exchange.
    Mx,
    /// Name server.
    Ns,
    /// Start of authority.
    Soa,
    /// Service.
    Srv,
    /// Text.
    Txt,
}

/// Passes when a mail server greets with 220 and answers HELO with 250.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmtpProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
    /// The port: 1 to 65535, default 25.
    #[serde(default = "smtp_port")]
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,
    /// The name to greet with. Default `localhost`.
    #[serde(default = "smtp_name")]
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9.-]+$')").message("must be a DNS name, such as node.example.org")
    )]
    pub hello_name: String,
}

/// Passes when a host answers an ICMP or ICMPv6 echo request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IcmpProbe {
    /// The address or name to ping, such as the default gateway.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::host())]
    pub host: String,
}

const fn dns_port() -> u16 {
    53
}

const fn smtp_port() -> u16 {
    25
}

fn smtp_name() -> String {
    "localhost".to_owned()
}
