//! Process checks, with real nginx processes: the kernel tells of a death, not the next poll.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::lab::Nginx;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, web};
use crate::support::timing::{LONG, noise_since, skew};

const TRACKED: &str = "healthChecks: [{name: nginx}]\n";

#[test]
fn the_death_of_a_process_is_noticed_without_waiting_for_the_interval() -> Result<()> {
    // With a poll, an hour would pass.
    let check = health_check("nginx", "process: {name: nginx}\ninterval: 1h\n");
    let mut duo = Duo::new(&[web(TRACKED), check])?;
    let on_a = Nginx::start(&duo.a.host, 80)?;
    let _on_b = Nginx::start(&duo.b.host, 80)?;
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    let prober = duo.probe()?;
    let event = Instant::now();
    on_a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.a.wait_for("web", "FAULT")?;
    let report = prober.stop()?;
    let switched = report.switched(event, &duo.b.host).context("b never answered")?;
    assert!(switched <= skew(100) + noise_since(event), "{switched:?}");
    Ok(())
}

#[test]
fn the_classic_example_moves_by_weight_without_a_loss_and_back_again() -> Result<()> {
    let check = health_check("nginx", "process: {name: nginx}\ninterval: 200ms\nrise: 1\nweight: -150\n");
    let mut duo = Duo::new(&[web(TRACKED), check])?;
    let on_a = Nginx::start(&duo.a.host, 80)?;
    let _on_b = Nginx::start(&duo.b.host, 80)?;
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    let prober = duo.probe()?;
    let event = Instant::now();
    on_a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.a.wait_for("web", "BACKUP")?;
    assert_eq!(duo.a.router("web")?.priority, 50);

    let back = Instant::now();
    let _on_a = Nginx::start(&duo.a.host, 80)?;
    prober.wait_for_answer_of(&duo.a.host, back, LONG)?;
    duo.b.wait_for("web", "BACKUP")?;
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    Ok(())
}

#[test]
fn too_few_and_too_many_processes_fail() -> Result<()> {
    // One nginx has two processes: a master and a worker.
    let check =
        health_check("nginx", "process: {name: nginx, minimum: 3, maximum: 4}\ninterval: 200ms\nrise: 1\nfall: 1\n");
    let mut duo = Duo::new(&[web(TRACKED), check])?;
    let _first = Nginx::start(&duo.a.host, 80)?;
    duo.a.start_as("FAULT")?;
    let _second = Nginx::start(&duo.a.host, 81)?;
    duo.a.wait_for("web", "MASTER")?;
    let third = Nginx::start(&duo.a.host, 82)?;
    duo.a.wait_for("web", "FAULT")?;
    third.kill()?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_node_without_the_process_never_becomes_master() -> Result<()> {
    let check = health_check("nginx", "process: {name: nginx}\ninterval: 200ms\n");
    let mut duo = Duo::new(&[web(TRACKED), check])?;
    duo.a.start_as("FAULT")?;
    let status = duo.a.status()?;
    assert_eq!(status.health_check("nginx").and_then(|check| check.passing), Some(false));
    assert_eq!(status.router("web")?.reason, Some("CheckFailed".to_owned()));
    std::thread::sleep(Duration::from_secs(1));
    assert_eq!(duo.a.router("web")?.state, "FAULT");
    Ok(())
}
