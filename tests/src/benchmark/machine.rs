//! What a report was measured on: enough to judge whether another machine is like it, and nothing that names it.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};
use serde::Serialize;

use crate::lab::{agent, program};

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Machine {
    kernel: String,
    processor: String,
    cores: usize,
    memory: String,
    keepalived: String,
    holdfast: String,
    commit: String,
    date: String,
}

impl Machine {
    /// This one, now.
    pub(super) fn read() -> Result<Self> {
        let processors = read("/proc/cpuinfo")?;
        let mut agent = Command::new(agent::binary()?);
        Ok(Self {
            kernel: read("/proc/sys/kernel/osrelease")?.trim().to_owned(),
            processor: field(&processors, "model name").unwrap_or("unknown").to_owned(),
            cores: std::thread::available_parallelism().context("cannot count the processors")?.get(),
            memory: memory(&read("/proc/meminfo")?),
            keepalived: first_line(program::command("keepalived").arg("--version"))?,
            holdfast: first_line(agent.arg("--version"))?,
            commit: commit(),
            date: program::run("date", &["-u", "+%Y-%m-%d %H:%M UTC"])?.trim().to_owned(),
        })
    }

    /// What a table shows.
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        vec![
            ("kernel", format!("Linux {}", self.kernel)),
            ("processor", format!("{} cores of {}", self.cores, self.processor)),
            ("memory", self.memory.clone()),
            ("keepalived", self.keepalived.clone()),
            ("Holdfast", format!("{}, commit {}", self.holdfast, self.commit)),
            ("date", self.date.clone()),
        ]
    }
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {path}"))
}

/// `model name : AMD EPYC`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.trim_start().strip_prefix(':').map(str::trim);
    text.lines().find_map(value)
}

fn memory(information: &str) -> String {
    let kibibytes =
        field(information, "MemTotal").and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    kibibytes.map_or_else(|| "unknown".to_owned(), |kibibytes| format!("{} GiB", (kibibytes + (1 << 19)) >> 20))
}

/// keepalived tells its version on standard error.
fn first_line(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot run {command:?}"))?;
    let text = [output.stdout, output.stderr].concat();
    Ok(String::from_utf8_lossy(&text).lines().next().unwrap_or("unknown").to_owned())
}

/// `1a2b3c4`, with `-dirty` where the working tree is not that commit.
fn commit() -> String {
    let described = program::run("git", &["describe", "--always", "--dirty", "--exclude", "*"]);
    described.map_or_else(|_| "unknown".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_found_in_the_kernels_words() {
        assert_eq!(field("processor\t: 0\nmodel name\t: AMD EPYC\n", "model name"), Some("AMD EPYC"));
        assert_eq!(memory("MemFree: 1 kB\nMemTotal:       24553456 kB\n"), "23 GiB");
        assert_eq!(memory(""), "unknown");
    }
}
