//! The `file` probe. The interval is so long that every change here is seen by a notice.

use std::fs;
use std::os::unix::fs::symlink;
use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up, Value};
use tokio::time::Instant;

use crate::support::{Checks, folder};

/// How soon a notice must have arrived on a machine that has nothing else to do.
const SOON: Duration = Duration::from_millis(100);

fn spec(path: &std::path::Path, mode: &str, interval: &str) -> String {
    format!("{{file: {{path: '{}', mode: {mode}}}, interval: {interval}, rise: 1, fall: 100}}", path.display())
}

#[tokio::test]
async fn a_file_that_must_exist_fails_the_check_when_it_goes_and_mends_it_when_it_comes() {
    let folder = folder(false);
    let file = folder.path().join("ready");
    fs::write(&file, "").unwrap();
    let mut checks = Checks::of(&spec(&file, "Exists", "1h"));
    checks.settles(Up).await;

    let mut fastest = Duration::MAX;
    // Other tests keep the processors busy, so the time is taken several times.
    for _ in 0..5 {
        let removed = Instant::now();
        fs::remove_file(&file).unwrap();
        let down = checks.becomes("check", Down).await;
        assert_eq!(checks.message(), format!("{} does not exist", file.display()));
        fastest = fastest.min(down.at - removed);

        fs::write(&file, "").unwrap();
        checks.becomes("check", Up).await;
        assert_eq!(checks.message(), format!("{} exists", file.display()));
    }
    println!("from the removal to the call: {fastest:?}");
    assert!(fastest < SOON, "{fastest:?}");
}

#[tokio::test]
async fn a_file_that_must_be_absent_fails_the_check_when_it_comes() {
    let folder = folder(false);
    let file = folder.path().join("maintenance");
    let mut checks = Checks::of(&spec(&file, "Absent", "1h"));
    checks.settles(Up).await;

    fs::write(&file, "").unwrap();
    checks.becomes("check", Down).await;

    fs::rename(&file, folder.path().join("moved-away")).unwrap();
    checks.becomes("check", Up).await;
}

#[tokio::test]
async fn a_number_counts_as_it_is_and_anything_else_as_zero() {
    let folder = folder(false);
    let file = folder.path().join("value");
    let mut checks = Checks::of(&spec(&file, "Value", "1h"));
    checks.settles(Value(0)).await;
    assert_eq!(checks.message(), format!("{} does not exist, which counts as 0", file.display()));

    fs::write(&file, "5\n").unwrap();
    checks.becomes("check", Value(5)).await;
    assert_eq!(checks.message(), format!("{} holds 5", file.display()));

    fs::write(folder.path().join("new"), "0\n").unwrap();
    fs::rename(folder.path().join("new"), &file).unwrap();
    checks.becomes("check", Value(0)).await;
    assert_eq!(checks.message(), format!("{} holds 0", file.display()));

    fs::write(&file, "-1").unwrap();
    checks.becomes("check", Value(-1)).await;
    fs::write(&file, "not a number").unwrap();
    checks.becomes("check", Value(0)).await;
}

#[tokio::test]
async fn the_files_of_a_mounted_config_map_are_seen_to_change() {
    let folder = folder(false);
    for (version, value) in [("..1", "0"), ("..2", "1")] {
        fs::create_dir(folder.path().join(version)).unwrap();
        fs::write(folder.path().join(version).join("value"), value).unwrap();
    }
    symlink("..1", folder.path().join("..data")).unwrap();
    symlink("..data/value", folder.path().join("value")).unwrap();
    let mut checks = Checks::of(&spec(&folder.path().join("value"), "Value", "1h"));
    checks.settles(Value(0)).await;

    symlink("..2", folder.path().join("..data_tmp")).unwrap();
    fs::rename(folder.path().join("..data_tmp"), folder.path().join("..data")).unwrap();

    checks.becomes("check", Value(1)).await;
}

#[tokio::test]
async fn a_folder_that_comes_later_is_found_at_the_interval_and_watched_from_then_on() {
    let folder = folder(false);
    let later = folder.path().join("later");
    let file = later.join("ready");
    let mut checks = Checks::of(&spec(&file, "Exists", "100ms"));
    checks.settles(Down).await;

    for _ in 0..2 {
        fs::create_dir(&later).unwrap();
        fs::write(&file, "").unwrap();
        checks.becomes("check", Up).await;
        fs::remove_dir_all(&later).unwrap();
        checks.becomes("check", Down).await;
    }
}

#[tokio::test]
async fn a_folder_that_is_replaced_is_followed() {
    let folder = folder(false);
    let (current, next) = (folder.path().join("current"), folder.path().join("next"));
    for (place, value) in [(&current, "0"), (&next, "1")] {
        fs::create_dir(place).unwrap();
        fs::write(place.join("value"), value).unwrap();
    }
    let mut checks = Checks::of(&spec(&current.join("value"), "Value", "100ms"));
    checks.settles(Value(0)).await;

    fs::rename(&current, folder.path().join("old")).unwrap();
    fs::rename(&next, &current).unwrap();
    checks.becomes("check", Value(1)).await;

    fs::write(folder.path().join("old/value"), "2").unwrap();
    fs::write(current.join("value"), "0").unwrap();
    checks.becomes("check", Value(0)).await;
}

#[tokio::test]
async fn a_file_that_is_written_all_the_time_does_not_stop_its_check() {
    let folder = folder(false);
    let file = folder.path().join("value");
    fs::write(&file, "0").unwrap();
    let mut checks = Checks::of(&spec(&file, "Value", "1h"));
    checks.settles(Value(0)).await;

    let writer = file.clone();
    let writing = tokio::task::spawn_blocking(move || {
        for _ in 0..300 {
            fs::write(&writer, "0").unwrap();
        }
        fs::write(&writer, "3").unwrap();
    });
    writing.await.unwrap();

    checks.becomes("check", Value(3)).await;
    checks.says("holds 3").await;
}
