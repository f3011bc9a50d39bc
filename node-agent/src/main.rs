//! Entry point of the node agent.

#![forbid(unsafe_code)]

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result};
use clap::{CommandFactory, Parser};
use holdfast_node_agent::cli::{Cli, Command};
use holdfast_node_agent::source::{self, Folder};
use holdfast_node_agent::{logging, run, status};

fn main() -> ExitCode {
    match carry_out(Cli::parse().command) {
        Ok(code) => code,
        // Who reads only the beginning, as `head` does, has seen enough.
        Err(error) if is_closed_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("holdfast-agent: {}", explain(&error));
            ExitCode::FAILURE
        }
    }
}

fn carry_out(command: Command) -> Result<ExitCode> {
    match command {
        Command::Run(args) => {
            logging::start(args.log_format);
            Ok(run::run(*args)?.into())
        }
        Command::Check { manifests } => check(&manifests),
        Command::Status { http, output } => {
            let status = status::fetch(http)?;
            print(&status::render(&status, output)?)
        }
        Command::Completion { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "holdfast-agent", &mut script);
            print(&String::from_utf8(script)?)
        }
    }
}

fn check(folder: &Path) -> Result<ExitCode> {
    let checked = source::check(&Folder::new(folder)).context("nothing was checked")?;
    if checked.problems.is_empty() {
        return print(&format!("{}: no problems in {}\n", folder.display(), checked.counted()));
    }
    for problem in &checked.problems {
        print(&format!("{problem}\n"))?;
    }
    let problems =
        if checked.problems.len() == 1 { "1 problem" } else { &format!("{} problems", checked.problems.len()) };
    eprintln!("{}: {problems}", folder.display());
    Ok(ExitCode::FAILURE)
}

fn print(text: &str) -> Result<ExitCode> {
    io::stdout().write_all(text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes in one line, without those that it has named itself.
fn explain(error: &anyhow::Error) -> String {
    error.chain().map(ToString::to_string).fold(String::new(), |text, cause| {
        if text.contains(&cause) {
            text
        } else if text.is_empty() {
            cause
        } else {
            format!("{text}: {cause}")
        }
    })
}
