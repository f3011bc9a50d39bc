//! Nothing is left of a demo that is interrupted: alone in its program, because a machine runs one cluster at a time.
//!
//! That it keeps its promises is what the demo itself tells, by its exit code.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use holdfast_tests::cluster::lock;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

const DEMO: &str = env!("CARGO_BIN_EXE_holdfast-demo");

/// What the demo says as soon as its cluster is ready.
const IN_THE_MIDDLE: &str = "=== 1.";

/// What a process and its children have in the kernel that outlives a process, by the name that begins so.
fn named(prefix: &str) -> Result<Vec<String>> {
    let names = fs::read_dir("/run/netns").into_iter().flatten();
    let names = names.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let mut found: Vec<String> = names.filter(|name| name.starts_with(prefix)).collect();
    let cgroups =
        Command::new("find").args(["/sys/fs/cgroup", "-type", "d", "-name", &format!("{prefix}*")]).output()?;
    found.extend(String::from_utf8_lossy(&cgroups.stdout).lines().map(str::to_owned));
    Ok(found)
}

/// The processes whose arguments name a folder: servers and nodes keep everything there.
fn processes_with(folder: &str) -> Result<Vec<String>> {
    let arguments = |entry: fs::DirEntry| {
        // A process may end while it is looked at.
        let bytes = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&bytes).replace('\0', " ")
    };
    let all = fs::read_dir("/proc")?.collect::<Result<Vec<_>, _>>()?.into_iter().map(arguments);
    Ok(all.filter(|arguments| arguments.contains(folder)).collect())
}

fn only_child_of(parent: u32) -> Result<u32> {
    let children = fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))?;
    children.trim().parse().with_context(|| format!("not one child: {children:?}"))
}

/// One test, because both halves need the machine's only cluster.
#[test]
fn nothing_is_left_of_a_demo_that_was_interrupted_and_a_second_one_refuses_to_start() -> Result<()> {
    let temporary = tempfile::tempdir()?;
    let folder = temporary.path().to_str().context("a path that is text")?;
    let mut demo = Command::new(DEMO).env("TMPDIR", folder).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(demo.stdout.take().context("a pipe")?).lines();
    let reached = lines.by_ref().map_while(Result::ok).any(|line| line.starts_with(IN_THE_MIDDLE));
    assert!(reached, "the demo ended before");

    let second = Command::new(DEMO).output()?;
    let said = String::from_utf8_lossy(&second.stderr);
    assert!(!second.status.success() && said.contains("runs a cluster"), "{said}");

    let prefix = format!("hf-{}-", only_child_of(demo.id())?);
    assert!(named(&prefix)?.len() > 5 && !processes_with(folder)?.is_empty(), "a cluster must be seen by these means");
    kill(Pid::from_raw(i32::try_from(demo.id())?), Signal::SIGINT)?;
    // Whoever writes to a pipe that nobody reads would end by that.
    let rest: Vec<String> = lines.map_while(Result::ok).collect();
    assert_eq!(demo.wait()?.code(), Some(130), "{rest:#?}");

    assert_eq!(fs::read_dir(folder)?.count(), 0);
    assert_eq!(processes_with(folder)?, Vec::<String>::new());
    assert_eq!(named(&prefix)?, Vec::<String>::new());
    assert_eq!(lock::holder()?, None, "another cluster may be started");
    Ok(())
}
