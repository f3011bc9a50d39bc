//! `make demo`: shows on a real Kubernetes of three nodes what Holdfast does, and measures it. Needs root.

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use holdfast_tests::{demo, guard};

/// Starts a Kubernetes of three nodes in namespaces of this machine, installs Holdfast, breaks everything, and removes it all.
#[derive(Debug, Parser)]
struct Arguments {}

fn main() -> Result<ExitCode> {
    Arguments::parse();
    if !guard::is_inner() {
        demo::refuse_beside_another_cluster()?;
        return guard::run();
    }
    guard::listen_to_signals_again()?;
    Ok(if demo::run()? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
