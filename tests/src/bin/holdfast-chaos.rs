//! `make chaos`: breaks everything on purpose on a real Kubernetes, and measures what it costs. Needs root.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use holdfast_tests::chaos::{self, Plan};
use holdfast_tests::{demo, guard};

/// Plays faults on a Kubernetes of three nodes in namespaces of this machine, with Holdfast installed by its chart.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which rows to play; without it, all, or with `--short` some.
    rows: Vec<String>,
    /// Each as short as it can be.
    #[arg(long)]
    short: bool,
    /// Lists the rows.
    #[arg(long)]
    list: bool,
    /// Where the records of the rows go: logs, captures, statuses.
    #[arg(long, value_name = "FOLDER", default_value = "target/chaos")]
    records: PathBuf,
    /// Where to write the page; all figures go into a file of the same name that ends in `.json`.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// What was typed to get the page, for the page.
    #[arg(long, default_value = "holdfast-chaos")]
    command: String,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        for row in chaos::ROWS {
            println!("{:20} {}", row.name, row.fault);
        }
        return Ok(ExitCode::SUCCESS);
    }
    chaos::select(&arguments.rows, arguments.short)?;
    if !guard::is_inner() {
        demo::refuse_beside_another_cluster()?;
        return guard::run();
    }
    guard::listen_to_signals_again()?;
    let records = std::path::absolute(&arguments.records)?;
    let matrix = chaos::run(&Plan { rows: arguments.rows, short: arguments.short, records: records.clone() })?;
    let page = arguments.markdown.unwrap_or_else(|| records.join("chaos.md"));
    let missed = matrix.missed();
    chaos::write(matrix, &arguments.command, &page)?;
    println!("\nThe table is in {}, the records are in {}.", page.display(), records.display());
    println!("{missed} rows missed their promises.");
    Ok(if missed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
