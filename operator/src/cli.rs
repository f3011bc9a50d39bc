//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::drain::DEFAULT_TAINT;

/// Plans what each node runs, and puts together what the nodes report, for virtual IP addresses in Kubernetes.
#[derive(Debug, Parser)]
#[command(name = "holdfast-operator", version)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What the operator can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run until a signal ends it. Of several operators one leads; the others stand by.
    Run(RunArgs),
    /// Print a completion script for a shell.
    Completion {
        /// The shell.
        shell: Shell,
    },
}

/// The options of `run`.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// How to reach the API server; without it, as pods do.
    #[arg(long, env = "HOLDFAST_KUBECONFIG", value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// The namespace of the installation, with the leases and service accounts. Without it, that of the pod or kubeconfig.
    #[arg(long, env = "HOLDFAST_NAMESPACE", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub namespace: Option<String>,
    /// The name of this operator, which no other may have at the same time. Without it, the name of the host.
    #[arg(long, env = "HOLDFAST_IDENTITY", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub identity: Option<String>,
    /// The Lease whose holder leads.
    #[arg(long, env = "HOLDFAST_LEASE_NAME", default_value = "holdfast-operator", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub lease_name: String,
    /// The `ClusterRole` that owns what is made for the agents: they are garbage when that is gone, as after
    /// `helm uninstall`. It must have the label `app.kubernetes.io/part-of: holdfast`. Without it, nothing owns them.
    #[arg(long, env = "HOLDFAST_OWNER", value_name = "NAME", value_parser = NonEmptyStringValueParser::new())]
    pub owner: Option<String>,
    /// Where to serve /livez, /readyz, /metrics and /debug/state.
    #[arg(long, env = "HOLDFAST_HTTP", default_value = "[::]:8080", value_name = "ADDR")]
    pub http: SocketAddr,
    /// The key of a taint that means that a node is being emptied: its addresses leave it. May be given more than once. In
    /// the variable: separated by commas; empty for none.
    #[arg(long = "drain-taint", env = "HOLDFAST_DRAIN_TAINTS", default_value = DEFAULT_TAINT, value_name = "KEY", value_delimiter = ',')]
    pub drain_taints: Vec<String>,
    /// How many objects are written a second, in the long run; twice as many at once.
    #[arg(long, env = "HOLDFAST_QPS", default_value_t = 200, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub qps: u32,
    /// The form of the log.
    #[arg(long, env = "HOLDFAST_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// The forms of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line, for programs.
    Json,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    fn run(arguments: &[&str]) -> RunArgs {
        let arguments = ["holdfast-operator", "run"].iter().chain(arguments);
        let Command::Run(args) = Cli::try_parse_from(arguments).unwrap().command else { panic!() };
        args
    }

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Cli::command().debug_assert();
    }

    #[test]
    fn a_pod_needs_no_options() {
        let args = run(&[]);
        assert_eq!(args.lease_name, "holdfast-operator");
        assert_eq!(args.drain_taints, ["node.kubernetes.io/out-of-service"]);
        assert_eq!(args.http.port(), 8080);
        assert_eq!(args.log_format, LogFormat::Text);
    }

    #[test]
    fn several_taints_may_be_given_and_replace_the_default() {
        assert_eq!(run(&["--drain-taint", "a", "--drain-taint", "b,c"]).drain_taints, ["a", "b", "c"]);
    }

    #[test]
    fn a_rate_of_nothing_is_refused() {
        assert!(Cli::try_parse_from(["holdfast-operator", "run", "--qps", "0"]).is_err());
    }
}
