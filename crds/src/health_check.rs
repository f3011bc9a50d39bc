//! `HealthCheck`: a probe that decides whether a node may hold a VIP. The probes themselves are in `probe.rs`.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::{CustomResource, KubeSchema};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::duration::DurationString;
use crate::probe::{
    CommandProbe, DnsProbe, FileProbe, GrpcProbe, HttpProbe, IcmpProbe, KubernetesProbe, Probe, ProcessProbe,
    SmtpProbe, TcpProbe, UdpProbe,
};
use crate::rules;

/// The fields of a spec of which exactly one is given.
const PROBE_FIELDS: [&str; 11] =
    ["tcp", "http", "process", "file", "command", "grpc", "dns", "udp", "icmp", "smtp", "kubernetes"];

/// A probe that every node runs for the VIPs that refer to it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "holdfast.dev",
    version = "v1alpha1",
    kind = "HealthCheck",
    plural = "healthchecks",
    singular = "healthcheck",
    shortname = "vhc",
    category = "holdfast",
    status = "HealthCheckStatus",
    derive = "PartialEq",
    doc = "A probe that nodes run, and that decides whether a node may hold a VIP.",
    printcolumn(name = "TYPE", type_ = "string", json_path = ".status.summary.type"),
    printcolumn(name = "PASSING", type_ = "string", json_path = ".status.summary.passing"),
    printcolumn(name = "INTERVAL", type_ = "string", json_path = ".spec.interval"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    cel
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::exactly_one_of(&PROBE_FIELDS))]
pub struct HealthCheckSpec {
    /// Passes when a TCP connection is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tcp: Option<TcpProbe>,
    /// Passes when an HTTP or HTTPS request is answered as expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<HttpProbe>,
    /// Passes while a process runs on the node. Reacts to its end at once, not at the next interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessProbe>,
    /// Passes by a file on the node. Reacts to its change at once, not at the next interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<FileProbe>,
    /// Passes when a command exits with 0. Off unless the agent is started with a command folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<CommandProbe>,
    /// Passes when a gRPC health service answers SERVING.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grpc: Option<GrpcProbe>,
    /// Passes when a DNS server answers a query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dns: Option<DnsProbe>,
    /// Passes when a UDP datagram is not refused, or is answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub udp: Option<UdpProbe>,
    /// Passes when a host answers a ping.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icmp: Option<IcmpProbe>,
    /// Passes when a mail server greets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpProbe>,
    /// Passes by what Kubernetes says about the node. Evaluated by the operator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubernetes: Option<KubernetesProbe>,

    /// The time from the start of one probe to the start of the next: 100ms to 1h, default 1s.
    #[serde(default = "HealthCheckSpec::default_interval")]
    #[x_kube(validation = rules::duration_within("100ms", "1h"))]
    pub interval: DurationString,
    /// How long one probe may take before it counts as failed: 10ms to 1h, default 1s. While a probe runs no other is
    /// started, so a timeout above the interval delays the next probe.
    #[serde(default = "HealthCheckSpec::default_timeout")]
    #[x_kube(validation = rules::duration_within("10ms", "1h"))]
    pub timeout: DurationString,
    /// How many probes in a row must succeed until the check passes: 1 to 100, default 2. The first result takes as
    /// many; until there is one, probes follow each other every 100ms.
    #[serde(default = "HealthCheckSpec::default_count")]
    #[schemars(range(min = 1, max = 100))]
    pub rise: u8,
    /// How many probes in a row must fail until the check fails: 1 to 100, default 2. Where the kernel itself reports the
    /// failure (the end of a process, a file), the first one decides.
    #[serde(default = "HealthCheckSpec::default_count")]
    #[schemars(range(min = 1, max = 100))]
    pub fall: u8,
    /// What the check does to the priority, unless its user says otherwise: -253 to 253. Default 0: the node cannot hold
    /// the VIP while the check fails. Positive: added while it passes. Negative: subtracted while it fails.
    #[serde(default)]
    #[schemars(range(min = -253, max = 253))]
    pub weight: i32,
    /// What holds until the first result: `Unknown` (default; with weight 0 the node waits, with another weight nothing
    /// is added), `Passing` or `Failing`.
    #[serde(default)]
    pub initial_state: InitialState,
    /// A command that is tried before the check fails, as a script that restarts nginx would.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recovery: Option<Recovery>,
}

/// What holds before the first result.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum InitialState {
    /// Wait for the first result.
    #[default]
    Unknown,
    /// Assume success.
    Passing,
    /// Assume failure.
    Failing,
}

/// A command that may mend what the check found, run once `fall` probes have failed and before the check fails.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Recovery {
    /// The program and its arguments, as in `command.command`.
    #[schemars(length(min = 1, max = 64), inner(length(max = 1024)))]
    #[x_kube(merge_strategy = ListMerge::Atomic, validation = rules::program())]
    pub command: Vec<String>,
    /// The user of the node to run it as, as in `command.user`. Restarting a service usually takes root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 32))]
    #[x_kube(validation = rules::user_name())]
    pub user: Option<String>,
    /// How long the command may run: 10ms to 1h, default 10s. So the check fails later by at most `attempts` times this
    /// timeout and that of the probe.
    #[serde(default = "Recovery::default_timeout")]
    #[x_kube(validation = rules::duration_within("10ms", "1h"))]
    pub timeout: DurationString,
    /// How often it is tried, each time followed by a probe: 1 to 10, default 1.
    #[serde(default = "Recovery::default_attempts")]
    #[schemars(range(min = 1, max = 10))]
    pub attempts: u8,
}

/// What Holdfast knows about a HealthCheck.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The result on each node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub nodes: Vec<HealthCheckResult>,
    /// Scalars for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<HealthCheckSummary>,
    /// Accepted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// The result of a health check: of one node in `HealthCheck.status.nodes`, of one check in
/// `NodeConfig.status.healthChecks`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckResult {
    /// The name of the node, or of the check.
    pub name: String,
    /// Whether the check passes; missing before the first result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passing: Option<bool>,
    /// What the last probe found, such as `connection refused`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// Since when it passes or fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
}

/// Scalars for the columns of `kubectl get healthchecks`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthCheckSummary {
    /// The kind of probe, such as `http`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub probe_type: Option<String>,
    /// Nodes on which the check passes, of the nodes that run it, such as `2/3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passing: Option<String>,
}

impl HealthCheckSpec {
    const fn default_interval() -> DurationString {
        DurationString::from_secs(1)
    }

    const fn default_timeout() -> DurationString {
        DurationString::from_secs(1)
    }

    const fn default_count() -> u8 {
        2
    }

    /// The probe. `None` if there is none, or more than one: the schema allows neither.
    pub fn probe(&self) -> Option<Probe<'_>> {
        let mut probes = [
            self.tcp.as_ref().map(Probe::Tcp),
            self.http.as_ref().map(Probe::Http),
            self.process.as_ref().map(Probe::Process),
            self.file.as_ref().map(Probe::File),
            self.command.as_ref().map(Probe::Command),
            self.grpc.as_ref().map(Probe::Grpc),
            self.dns.as_ref().map(Probe::Dns),
            self.udp.as_ref().map(Probe::Udp),
            self.icmp.as_ref().map(Probe::Icmp),
            self.smtp.as_ref().map(Probe::Smtp),
            self.kubernetes.as_ref().map(Probe::Kubernetes),
        ]
        .into_iter()
        .flatten();
        let probe = probes.next();
        probe.filter(|_| probes.next().is_none())
    }
}

impl Default for HealthCheckSpec {
    /// Every default, and no probe yet: one must be set before it is valid.
    fn default() -> Self {
        Self {
            tcp: None,
            http: None,
            process: None,
            file: None,
            command: None,
            grpc: None,
            dns: None,
            udp: None,
            icmp: None,
            smtp: None,
            kubernetes: None,
            interval: Self::default_interval(),
            timeout: Self::default_timeout(),
            rise: Self::default_count(),
            fall: Self::default_count(),
            weight: 0,
            initial_state: InitialState::default(),
            recovery: None,
        }
    }
}

impl Recovery {
    const fn default_timeout() -> DurationString {
        DurationString::from_secs(10)
    }

    const fn default_attempts() -> u8 {
        1
    }
}
