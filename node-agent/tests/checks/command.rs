//! The `command` probe: what may run, how it runs, and that nothing of it is left.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up};
use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, configure_capability_in_ambient_set, set_capabilities,
};
use tokio::time::Instant;

use crate::support::{Checks, Commands, eventually, is_alive, zombies};

/// Probes often enough that a second run while the first still runs would be seen.
const OFTEN: &str = "interval: 100ms";

#[tokio::test]
async fn exit_status_zero_passes_and_any_other_fails() {
    let commands = Commands::new();
    commands.script("good", "exit 0");
    commands.script("bad", "echo 'no quorum' >&2; exit 3");
    commands.script("crash", "kill -SEGV $$");
    for (name, state, message) in
        [("good", Up, "exit status 0"), ("bad", Down, "exit status 3: no quorum"), ("crash", Down, "killed by SIGSEGV")]
    {
        let mut checks = commands.checks();
        checks.apply(&[("check", &format!("command: {{command: [{name}]}}"))]);
        checks.settles(state).await;
        assert_eq!(checks.message(), message);
    }
}

#[tokio::test]
async fn arguments_are_passed_as_they_are_without_a_shell() {
    let commands = Commands::new();
    commands.script("show", r#"for argument; do printf '<%s>' "$argument"; done"#);
    let mut checks = commands.checks();
    checks.apply(&[("check", r#"command: {command: [show, "a b", "$HOME", "; exit 1", "*"]}"#)]);
    checks.settles(Up).await;
    assert_eq!(checks.message(), "exit status 0: <a b><$HOME><; exit 1><*>");
}

#[tokio::test]
async fn commands_are_off_without_a_command_folder() {
    let mut checks = Checks::of("command: {command: ['true']}");
    checks.settles(Down).await;
    assert_eq!(
        checks.message(),
        "commands are off on this node: start the agent with --command-dir; on Kubernetes, set agent.commandDir"
    );
}

#[tokio::test]
async fn a_command_runs_as_nobody_in_a_clean_environment() {
    let commands = Commands::new();
    commands.script("who", r#"echo "$(id -un) $(id -G) $(pwd) $(cat | wc -c)""#);
    commands.script("environment", "env | sort | tr '\\n' ' '");
    commands.script("descriptors", "ls -l /proc/$$/fd | grep -c 'socket:\\|anon_inode:'; exit 0");
    let mut checks = commands.checks();
    checks.apply(&[("check", "command: {command: [who]}")]);
    checks.settles(Up).await;
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    assert_eq!(checks.message(), format!("exit status 0: nobody {} / 0", nobody.gid));

    let mut checks = commands.checks();
    checks.apply(&[("check", "command: {command: [environment]}")]);
    checks.settles(Up).await;
    let path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    // The shell adds the folder that it is in.
    assert_eq!(checks.message(), format!("exit status 0: HOLDFAST_CHECK=check PATH={path} PWD=/"));

    let _socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut checks = commands.checks();
    checks.apply(&[("check", "command: {command: [descriptors]}")]);
    checks.settles(Up).await;
    assert_eq!(checks.message(), "exit status 0: 0", "no socket and no notice of the agent is handed on");
}

#[tokio::test]
async fn a_command_gets_no_ambient_capabilities_of_the_agent() {
    const RAW: CapabilitySet = CapabilitySet::NET_RAW;
    let commands = Commands::new();
    commands.script("show", "grep CapAmb /proc/self/status");
    // As a service manager starts an agent that is not root: for this thread, and those that it starts.
    let own = capabilities(None).unwrap();
    set_capabilities(None, CapabilitySets { inheritable: own.inheritable | RAW, ..own }).unwrap();
    configure_capability_in_ambient_set(RAW, true).unwrap();

    let mut checks = commands.checks();
    // Another user would lose them by the change of the user.
    checks.apply(&[("check", "command: {command: [show], user: root}")]);
    checks.settles(Up).await;

    assert_eq!(checks.message(), "exit status 0: CapAmb: 0000000000000000");
}

#[tokio::test]
async fn a_check_may_name_another_user() {
    let commands = Commands::new();
    commands.script("who", "id -un");
    for (user, state, message) in [
        ("root", Up, "exit status 0: root"),
        ("daemon", Up, "exit status 0: daemon"),
        ("no-such-user", Down, "there is no user no-such-user in /etc/passwd; write the number of a user instead"),
    ] {
        let mut checks = commands.checks();
        checks.apply(&[("check", &format!("command: {{command: [who], user: {user}}}"))]);
        checks.settles(state).await;
        assert_eq!(checks.message(), message);
    }
}

#[tokio::test]
async fn a_program_that_others_could_change_is_not_run() {
    let commands = Commands::new();
    let program = commands.script("check", "touch TRACES/ran");
    let spec = format!("{{command: {{command: [check]}}, {OFTEN}}}");

    fs::set_permissions(&program, Permissions::from_mode(0o757)).unwrap();
    let mut checks = commands.checks();
    checks.apply(&[("check", &spec)]);
    checks.settles(Down).await;
    assert!(checks.message().ends_with("can be written by others than root (mode 0757)"), "{}", checks.message());

    fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    chown(&program, Some(65534), None).unwrap();
    checks.says("belongs to user 65534, not to root").await;

    chown(&program, Some(0), None).unwrap();
    fs::set_permissions(commands.folder.path(), Permissions::from_mode(0o777)).unwrap();
    checks.says("can be written by others than root (mode 0777)").await;
    assert!(!commands.trace("ran").exists(), "it was never run");

    fs::set_permissions(commands.folder.path(), Permissions::from_mode(0o755)).unwrap();
    checks.becomes("check", Up).await;
}

#[tokio::test]
async fn a_program_outside_the_folder_is_not_run() {
    let commands = Commands::new();
    symlink("/bin/true", commands.folder.path().join("link")).unwrap();
    for (program, message) in [
        ("link", "link leads out of the command folder, to "),
        ("/bin/true", "/bin/true is no path below the command folder"),
        ("../../bin/true", "../../bin/true is no path below the command folder"),
        ("missing", "cannot look at "),
    ] {
        let mut checks = commands.checks();
        checks.apply(&[("check", &format!("command: {{command: ['{program}']}}"))]);
        checks.settles(Down).await;
        assert!(checks.message().starts_with(message), "{}", checks.message());
    }
}

#[tokio::test]
async fn what_cannot_be_executed_fails_and_says_why() {
    let commands = Commands::new();
    let program = commands.script("only-root", "exit 0");
    fs::set_permissions(&program, Permissions::from_mode(0o700)).unwrap();
    let mut checks = commands.checks();
    checks.apply(&[("check", "command: {command: [only-root]}")]);
    checks.settles(Down).await;
    let start = format!("cannot start {}: Permission denied", fs::canonicalize(program).unwrap().display());
    assert!(checks.message().starts_with(&start), "{}", checks.message());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_hangs_fails_at_the_timeout_and_is_killed_though_it_ignores_sigterm() {
    let commands = Commands::new();
    commands.script("hang", "trap '' TERM INT HUP\necho $$ > TRACES/leader\nwhile :; do sleep 1000; done");
    let mut checks = commands.checks();
    let start = Instant::now();
    checks.apply(&[("check", "{command: {command: [hang]}, timeout: 400ms, interval: 10s, fall: 1}")]);
    let down = checks.settles(Down).await;

    assert_eq!(checks.message(), "timed out after 400ms");
    let took = down.at - start;
    assert!((400..1_400).contains(&took.as_millis()), "{took:?}");
    let leader = commands.process("leader").await;
    eventually("the command is dead", || !is_alive(leader)).await;
    eventually("nothing is left to be reaped", || zombies().is_empty()).await;
}

#[tokio::test]
async fn what_the_command_forked_is_killed_with_it_at_the_timeout() {
    let commands = Commands::new();
    commands
        .script("fork", "(trap '' TERM; echo $$ >/dev/null; sleep 1000 & echo $! > TRACES/grandchild; wait) &\nwait");
    let mut checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [fork]}, timeout: 400ms, interval: 10s, fall: 1}")]);
    let grandchild = commands.process("grandchild").await;
    assert!(is_alive(grandchild));
    checks.settles(Down).await;
    eventually("the grandchild is dead", || !is_alive(grandchild)).await;
}

#[tokio::test]
async fn what_the_command_leaves_running_is_killed_when_it_ends() {
    let commands = Commands::new();
    commands.script("leave", "sleep 1000 & echo $! > TRACES/left\nexit 0");
    let mut checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [leave]}, interval: 10s, timeout: 5s, rise: 1}")]);
    checks.settles(Up).await;
    assert_eq!(checks.message(), "exit status 0");
    let left = commands.process("left").await;
    eventually("what was left is dead", || !is_alive(left)).await;
}

#[tokio::test]
async fn a_daemon_that_leaves_the_group_and_keeps_the_output_open_is_not_waited_for() {
    let commands = Commands::new();
    let daemon = "setsid sh -c 'echo $$ > TRACES/daemon; exec sleep 1000' &
        until test -s TRACES/daemon; do :; done
        echo started";
    commands.script("daemon", daemon);
    let mut checks = commands.checks();
    let start = Instant::now();
    checks.apply(&[("check", "{command: {command: [daemon]}, interval: 10s, timeout: 10s, rise: 1}")]);
    let up = checks.settles(Up).await;
    let daemon = commands.process("daemon").await;
    // The documented limit: what makes a session of its own escapes. So it is ended here.
    let killed = kill(Pid::from_raw(daemon.cast_signed()), SIGKILL);

    assert_eq!(killed, Ok(()), "it was still running");
    assert!(up.at - start < Duration::from_secs(5), "{:?}", up.at - start);
    assert_eq!(checks.message(), "exit status 0: started");
}

#[tokio::test]
async fn fifty_megabytes_of_output_neither_block_the_command_nor_stay_in_memory() {
    let commands = Commands::new();
    commands
        .script("flood", "head -c 50000000 /dev/zero | tr '\\0' 'x'; head -c 1000000 /dev/zero >&2; echo; echo done");
    let before = resident_kib();
    let mut checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [flood]}, timeout: 15s, interval: 1h, rise: 1}")]);
    checks.settles(Up).await;

    assert_eq!(checks.message(), "exit status 0: done");
    let grown = resident_kib().saturating_sub(before);
    // Other tests of this process run beside this one, so the bound is a loose one.
    assert!(grown < 40_000, "{grown} KiB more than before");
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[tokio::test]
async fn a_command_never_runs_twice_at_once() {
    let commands = Commands::new();
    let slow = "mkdir TRACES/lock || echo overlap >> TRACES/overlaps
        echo run >> TRACES/runs
        sleep 0.25
        rmdir TRACES/lock";
    commands.script("slow", slow);
    let mut checks = commands.checks();
    checks.apply(&[("check", &format!("{{command: {{command: [slow]}}, {OFTEN}, timeout: 5s}}"))]);
    checks.settles(Up).await;
    eventually("four runs", || commands.read("runs").lines().count() >= 4).await;
    assert_eq!(commands.read("overlaps"), "");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_is_dropped_takes_its_command_with_it() {
    let commands = Commands::new();
    commands.script("hang", "sleep 1000 &\necho $! > TRACES/child\necho $$ > TRACES/leader\nwait");
    let checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [hang]}, timeout: 1h}")]);
    let (leader, child) = (commands.process("leader").await, commands.process("child").await);
    assert!(is_alive(leader) && is_alive(child));

    checks.apply(&[]);
    eventually("leader and child are dead", || !is_alive(leader) && !is_alive(child)).await;
    eventually("nothing is left to be reaped", || zombies().is_empty()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_the_supervisor_ends_its_commands() {
    let commands = Commands::new();
    commands.script("hang", "echo $$ > TRACES/leader\nexec sleep 1000");
    let checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [hang]}, timeout: 1h}")]);
    let leader = commands.process("leader").await;
    drop(checks);
    eventually("the command is dead", || !is_alive(leader)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_changed_command_starts_when_the_old_one_does_nothing_any_more() {
    let commands = Commands::new();
    commands.script("old", "echo $$ > TRACES/leader\nwhile :; do echo at work >> TRACES/log; done");
    commands.script("new", "before=$(wc -c < TRACES/log); sleep 0.2; test $before = $(wc -c < TRACES/log)");
    let mut checks = commands.checks();
    checks.apply(&[("check", "{command: {command: [old]}, timeout: 1h}")]);
    let leader = commands.process("leader").await;
    eventually("the old one is at work", || commands.read("log").len() > 1_000).await;

    checks.apply(&[("check", "{command: {command: [new]}, timeout: 1h, fall: 1, rise: 1}")]);
    checks.settles(Up).await;
    eventually("the old one is dead", || !is_alive(leader)).await;
}
