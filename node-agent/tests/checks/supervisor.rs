//! The supervisor: which checks run, and what is told when they change.

use std::fs;

use holdfast_vrrp::TrackState::{Down, Unknown, Up};
use tokio::net::TcpListener;
use tokio::time::{Duration, sleep};

use crate::support::{Checks, Sleeper, eventually, folder};

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

#[tokio::test]
async fn a_new_check_begins_with_its_initial_state() {
    let mut checks = Checks::new();
    for (initial, state, passing) in
        [("Unknown", Unknown, None), ("Passing", Up, Some(true)), ("Failing", Down, Some(false))]
    {
        checks.apply(&[(initial, &format!("{{tcp: {{port: 1}}, initialState: {initial}}}"))]);
        checks.becomes(initial, state).await;
        let snapshot = checks.get(initial);
        assert_eq!((snapshot.passing, snapshot.since.is_some()), (passing, passing.is_some()));
    }
}

#[tokio::test]
async fn an_assumed_state_holds_until_rise_or_fall_say_otherwise() {
    let sleeper = Sleeper::new();
    let _asleep = sleeper.start();
    let spec = format!("{{process: {{name: {}}}, initialState: Failing, interval: 100ms, rise: 2}}", sleeper.name);
    let mut checks = Checks::of(&spec);
    checks.becomes("check", Down).await;
    checks.becomes("check", Up).await;

    let mut checks = Checks::of("{tcp: {port: 1}, initialState: Passing, interval: 100ms, fall: 2}");
    checks.becomes("check", Up).await;
    checks.says("connection refused").await;
    checks.becomes("check", Down).await;
}

#[tokio::test]
async fn an_unchanged_check_keeps_its_state_and_its_task() {
    let (listener, port) = listener().await;
    let spec = format!("{{tcp: {{port: {port}}}, interval: 1h, rise: 1, weight: 0}}");
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;
    let (_connection, _) = listener.accept().await.unwrap();

    for weight in [0, 0, 10, -10] {
        checks.apply(&[("check", &spec.replace("weight: 0", &format!("weight: {weight}")))]);
    }
    // A task that had been started anew would probe within the spread of 100 ms.
    assert!(tokio::time::timeout(Duration::from_millis(500), listener.accept()).await.is_err());
    checks.assert_quiet();
}

#[tokio::test]
async fn a_changed_check_keeps_its_state_until_the_new_probe_decides() {
    let (listener, port) = listener().await;
    let mut checks = Checks::of(&format!("{{tcp: {{port: {port}}}, interval: 100ms}}"));
    checks.settles(Up).await;

    let (_other, other_port) = self::listener().await;
    checks.apply(&[("check", &format!("{{tcp: {{port: {other_port}}}, interval: 100ms}}"))]);
    checks.says(&other_port.to_string()).await;
    checks.assert_quiet();
    assert_eq!(checks.get("check").passing, Some(true));

    drop(listener);
    checks.apply(&[("check", &format!("{{tcp: {{port: {port}}}, interval: 100ms}}"))]);
    checks.becomes("check", Down).await;
}

#[tokio::test]
async fn a_check_that_is_gone_is_not_heard_of_again() {
    let folder = folder(false);
    let file = folder.path().join("ready");
    let spec = format!("{{file: {{path: '{}'}}, rise: 1, interval: 100ms}}", file.display());
    let mut checks = Checks::new();
    checks.apply(&[("gone", &spec), ("kept", &spec)]);
    for state in [Unknown, Unknown, Down, Down] {
        assert_eq!(checks.next().await.state, state);
    }

    checks.apply(&[("kept", &spec)]);
    fs::write(&file, "").unwrap();
    checks.becomes("kept", Up).await;
    sleep(Duration::from_millis(200)).await;
    checks.assert_quiet();
    assert_eq!(checks.supervisor.snapshot().len(), 1);

    checks.apply(&[("kept", &spec), ("gone", &spec)]);
    checks.becomes("gone", Unknown).await;
    checks.becomes("gone", Up).await;
}

#[tokio::test]
async fn a_kind_that_this_agent_does_not_carry_out_fails_and_says_so() {
    for (kind, spec) in [
        ("grpc", "grpc: {port: 1}"),
        ("dns", "dns: {name: example.org}"),
        ("udp", "udp: {port: 1}"),
        ("icmp", "icmp: {host: 127.0.0.1}"),
        ("smtp", "smtp: {}"),
        ("kubernetes", "kubernetes: {nodeCondition: {}}"),
    ] {
        let mut checks = Checks::of(spec);
        checks.settles(Down).await;
        assert_eq!(checks.message(), format!("kind {kind} is not supported by this agent"));
    }
}

#[tokio::test]
async fn what_the_schema_would_refuse_fails_and_does_no_harm() {
    for (spec, message) in [
        ("{}", "the check has no probe, or more than one"),
        ("{tcp: {port: 1}, icmp: {host: a}}", "the check has no probe, or more than one"),
        ("http: {port: 1, bodyRegex: '('}", "bodyRegex: "),
        ("http: {port: 1, path: 'no slash'}", "the request cannot be built: "),
        ("http: {port: 1, headers: [{name: 'a b', value: c}]}", "header a b: "),
        ("http: {port: 1, scheme: HTTPS, tls: {serverName: '..'}}", ".. is no name that a certificate can be for"),
        ("file: {path: /}", "/ is no path of a file"),
    ] {
        let mut checks = Checks::of(spec);
        checks.settles(Down).await;
        assert!(checks.message().starts_with(message), "{spec}: {}", checks.message());
    }
}

#[tokio::test]
async fn of_two_checks_with_one_name_the_first_counts() {
    let (_listener, port) = listener().await;
    let mut checks = Checks::new();
    checks.apply(&[("check", &format!("tcp: {{port: {port}}}")), ("check", "tcp: {port: 1}")]);
    checks.settles(Up).await;
    checks.assert_quiet();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_checks_run_side_by_side() {
    const COUNT: usize = 200;
    let (listener, port) = listener().await;
    let accepting = tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let spec = format!("{{tcp: {{port: {port}}}, interval: 500ms, timeout: 5s}}");
    let names: Vec<String> = (0..COUNT).map(|number| format!("check-{number}")).collect();
    let mut checks = Checks::new();
    checks.apply(&names.iter().map(|name| (name.as_str(), spec.as_str())).collect::<Vec<_>>());

    let all_pass = |checks: &Checks| checks.supervisor.snapshot().iter().all(|check| check.passing == Some(true));
    eventually("all of them pass", || all_pass(&checks)).await;
    for _ in 0..2 * COUNT {
        checks.next().await;
    }
    checks.assert_quiet();
    accepting.abort();
}
