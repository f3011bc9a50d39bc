//! The probes of a `HealthCheck`, one type each.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The one probe of a HealthCheck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe<'a> {
    /// See [`TcpProbe`].
    Tcp(&'a TcpProbe),
    /// See [`HttpProbe`].
    Http(&'a HttpProbe),
    /// See [`ProcessProbe`].
    Process(&'a ProcessProbe),
    /// See [`FileProbe`].
    File(&'a FileProbe),
    /// See [`CommandProbe`].
    Command(&'a CommandProbe),
    /// See [`GrpcProbe`].
    Grpc(&'a GrpcProbe),
    /// See [`DnsProbe`].
    Dns(&'a DnsProbe),
    /// See [`UdpProbe`].
    Udp(&'a UdpProbe),
    /// See [`IcmpProbe`].
    Icmp(&'a IcmpProbe),
    /// See [`SmtpProbe`].
    Smtp(&'a SmtpProbe),
    /// See [`KubernetesProbe`].
    Kubernetes(&'a KubernetesProbe),
}

impl Probe<'_> {
    /// The name of its field in the spec, such as `http`.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Tcp(_) => "tcp",
            Self::Http(_) => "http",
            Self::Process(_) => "process",
            Self::File(_) => "file",
            Self::Command(_) => "command",
            Self::Grpc(_) => "grpc",
            Self::Dns(_) => "dns",
            Self::Udp(_) => "udp",
            Self::Icmp(_) => "icmp",
            Self::Smtp(_) => "smtp",
            Self::Kubernetes(_) => "kubernetes",
        }
    }
}

fn loopback() -> String {
    "127.0.0.1".to_owned()
}

fn root_path() -> String {
    "/".to_owned()
}

fn successful_status_codes() -> Vec<String> {
    vec!["200-399".to_owned()]
}

const fn one() -> u16 {
    1
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

fn condition_true() -> String {
    "True".to_owned()
}

fn condition_ready() -> String {
    "Ready".to_owned()
}

/// Passes when a TCP connection is accepted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TcpProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1))]
    pub port: u16,
}

/// Passes when an HTTP or HTTPS request is answered with an expected status and body. Redirects are not followed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpProbe {
    /// `HTTP` (default) or `HTTPS`.
    #[serde(default)]
    pub scheme: HttpScheme,
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The path with its query, beginning with a slash. Default `/`.
    #[serde(default = "root_path")]
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^/[^\\s#]*$"))]
    pub path: String,
    /// `GET` (default) or `HEAD`.
    #[serde(default)]
    pub method: HttpMethod,
    /// The Host header, such as `www.example.org`. Default: `host` with its port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 259))]
    pub host_header: Option<String>,
    /// More headers of the request, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub headers: Vec<HttpHeader>,
    /// Status codes that pass, single or as ranges, at most 16. Default `["200-399"]`. Example: `["200-299", "404"]`.
    #[serde(default = "successful_status_codes")]
    #[schemars(length(min = 1, max = 16), inner(regex(pattern = "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$"), length(max = 7)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub status_codes: Vec<String>,
    /// A regular expression (the syntax of RE2, without look-around) that must match somewhere in the first 1 MiB of the
    /// body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 1024))]
    pub body_regex: Option<String>,
    /// How the server's certificate is verified. Only with scheme `HTTPS`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// The scheme of an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpScheme {
    /// Plain HTTP.
    #[default]
    Http,
    /// HTTP over TLS.
    Https,
}

/// The method of an HTTP request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// Asks for head and body.
    #[default]
    Get,
    /// Asks for the head alone.
    Head,
}

/// A header of an HTTP request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HttpHeader {
    /// The name, such as `X-Probe`.
    #[schemars(length(min = 1, max = 256), regex(pattern = "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"))]
    pub name: String,
    /// The value.
    #[schemars(length(max = 4096), regex(pattern = "^[\\t\\x20-\\x7e]*$"))]
    pub value: String,
}

/// How the certificate of an HTTPS server is verified. Default: by the certificate authorities of the node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tls {
    /// Accepts any certificate. Default false.
    #[serde(default)]
    pub insecure_skip_verify: bool,
    /// A file on the node with trusted certificates in PEM form, by its absolute path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 2, max = 4096), regex(pattern = "^/"))]
    pub ca_file: Option<String>,
    /// Trusted certificates in PEM form, beginning with `-----BEGIN CERTIFICATE-----`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 65536))]
    pub ca_bundle: Option<String>,
    /// The name in the certificate and in the TLS handshake (SNI). Default: `hostHeader` without its port, else `host`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub server_name: Option<String>,
}

/// Passes while the node runs enough processes that match. In a container, it needs the node's PID namespace (hostPID).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ProcessProbe {
    /// The name of the process as the kernel has it (`ps -o comm`): at most 15 characters, longer names are cut there.
    /// Example: `nginx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 15))]
    pub name: Option<String>,
    /// The whole command line with single spaces between the arguments (`ps -o args`), compared exactly. With `name`,
    /// both must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 4096))]
    pub command_line: Option<String>,
    /// How many matching processes there must be at least: 1 to 65535, default 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1))]
    pub minimum: u16,
    /// How many there may be at most: 1 to 65535. Default: any number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1))]
    pub maximum: Option<u16>,
}

/// Passes by a file on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FileProbe {
    /// The absolute path of the file.
    #[schemars(length(min = 2, max = 4096), regex(pattern = "^/"))]
    pub path: String,
    /// `Exists` (default), `Absent`, or `Value`.
    #[serde(default)]
    pub mode: FileMode,
}

/// What a file says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum FileMode {
    /// Passes while the file is there.
    #[default]
    Exists,
    /// Passes while the file is not there: create it to fail the check by hand.
    Absent,
    /// The file holds a number, as with track_file of keepalived. With weight 0, any number but 0 is a failure; with
    /// another weight, number times weight is added to the priority, and -254 or less is a failure. A file that is
    /// missing, empty or no number counts as 0.
    Value,
}

/// Passes when a command exits with 0 within the timeout; after it, its whole process group is killed.
///
/// It runs as an unprivileged user, and only if the agent was started with a command folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CommandProbe {
    /// The program, by its path below the command folder of the agent, and its arguments; no shell is involved.
    /// Example: `[check-postgres, --primary]`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub command: Vec<String>,
    /// The user of the node to run it as. Default: the user that the agent names for commands, an unprivileged one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32), regex(pattern = "^[a-z_][a-z0-9_-]*$"))]
    pub user: Option<String>,
}

/// Passes when a gRPC server answers SERVING (the protocol grpc.health.v1), without TLS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct GrpcProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1))]
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
    pub server: String,
    /// The port: 1 to 65535, default 53.
    #[serde(default = "dns_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The name to ask for, such as `www.example.org`, or `.` for the root.
    #[schemars(length(min = 1, max = 254))]
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

/// Passes when a UDP datagram is sent and no port-unreachable error comes back before the timeout; with `requireReply`,
/// only when an answer comes back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct UdpProbe {
    /// The address or name to send to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port: 1 to 65535.
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The payload as text, at most 1024 characters. Default: an empty datagram.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1024))]
    pub payload: Option<String>,
    /// The payload in base64, for bytes that are no text. Instead of `payload`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 1368), regex(pattern = "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"))]
    pub binary_payload: Option<String>,
    /// Whether an answer must come back. Default false.
    #[serde(default)]
    pub require_reply: bool,
}

/// Passes when a host answers an ICMP or ICMPv6 echo request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct IcmpProbe {
    /// The address or name to ping, such as the default gateway.
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
}

/// Passes when a mail server greets with 220 and answers HELO with 250.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SmtpProbe {
    /// The address or name to connect to, seen from the node. Default 127.0.0.1.
    #[serde(default = "loopback")]
    #[schemars(length(min = 1, max = 253))]
    pub host: String,
    /// The port: 1 to 65535, default 25.
    #[serde(default = "smtp_port")]
    #[schemars(range(min = 1))]
    pub port: u16,
    /// The name to greet with. Default `localhost`.
    #[serde(default = "smtp_name")]
    #[schemars(length(min = 1, max = 253), regex(pattern = "^[A-Za-z0-9.-]+$"))]
    pub hello_name: String,
}

/// Passes by what Kubernetes says about the node: exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesProbe {
    /// Passes while a Service has a ready endpoint on the node, as externalTrafficPolicy Local needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<KubernetesService>,
    /// Passes while a condition of the node has the given status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_condition: Option<KubernetesNodeCondition>,
}

/// A Service with a ready endpoint on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesService {
    /// The namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub namespace: String,
    /// The name of the Service.
    #[schemars(length(min = 1, max = 63))]
    pub name: String,
}

/// A condition of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesNodeCondition {
    /// The type of the condition. Default `Ready`.
    #[serde(default = "condition_ready", rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub condition_type: String,
    /// The status that passes: `True` (default), `False` or `Unknown`.
    #[serde(default = "condition_true")]
    #[schemars(length(max = 7), regex(pattern = "^(True|False|Unknown)$"))]
    pub status: String,
}
