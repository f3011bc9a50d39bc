//! Command checks and recovery commands: programs that fail, hang, fork and shout.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::lab::wait;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, web};
use crate::support::timing::{INTERVAL, LONG, NOISE, noise_since};

const TRACKED: &str = "healthChecks: [{name: script}]\n";

/// A lone node with a command check on `script`, which has this content. It passes while /run/good exists.
fn with_script(script: &str, more: &str) -> Result<Duo> {
    with_slow_script(script, "300ms", more)
}

fn with_slow_script(script: &str, timeout: &str, more: &str) -> Result<Duo> {
    let check = format!("command: {{command: [check]}}\ninterval: 200ms\ntimeout: {timeout}\nrise: 1\nfall: 1\n{more}");
    let mut duo = Duo::new(&[web(TRACKED), health_check("script", &check)])?;
    duo.a.home.allow_commands();
    duo.a.home.write_command("check", script)?;
    Ok(duo)
}

fn on_a(duo: &Duo, script: &str) -> Result<String> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", script]);
    Ok(String::from_utf8_lossy(&duo.a.host.namespace().output(command)?.stdout).trim().to_owned())
}

const GOOD_WHILE_THE_FILE_EXISTS: &str = "#!/bin/sh\ntest -e /run/good\n";

#[test]
fn the_exit_code_decides() -> Result<()> {
    let mut duo = with_script(GOOD_WHILE_THE_FILE_EXISTS, "")?;
    on_a(&duo, "touch /run/good")?;
    duo.a.start_as("MASTER")?;
    on_a(&duo, "rm /run/good")?;
    duo.a.wait_for("web", "FAULT")?;
    on_a(&duo, "touch /run/good")?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_command_that_hangs_is_killed_with_everything_that_it_started() -> Result<()> {
    // It ignores SIGTERM, and its child would outlive it.
    let script = "#!/bin/sh\ntest -e /run/good && exit 0\ntrap '' TERM\nsleep 1234 &\nsleep 1234\n";
    let mut duo = with_script(script, "")?;
    on_a(&duo, "touch /run/good")?;
    duo.a.start_as("MASTER")?;
    let event = Instant::now();
    on_a(&duo, "rm /run/good")?;
    duo.a.wait_for("web", "FAULT")?;
    assert!(event.elapsed() <= Duration::from_millis(500) + NOISE + noise_since(event), "{:?}", event.elapsed());
    on_a(&duo, "touch /run/good")?;
    duo.a.wait_for("web", "MASTER")?;
    let left = on_a(&duo, "grep -lx sleep /proc/[0-9]*/comm 2>/dev/null | wc -l")?;
    // The node's own init does not sleep.
    assert_eq!(left, "0");
    Ok(())
}

#[test]
fn a_command_that_prints_megabytes_passes_and_does_not_grow_the_agent() -> Result<()> {
    let script = "#!/bin/sh\nhead -c 20000000 /dev/zero | tr '\\0' x\nexit 0\n";
    let mut duo = with_slow_script(script, "10s", "")?;
    duo.a.start_as("MASTER")?;
    std::thread::sleep(Duration::from_secs(2));
    let path = format!("/proc/{}/status", duo.a.agent()?.process().pid());
    let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().context("VmRSS is a number")?;
    assert!(kilobytes < 100_000, "{kilobytes} kB resident");
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    Ok(())
}

#[test]
fn a_command_check_is_refused_unless_the_agent_allows_commands() -> Result<()> {
    let check = health_check("script", "command: {command: [check]}\ninterval: 200ms\n");
    let mut duo = Duo::new(&[web(TRACKED), check])?;
    duo.a.home.write_command("check", "#!/bin/sh\ntouch /run/was-run\n")?;
    duo.a.start_as("FAULT")?;
    assert_eq!(on_a(&duo, "ls /run/was-run 2>/dev/null | wc -l")?, "0");
    Ok(())
}

#[test]
fn a_command_that_others_may_write_is_refused() -> Result<()> {
    use std::os::unix::fs::PermissionsExt;
    let mut duo = with_script("#!/bin/sh\nexit 0\n", "")?;
    fs::set_permissions(duo.a.home.commands().join("check"), fs::Permissions::from_mode(0o777))?;
    duo.a.start_as("FAULT")?;
    let status = duo.a.status()?;
    let message = status.health_check("script").and_then(|check| check.message.clone()).unwrap_or_default();
    assert!(message.contains("writ"), "it says why: {message}");
    Ok(())
}

#[test]
fn commands_run_as_an_unprivileged_user_without_the_agents_environment() -> Result<()> {
    // It runs again and again: what is read must be of one run.
    let script = "#!/bin/sh\ncd /run/result\n{ id -u; env | grep -c NO_COLOR; } > new\nmv new seen\n";
    let mut duo = with_script(script, "")?;
    on_a(&duo, "mkdir -m 1777 /run/result")?;
    duo.a.start_as("MASTER")?;
    let seen = on_a(&duo, "cat /run/result/seen")?;
    let (user, inherited) = seen.split_once('\n').context("two lines")?;
    assert_ne!(user, "0", "not as root");
    assert_eq!(inherited, "0", "no variable of the agent");
    Ok(())
}

#[test]
fn a_recovery_that_mends_what_the_check_found_keeps_the_address_where_it_is() -> Result<()> {
    let recovery = "recovery: {command: [mend], timeout: 2s}\n";
    let mut duo = with_script("#!/bin/sh\ntest -e /run/shared/good\n", recovery)?;
    duo.a.home.write_command("mend", "#!/bin/sh\ntouch /run/shared/good /run/shared/mended\n")?;
    on_a(&duo, "mkdir -m 1777 /run/shared && touch /run/shared/good && chmod 666 /run/shared/good")?;
    duo.a.start_as("MASTER")?;
    let before = duo.a.router("web")?.transitions;
    on_a(&duo, "rm /run/shared/good")?;
    wait::until("the recovery ran", LONG, || Ok(on_a(&duo, "ls /run/shared/mended 2>/dev/null | wc -l")? == "1"))?;
    std::thread::sleep(INTERVAL * 10);
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}

#[test]
fn a_recovery_that_does_not_help_does_not_keep_the_address() -> Result<()> {
    let recovery = "recovery: {command: [mend], timeout: 1s, attempts: 2}\n";
    let mut duo = with_script(GOOD_WHILE_THE_FILE_EXISTS, recovery)?;
    duo.a.home.write_command("mend", "#!/bin/sh\nexit 0\n")?;
    on_a(&duo, "touch /run/good")?;
    duo.a.start_as("MASTER")?;
    on_a(&duo, "rm /run/good")?;
    duo.a.wait_for("web", "FAULT")?;
    Ok(())
}

#[test]
fn a_command_does_not_outlive_an_agent_that_is_killed() -> Result<()> {
    let script = "#!/bin/sh\necho $$ > /run/shared/running\nexec sleep 1234\n";
    let mut duo = with_slow_script(script, "60s", "")?;
    on_a(&duo, "mkdir -m 1777 /run/shared")?;
    let running = |duo: &Duo| {
        let shown = on_a(duo, "test -s /run/shared/running && ps -o stat= -p $(cat /run/shared/running)")?;
        Ok(!shown.is_empty() && !shown.starts_with('Z'))
    };
    duo.a.start()?;
    wait::until("the command runs", LONG, || running(&duo))?;
    // Longer than idle threads of the agent live, to which the kernel could tie the command.
    std::thread::sleep(Duration::from_secs(12));
    assert!(running(&duo)?, "while the agent does");
    duo.a.kill()?;
    wait::until("the command is gone", LONG, || Ok(!running(&duo)?))?;
    Ok(())
}
