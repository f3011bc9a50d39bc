//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use thiserror::Error;

use crate::election::Realtime;
use crate::kubernetes::{self, Credentials, NodeServiceAccount};

/// Where `run` serves its status, and where `status` asks for it.
const DEFAULT_HTTP: &str = "127.0.0.1:9112";

/// Holds virtual IP addresses on this node by VRRP election.
#[derive(Debug, Parser)]
#[command(name = "holdfast-agent", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the agent can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run elections and hold addresses, as Kubernetes or the manifests of a folder say. Needs `CAP_NET_ADMIN` and
    /// `CAP_NET_RAW`.
    Run(Box<RunArgs>),
    /// Check a folder of manifests by the rules of the API server and the plan; exit with 1 if anything is wrong.
    Check {
        /// The folder.
        #[arg(value_name = "DIR")]
        manifests: PathBuf,
    },
    /// Show what the agent on this node does.
    Status {
        /// Where the agent serves its status.
        #[arg(long, env = "HOLDFAST_HTTP", default_value = DEFAULT_HTTP, value_name = "ADDR")]
        http: SocketAddr,
        /// The form of the answer.
        #[arg(short, long, value_enum, default_value_t = Output::Table)]
        output: Output,
    },
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// The options of `run`.
#[derive(Debug, Args)]
pub struct RunArgs {
    /// The folder of manifests: VirtualIP, HealthCheck, VirtualIPGroup and Node objects in YAML or JSON. It is followed.
    /// Without it the agent runs what the NodeConfig of its node says, which it reads from Kubernetes.
    #[arg(long, env = "HOLDFAST_MANIFESTS", value_name = "DIR", conflicts_with_all = ["kubeconfig", "node_service_account", "namespace"])]
    pub manifests: Option<PathBuf>,
    /// How to reach Kubernetes.
    #[command(flatten)]
    pub kubernetes: KubernetesArgs,
    /// The name of this node, as `nodePriorities` and Node objects write it.
    #[arg(long, env = "HOLDFAST_NODE_NAME", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub node_name: String,
    /// A label of this node, for selectors; may be given more than once. In the variable: separated by commas.
    #[arg(long = "node-label", env = "HOLDFAST_NODE_LABELS", value_name = "KEY=VALUE", value_delimiter = ',', value_parser = parse_label)]
    pub node_labels: Vec<(String, String)>,
    /// The folder of what must survive a restart. Each agent on a node needs its own.
    #[arg(long, env = "HOLDFAST_STATE_DIR", default_value = "/var/lib/holdfast", value_name = "DIR")]
    pub state_dir: PathBuf,
    /// Where to serve /livez, /readyz, /metrics and /debug/state: address and port, or "off".
    #[arg(long, env = "HOLDFAST_HTTP", default_value = DEFAULT_HTTP, value_name = "ADDR")]
    pub http: HttpAddress,
    /// The folder of VRRPv2 passwords: one file for each `authentication.passwordKey`.
    #[arg(long, env = "HOLDFAST_AUTH_DIR", value_name = "DIR")]
    pub auth_dir: Option<PathBuf>,
    /// The folder of programs that health checks may run. Without it they run none.
    #[arg(long, env = "HOLDFAST_COMMAND_DIR", value_name = "DIR")]
    pub command_dir: Option<PathBuf>,
    /// The user that runs them unless the check names another.
    #[arg(long, env = "HOLDFAST_COMMAND_USER", default_value = "nobody", value_name = "USER")]
    pub command_user: String,
    /// Whether the election thread gets the real-time policy `SCHED_RR`, which needs `CAP_SYS_NICE` or an `RLIMIT_RTPRIO`.
    #[arg(long, env = "HOLDFAST_REALTIME", value_enum, default_value_t = RealtimeMode::Auto, default_missing_value = "on", num_args = 0..=1, require_equals = true, value_name = "WHEN")]
    pub realtime: RealtimeMode,
    /// Keep the process in memory. Needs `CAP_IPC_LOCK`.
    #[arg(long, env = "HOLDFAST_LOCK_MEMORY")]
    pub lock_memory: bool,
    /// The form of the log on standard error. `RUST_LOG` sets what is logged.
    #[arg(long, env = "HOLDFAST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
}

/// The options of `run` for Kubernetes.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Kubernetes")]
pub struct KubernetesArgs {
    /// The credentials for the API server. Default: those of the pod that the agent runs in.
    #[arg(long, env = "HOLDFAST_KUBECONFIG", value_name = "FILE", conflicts_with = "node_service_account")]
    pub kubeconfig: Option<PathBuf>,
    /// The ServiceAccount of this node, which may read its NodeConfig and no other. The agent exchanges the token of its pod
    /// for one of it; needs the variable `POD_NAMESPACE`.
    #[arg(long, env = "HOLDFAST_NODE_SERVICE_ACCOUNT", value_name = "NAME")]
    pub node_service_account: Option<String>,
    /// The namespace of the agent's Lease. Default: that of the credentials.
    #[arg(long, env = "HOLDFAST_NAMESPACE", value_name = "NAME")]
    pub namespace: Option<String>,
    /// The namespace of the pod.
    #[arg(long, env = "POD_NAMESPACE", hide = true)]
    pub pod_namespace: Option<String>,
}

/// Where the agent takes from what it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A folder of manifests.
    Folder(PathBuf),
    /// The NodeConfig of this node.
    Kubernetes(kubernetes::Options),
}

/// Why there is no such place.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SourceError {
    /// The ServiceAccount is in the namespace of the pod.
    #[error("--node-service-account needs the variable POD_NAMESPACE, from the downward API of the pod")]
    NotInPod,
}

impl RunArgs {
    /// Where the agent takes from what it runs: always one place.
    pub fn source(&self) -> Result<Source, SourceError> {
        if let Some(folder) = &self.manifests {
            return Ok(Source::Folder(folder.clone()));
        }
        let KubernetesArgs { kubeconfig, namespace, .. } = &self.kubernetes;
        let credentials = match kubeconfig {
            Some(path) => Credentials::Kubeconfig(path.clone()),
            None => Credentials::Pod(self.kubernetes.node_service_account(&self.node_name)?),
        };
        Ok(Source::Kubernetes(kubernetes::Options {
            node: self.node_name.clone(),
            namespace: namespace.clone(),
            credentials,
        }))
    }
}

impl KubernetesArgs {
    fn node_service_account(&self, node: &str) -> Result<Option<NodeServiceAccount>, SourceError> {
        let Some(name) = self.node_service_account.clone() else { return Ok(None) };
        let namespace = self.pod_namespace.clone().ok_or(SourceError::NotInPod)?;
        Ok(Some(NodeServiceAccount { name, namespace, node: node.to_owned() }))
    }
}

/// Where the agent serves its status, if it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpAddress {
    /// Nowhere.
    Off,
    /// Here.
    At(SocketAddr),
}

impl FromStr for HttpAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "off" => Ok(Self::Off),
            address => address
                .parse()
                .map(Self::At)
                .map_err(|_| "write an IP address and a port, such as 127.0.0.1:9112 or [::]:9112, or off".to_owned()),
        }
    }
}

/// Whether the election thread runs in real time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum RealtimeMode {
    /// If it may.
    Auto,
    /// Yes, with a warning if it may not.
    #[value(alias = "true")]
    On,
    /// No.
    #[value(alias = "false")]
    Off,
}

impl From<RealtimeMode> for Realtime {
    fn from(mode: RealtimeMode) -> Self {
        match mode {
            RealtimeMode::Auto => Self::Auto,
            RealtimeMode::On => Self::On,
            RealtimeMode::Off => Self::Off,
        }
    }
}

/// The form of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The form of `status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    Table,
    /// For programs: the same as `/debug/state`.
    Json,
}

fn parse_label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    fn source(arguments: &[&str]) -> Result<Result<Source, SourceError>, String> {
        let command = ["holdfast-agent", "run", "--node-name", "a"].iter().chain(arguments);
        let cli = Cli::try_parse_from(command).map_err(|error| error.to_string())?;
        let Command::Run(args) = cli.command else { panic!("run was asked for") };
        Ok(args.source())
    }

    fn kubernetes(namespace: Option<&str>, credentials: Credentials) -> Source {
        let (node, namespace) = ("a".to_owned(), namespace.map(str::to_owned));
        Source::Kubernetes(kubernetes::Options { node, namespace, credentials })
    }

    #[test]
    fn without_a_folder_the_source_is_kubernetes() {
        assert_eq!(source(&["--manifests", "/m"]), Ok(Ok(Source::Folder("/m".into()))));
        assert_eq!(source(&[]), Ok(Ok(kubernetes(None, Credentials::Pod(None)))));
        let file = kubernetes(Some("vips"), Credentials::Kubeconfig("/k".into()));
        assert_eq!(source(&["--kubeconfig", "/k", "--namespace", "vips"]), Ok(Ok(file)));
    }

    #[test]
    fn there_is_never_more_than_one_source() {
        for two in [["--manifests=/m", "--kubeconfig=/k"], ["--kubeconfig=/k", "--node-service-account=n"]] {
            let error = source(&two).expect_err("refused");
            assert!(error.contains("cannot be used with"), "{error}");
        }
    }

    #[test]
    fn a_token_is_exchanged_only_in_a_pod_that_knows_its_namespace() {
        let account = "--node-service-account=n";
        assert_eq!(source(&[account]), Ok(Err(SourceError::NotInPod)));
        let known = NodeServiceAccount { name: "n".to_owned(), namespace: "vips".to_owned(), node: "a".to_owned() };
        let source = source(&[account, "--pod-namespace=vips"]);
        assert_eq!(source, Ok(Ok(kubernetes(None, Credentials::Pod(Some(known))))));
    }

    #[test]
    fn status_is_served_at_an_address_with_a_port_or_not_at_all() {
        assert_eq!("off".parse(), Ok(HttpAddress::Off));
        let everywhere = SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 0], 80));
        assert_eq!("[::]:80".parse(), Ok(HttpAddress::At(everywhere)));
        for wrong in ["", "80", "127.0.0.1", "localhost:80"] {
            assert!(wrong.parse::<HttpAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn realtime_is_on_where_it_may_be_unless_something_else_is_said() {
        let mode = |arguments: &[&str]| {
            let command = ["holdfast-agent", "run", "--manifests", "m", "--node-name", "a"];
            let Command::Run(args) = Cli::try_parse_from([&command, arguments].concat())?.command else {
                unreachable!("it runs")
            };
            Ok::<_, clap::Error>(Realtime::from(args.realtime))
        };
        let cases: [(&[&str], Realtime); 6] = [
            (&[], Realtime::Auto),
            (&["--realtime"], Realtime::On),
            (&["--realtime", "--lock-memory"], Realtime::On),
            (&["--realtime=auto"], Realtime::Auto),
            (&["--realtime=on"], Realtime::On),
            (&["--realtime=off"], Realtime::Off),
        ];
        for (arguments, expected) in cases {
            assert_eq!(mode(arguments).expect("valid"), expected, "{arguments:?}");
        }
        assert!(mode(&["--realtime=maybe"]).is_err());
    }

    #[test]
    fn labels_are_pairs() {
        assert_eq!(parse_label("zone=a=b"), Ok(("zone".to_owned(), "a=b".to_owned())));
        assert_eq!(parse_label("zone="), Ok(("zone".to_owned(), String::new())));
        assert!(parse_label("zone").is_err());
        assert!(parse_label("=a").is_err());
    }
}
