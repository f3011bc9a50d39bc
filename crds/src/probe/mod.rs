//! The probes of a `HealthCheck`, one type each.

mod http;
mod kubernetes;
mod local;
mod network;

pub use http::{HttpHeader, HttpMethod, HttpProbe, HttpScheme, Tls};
pub use kubernetes::{KubernetesNodeCondition, KubernetesProbe, KubernetesService};
pub use local::{CommandProbe, FileMode, FileProbe, ProcessProbe};
pub use network::{DnsProbe, DnsRecordType, GrpcProbe, IcmpProbe, SmtpProbe, TcpProbe, UdpProbe};

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

/// Where a probe connects to unless it says otherwise: the node itself.
fn loopback() -> String {
    "127.0.0.1".to_owned()
}
