//! Short-lived helper programs (`ip`, `nft`): run, wait, and turn a failure into a message that holds what they said.

use std::ffi::OsStr;
use std::io::Write;
use std::process::{Command, Output, Stdio};

use anyhow::{Context, Result, bail};

use super::requirements::find_program;

/// Runs `program` with `arguments` and returns what it wrote to standard output. A non-zero exit is an error.
pub fn run<S: AsRef<OsStr>>(program: &str, arguments: &[S]) -> Result<String> {
    finish(command(program).args(arguments), None)
}

/// As [`run`], with `input` on standard input: for batches of `ip` and rule sets of `nft`.
pub fn run_with_input<S: AsRef<OsStr>>(program: &str, arguments: &[S], input: &str) -> Result<String> {
    finish(command(program).args(arguments), Some(input))
}

/// A command for `program`, found also where an ordinary user's PATH does not look.
pub fn command(program: &str) -> Command {
    find_program(program).map_or_else(|| Command::new(program), Command::new)
}

fn finish(command: &mut Command, input: Option<&str>) -> Result<String> {
    let shown = format!("{command:?}");
    let output = collect(command, input).with_context(|| format!("cannot run {shown}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("{shown} failed ({}): {}{}", output.status, said.trim(), shown_input(input));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn collect(command: &mut Command, input: Option<&str>) -> std::io::Result<Output> {
    let stdin = if input.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    if let (Some(text), Some(mut pipe)) = (input, child.stdin.take()) {
        pipe.write_all(text.as_bytes())?;
    }
    child.wait_with_output()
}

fn shown_input(input: Option<&str>) -> String {
    input.map(|text| format!("\ninput was:\n{text}")).unwrap_or_default()
}
