//! Recovery: what is tried before a check fails.

use std::fs;
use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up};
use tokio::time::Instant;

use crate::support::{Checks, Commands, eventually};

/// A check that a file exists, with a recovery.
fn spec(commands: &Commands, file: &str, recovery: &str) -> String {
    format!("{{file: {{path: '{}'}}, interval: 1h, rise: 1, recovery: {{{recovery}}}}}", commands.trace(file).display())
}

async fn running(commands: &Commands, recovery: &str) -> Checks {
    fs::write(commands.trace("service"), "").unwrap();
    let mut checks = commands.checks();
    checks.apply(&[("check", &spec(commands, "service", recovery))]);
    checks.settles(Up).await;
    checks
}

#[tokio::test]
async fn a_recovery_that_helps_keeps_the_check_passing() {
    let commands = Commands::new();
    commands.script("restart", "echo \"$1 $HOLDFAST_CHECK $(id -un)\" >> TRACES/runs; touch TRACES/service");
    let mut checks = running(&commands, "command: [restart, now]").await;

    fs::remove_file(commands.trace("service")).unwrap();
    eventually("the recovery has run", || commands.read("runs") == "now check nobody\n").await;
    checks.says("service exists").await;

    checks.assert_quiet();
    assert_eq!(checks.get("check").passing, Some(true));
}

#[tokio::test]
async fn a_recovery_that_does_not_help_is_tried_as_often_as_said_and_not_again() {
    let commands = Commands::new();
    commands.script("restart", "echo run >> TRACES/runs; echo 'unit not found'; exit 5");
    let mut checks = running(&commands, "command: [restart], attempts: 3").await;

    fs::remove_file(commands.trace("service")).unwrap();
    checks.becomes("check", Down).await;
    let expected = format!(
        "{} does not exist; recovery did not help: exit status 5: unit not found",
        commands.trace("service").display()
    );
    assert_eq!(checks.message(), expected);
    assert_eq!(commands.read("runs"), "run\n".repeat(3));

    // While it fails, probes go on without recoveries.
    fs::write(commands.trace("other"), "").unwrap();
    fs::write(commands.trace("service"), "").unwrap();
    checks.becomes("check", Up).await;
    assert_eq!(commands.read("runs"), "run\n".repeat(3));
}

#[tokio::test]
async fn a_second_attempt_may_help() {
    let commands = Commands::new();
    commands.script("restart", "echo run >> TRACES/runs; test $(wc -l < TRACES/runs) -ge 2 && touch TRACES/service");
    let mut checks = running(&commands, "command: [restart], attempts: 3").await;

    fs::remove_file(commands.trace("service")).unwrap();
    eventually("the recovery has run twice", || commands.read("runs") == "run\n".repeat(2)).await;
    checks.says("service exists").await;
    checks.assert_quiet();
}

#[tokio::test]
async fn a_recovery_that_hangs_is_bounded_by_its_timeout() {
    let commands = Commands::new();
    commands.script("restart", "sleep 1000");
    let mut checks = running(&commands, "command: [restart], timeout: 300ms, attempts: 2").await;

    let removed = Instant::now();
    fs::remove_file(commands.trace("service")).unwrap();
    checks.says("recovering").await;
    let down = checks.becomes("check", Down).await;

    let took = down.at - removed;
    assert!(took >= Duration::from_millis(600) && took < Duration::from_secs(2), "{took:?}");
    assert!(checks.message().ends_with("recovery did not help: timed out after 300ms"), "{}", checks.message());
}

#[tokio::test]
async fn a_recovery_that_may_not_run_does_not_hold_the_failure_back() {
    let commands = Commands::new();
    fs::write(commands.trace("service"), "").unwrap();
    let mut checks = Checks::new();
    checks.apply(&[("check", &spec(&commands, "service", "command: [restart], attempts: 10, timeout: 10s"))]);
    checks.settles(Up).await;

    let removed = Instant::now();
    fs::remove_file(commands.trace("service")).unwrap();
    let down = checks.becomes("check", Down).await;
    assert!(down.at - removed < Duration::from_secs(1));
    assert!(checks.message().contains("; recovery failed: commands are off on this node"), "{}", checks.message());
}

#[tokio::test]
async fn recovery_waits_for_fall_failures() {
    let commands = Commands::new();
    commands.script("probe", "echo probe >> TRACES/log; test -e TRACES/service");
    commands.script("restart", "echo restart >> TRACES/log; touch TRACES/service");
    fs::write(commands.trace("service"), "").unwrap();
    let mut checks = commands.checks();
    let spec = "{command: {command: [probe]}, interval: 100ms, fall: 3, recovery: {command: [restart]}}";
    checks.apply(&[("check", spec)]);
    checks.settles(Up).await;

    fs::write(commands.trace("log"), "").unwrap();
    fs::set_permissions(commands.trace("log"), std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
    fs::remove_file(commands.trace("service")).unwrap();
    eventually("the recovery and a probe", || commands.read("log").contains("restart\nprobe\n")).await;

    let log = commands.read("log");
    let before = log.lines().take_while(|line| *line != "restart").count();
    assert!((3..=4).contains(&before), "three failures, at most one earlier success: {log}");
    checks.assert_quiet();
}

#[tokio::test]
async fn recovery_is_tried_before_the_first_failure_too() {
    let commands = Commands::new();
    commands.script("start", "touch TRACES/service");
    let mut checks = commands.checks();
    checks.apply(&[("check", &spec(&commands, "service", "command: [start]"))]);
    checks.settles(Up).await;
}

#[tokio::test]
async fn recovery_runs_as_the_user_that_it_names() {
    let commands = Commands::new();
    commands.script("restart", "id -un > TRACES/user; touch TRACES/service");
    let mut checks = running(&commands, "command: [restart], user: root").await;

    fs::remove_file(commands.trace("service")).unwrap();
    eventually("the recovery has run", || commands.read("user") == "root\n").await;
    checks.says("service exists").await;
    checks.assert_quiet();
}
