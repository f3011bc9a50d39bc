//! The state folder: one agent each, and a full disk stops nothing.

use std::process::Command;
use std::time::Instant;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{virtual_ip, web};
use crate::support::timing::LONG;

#[test]
fn a_second_agent_with_the_same_state_folder_refuses_to_start() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.home.serve_at("127.0.0.1:8471");
    let start = Instant::now();
    let second = duo.a.home.start(&duo.a.host)?;
    let exit = second.process().wait(LONG)?;
    assert!(exit.code().is_some_and(|code| code != 0), "{:?}", exit.status);
    let folder = duo.a.home.state().display().to_string();
    second.wait_for_log(start, LONG, |line| line.contains(&folder))?;
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    assert!(duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn the_folder_of_a_killed_agent_can_be_used_again() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.kill()?;
    duo.a.start_as("MASTER")
}

fn run_on_a(duo: &Duo, script: &str) -> Result<()> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    let output = duo.a.host.namespace().output(command)?;
    ensure!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(())
}

#[test]
fn a_full_state_folder_stops_no_election_and_is_reported() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    let folder = duo.a.home.state().display().to_string();
    run_on_a(&duo, &format!("mount -t tmpfs -o size=64k tmpfs {folder}"))?;
    duo.a.start_as("MASTER")?;
    run_on_a(
        &duo,
        &format!("dd if=/dev/zero of={folder}/filler bs=4k count=100 2>/dev/null; test -s {folder}/filler"),
    )?;

    let change = Instant::now();
    let more = virtual_ip("more", "addresses: [10.77.0.101]\nvirtualRouterID: 52\nadvertisementInterval: 100ms\n");
    duo.a.home.write_manifest("more.yaml", &more)?;
    duo.a.wait_for("more", "MASTER")?;
    let reported = |line: &str| line.contains(&folder) && (line.contains("WARN") || line.contains("ERROR"));
    duo.a.agent()?.wait_for_log(change, LONG, reported)?;

    run_on_a(&duo, &format!("rm {folder}/filler"))?;
    duo.a.terminate()?;
    assert!(!duo.a.holds(VIP)? && !duo.a.holds([10, 77, 0, 101])?);
    Ok(())
}

#[test]
fn a_state_folder_that_is_full_at_the_start_stops_no_election() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    let folder = duo.a.home.state().display().to_string();
    run_on_a(&duo, &format!("mount -t tmpfs -o size=16k,nr_inodes=8 tmpfs {folder}"))?;
    run_on_a(
        &duo,
        &format!("dd if=/dev/zero of={folder}/filler bs=4k count=100 2>/dev/null; test -s {folder}/filler"),
    )?;
    duo.a.start_as("MASTER")?;
    duo.a.agent()?.signal(Signal::SIGTERM)?;
    assert_eq!(duo.a.agent()?.process().wait(LONG)?.code(), Some(0));
    Ok(())
}
