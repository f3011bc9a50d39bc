//! `make bench`: measures Holdfast and keepalived side by side, and writes a report.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use anyhow::Result;
use clap::{Parser, ValueEnum};
use holdfast_tests::benchmark::{self, Output, Settings, Subject};
use holdfast_tests::guard;

/// Measures failovers, memory and processor time of both programs on the same work. Needs root, and keepalived.
#[derive(Debug, Parser)]
struct Arguments {
    /// What to measure; without it, everything.
    only: Vec<Subject>,
    /// A few runs instead of many: less than 5 minutes for everything.
    #[arg(long)]
    quick: bool,
    /// What chance is made from; the report names it. Default: another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Where to write the page; its plots go into a folder of the same name.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Where to write all samples.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// The command that the report names.
    #[arg(long, default_value = "make bench", value_name = "TEXT")]
    command: String,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if !guard::is_inner() {
        return guard::run();
    }
    guard::listen_to_signals_again()?;
    let subjects: Vec<Subject> =
        if arguments.only.is_empty() { Subject::value_variants().to_vec() } else { arguments.only };
    let settings = if arguments.quick { Settings::quick() } else { Settings::full() };
    let seed = arguments.seed.unwrap_or_else(fresh_seed);
    eprintln!("seed {seed}");
    let findings = benchmark::measure(&subjects, &settings, seed, arguments.command)?;
    benchmark::write(&findings, &Output { markdown: arguments.markdown, json: arguments.json })?;
    println!("{}", findings.table());
    Ok(if findings.is_complete() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Short enough to be typed again.
fn fresh_seed() -> u64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |time| u64::from(time.subsec_nanos()))
}
