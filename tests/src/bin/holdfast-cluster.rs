//! `make cluster`: a real Kubernetes of three nodes on this machine, to play with. Needs root.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};
use holdfast_tests::cluster::developer;

/// A real Kubernetes of three nodes in namespaces of this machine.
#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a cluster and leave it running.
    Up {
        /// OCI archives to load into all nodes, for pods with `imagePullPolicy: Never`: there is no registry.
        images: Vec<PathBuf>,
    },
    /// End it, and remove all that is left of it.
    Down,
    /// Say who runs a cluster, and show its nodes.
    Status,
    /// Run kubectl as one who may do everything.
    Kubectl {
        /// Arguments of kubectl.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// What runs in the background.
    #[command(hide = true)]
    Keep {
        /// As for `up`.
        images: Vec<PathBuf>,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().command {
        Command::Up { images } => developer::up(&images),
        Command::Down => developer::down(),
        Command::Status => developer::status(),
        Command::Kubectl { arguments } => developer::kubectl(&arguments),
        Command::Keep { images } => developer::keep(&images),
    }
}
