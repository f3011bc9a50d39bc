//! `make demo-standalone`: shows on three nodes in network namespaces what Holdfast does without Kubernetes, and measures it.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::Parser;
use holdfast_crds::DurationString;
use holdfast_tests::demo_standalone;
use holdfast_tests::guard;

/// Three nodes hold the addresses of docs/examples/classic while everything is done to them. Needs root.
#[derive(Debug, Parser)]
struct Arguments {
    /// The time between two adverts: whole seconds speak VRRPv2 with a password, anything else VRRPv3.
    #[arg(long, default_value = "1s")]
    interval: DurationString,
}

fn main() -> Result<ExitCode> {
    let interval: Duration = Arguments::parse().interval.into();
    if !guard::is_inner() {
        return guard::run();
    }
    guard::listen_to_signals_again()?;
    Ok(if demo_standalone::run(interval)? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
