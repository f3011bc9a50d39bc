//! Entry point of the node agent.

#![forbid(unsafe_code)]

use std::io;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use holdfast_node_agent::cli::{Cli, Command};
use holdfast_node_agent::source::{self, Folder};
use holdfast_node_agent::{logging, run, status};

fn main() -> Result<ExitCode> {
    match Cli::parse().command {
        Command::Run(args) => {
            logging::start(args.log_format);
            Ok(run::run(args)?.into())
        }
        Command::Check { manifests } => check(&manifests),
        Command::Status { http, output } => {
            let status = status::fetch(http)?;
            print!("{}", status::render(&status, output)?);
            Ok(ExitCode::SUCCESS)
        }
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "holdfast-agent", &mut io::stdout());
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn check(manifests: &Path) -> Result<ExitCode> {
    let (objects, problems) = source::check(&Folder::new(manifests)).context("nothing was checked")?;
    if problems.is_empty() {
        println!("{objects} objects, no problems");
        return Ok(ExitCode::SUCCESS);
    }
    for problem in &problems {
        println!("{problem}");
    }
    eprintln!("{} problems", problems.len());
    Ok(ExitCode::FAILURE)
}
