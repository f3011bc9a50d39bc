//! The death of what a health check watches, until the other node answers. keepalived runs a script each second, the shortest
//! time that it knows; Holdfast hears of the death from the kernel.

use std::time::Duration;

use anyhow::{Context, Result};

use super::{INTERVAL, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Check, Election};
use crate::benchmark::goal::Goal;
use crate::benchmark::node::LONG;
use crate::benchmark::random::Random;
use crate::benchmark::row::Row;
use crate::benchmark::samples::{count, milliseconds};
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::Settings;
use crate::benchmark::unit::Unit;

/// From the kernel's notice to priority 0.
const REACTION: f64 = 50.0;

/// How often keepalived runs the script: the death comes anywhere in it.
const SCRIPT: Duration = Duration::from_secs(1);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let bound = milliseconds(Election::single(INTERVAL).skew()) + REACTION;
    let mut rows = Vec::new();
    for (check, name) in [(Check::Fault, "fault"), (Check::Weight, "weight -150")] {
        let subject = "health check: death of the process, A = 100 ms";
        let row = |measure: &str, unit, goal| Row::new(subject, format!("{name}: {measure}"), unit, goal);
        let mut switch = row("until the VIP answers elsewhere", Unit::Milliseconds, Goal::at_most(bound));
        let mut lost = row("probes lost", Unit::Probes, Goal::REPORT);
        for (run, phase) in random.spread_over(SCRIPT, settings.runs).into_iter().enumerate() {
            for contender in Contender::in_turn(run) {
                say!("{name}, run {}: {contender}", run + 1);
                let (switched, probes) = die(contender, check, phase)?;
                switch.add(contender, switched);
                lost.add(contender, probes);
            }
        }
        rows.extend([switch, lost]);
    }
    Ok(rows)
}

/// Milliseconds until the other node answers, and probes lost.
fn die(contender: Contender, check: Check, phase: Duration) -> Result<(f64, f64)> {
    let election = Election { check: Some(check), ..Election::single(INTERVAL) };
    let mut scene = Scene::new(contender, &election)?;
    scene.a.start_service()?;
    scene.b.start_service()?;
    scene.a.start_as_master()?;
    scene.b.start_as_backup()?;
    let prober = scene.probe()?;
    std::thread::sleep(SCRIPT + phase);
    let event = scene.a.kill_service()?;
    prober.wait_for_answer_of(&scene.b.host, event, LONG)?;
    std::thread::sleep(INTERVAL * 2);
    let report = prober.stop()?;
    let switched = report.switched(event, &scene.b.host).context("b never answered")?;
    Ok((milliseconds(switched), count(report.lost())))
}
