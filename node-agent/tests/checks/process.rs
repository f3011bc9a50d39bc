//! The `process` probe.

use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up};

use crate::support::{Checks, Sleeper, eventually};

/// With this interval, whatever is seen sooner was seen by a notice.
const LONG: &str = "interval: 1h";
/// How soon a notice must have arrived on a machine that has nothing else to do.
const SOON: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_process_that_does_not_run_fails_at_once_whatever_fall_is() {
    let sleeper = Sleeper::new();
    let mut checks = Checks::of(&format!("{{process: {{name: {}}}, {LONG}, fall: 100}}", sleeper.name));
    checks.settles(Down).await;
    assert_eq!(checks.message(), format!("no process named {}", sleeper.name));
}

#[tokio::test]
async fn the_end_of_the_process_is_told_long_before_the_next_interval() {
    let sleeper = Sleeper::new();
    let mut fastest = Duration::MAX;
    // Other tests keep the processors busy, so the time is taken several times.
    for _ in 0..5 {
        let mut asleep = sleeper.start();
        let mut checks = Checks::of(&format!("{{process: {{name: {}}}, {LONG}, fall: 100}}", sleeper.name));
        checks.settles(Up).await;
        assert_eq!(checks.message(), format!("process {} runs", asleep.0.id()));

        let killed = asleep.kill();
        let down = checks.becomes("check", Down).await;
        assert_eq!(checks.message(), format!("no process named {}", sleeper.name), "it is not reaped yet: a zombie");
        fastest = fastest.min(down.at - killed);
    }
    println!("from the end of the process to the call: {fastest:?}");
    assert!(fastest < SOON, "{fastest:?}");
}

#[tokio::test]
async fn a_process_that_comes_back_is_found_at_the_interval_and_counts_towards_rise() {
    let sleeper = Sleeper::new();
    let mut first = sleeper.start();
    let spec = format!("{{process: {{name: {}}}, interval: 100ms, rise: 3}}", sleeper.name);
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;
    first.kill();
    checks.becomes("check", Down).await;

    let started = tokio::time::Instant::now();
    let second = sleeper.start();
    let up = checks.becomes("check", Up).await;

    // The first of the three probes may have begun before the process did.
    assert!(up.at - started >= Duration::from_millis(100), "{:?}", up.at - started);
    assert_eq!(checks.message(), format!("process {} runs", second.0.id()));
}

#[tokio::test]
async fn the_whole_command_line_must_be_the_same() {
    let sleeper = Sleeper::new();
    let _asleep = sleeper.start();
    let path = sleeper.path().display();

    let mut checks = Checks::of(&format!("process: {{commandLine: '{path} 1000'}}"));
    checks.settles(Up).await;

    let mut checks = Checks::of(&format!("process: {{commandLine: '{path} 100'}}"));
    checks.settles(Down).await;
    assert_eq!(checks.message(), format!("no process with command line \"{path} 100\""));

    let mut checks = Checks::of(&format!("process: {{name: other, commandLine: '{path} 1000'}}"));
    checks.settles(Down).await;
}

#[tokio::test]
async fn fewer_than_the_minimum_fail_at_once() {
    let sleeper = Sleeper::new();
    let [mut first, _second, mut third] = sleeper.start_several();
    let spec = format!("{{process: {{name: {}, minimum: 2}}, {LONG}, fall: 100}}", sleeper.name);
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;
    assert_eq!(checks.message(), format!("process {} and 1 more run", first.0.id()));

    first.kill();
    checks.says("and 1 more run").await;
    eventually("the two that are left are watched", || !checks.message().contains(&first.0.id().to_string())).await;
    checks.assert_quiet();

    third.kill();
    checks.becomes("check", Down).await;
    assert_eq!(checks.message(), format!("1 of at least 2 processes named {}", sleeper.name));
}

#[tokio::test]
async fn another_process_of_the_name_takes_over_without_a_word() {
    let sleeper = Sleeper::new();
    let [mut first, second] = sleeper.start_several();
    let mut checks = Checks::of(&format!("{{process: {{name: {}}}, {LONG}, rise: 1}}", sleeper.name));
    checks.settles(Up).await;

    first.kill();
    checks.says(&format!("process {} runs", second.0.id())).await;
    checks.assert_quiet();
}

#[tokio::test]
async fn more_than_the_maximum_fail_after_fall_readings() {
    let sleeper = Sleeper::new();
    let _first = sleeper.start();
    let spec = format!("{{process: {{name: {}, maximum: 1}}, interval: 100ms, rise: 1, fall: 2}}", sleeper.name);
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;

    let mut second = sleeper.start();
    checks.becomes("check", Down).await;
    assert_eq!(checks.message(), format!("2 processes named {}, at most 1 expected", sleeper.name));

    second.kill();
    checks.becomes("check", Up).await;
}
