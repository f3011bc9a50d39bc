//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

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
    /// Run elections and hold addresses, as the manifests of a folder say. Needs `CAP_NET_ADMIN` and `CAP_NET_RAW`.
    Run(RunArgs),
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
    #[arg(long, env = "HOLDFAST_MANIFESTS", value_name = "DIR")]
    pub manifests: PathBuf,
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
    /// Give the election thread the real-time policy `SCHED_RR`. Needs `CAP_SYS_NICE`.
    #[arg(long, env = "HOLDFAST_REALTIME")]
    pub realtime: bool,
    /// Keep the process in memory. Needs `CAP_IPC_LOCK`.
    #[arg(long, env = "HOLDFAST_LOCK_MEMORY")]
    pub lock_memory: bool,
    /// The form of the log on standard error. `RUST_LOG` sets what is logged.
    #[arg(long, env = "HOLDFAST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text, value_name = "FORMAT")]
    pub log_format: LogFormat,
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
    fn labels_are_pairs() {
        assert_eq!(parse_label("zone=a=b"), Ok(("zone".to_owned(), "a=b".to_owned())));
        assert_eq!(parse_label("zone="), Ok(("zone".to_owned(), String::new())));
        assert!(parse_label("zone").is_err());
        assert!(parse_label("=a").is_err());
    }
}
