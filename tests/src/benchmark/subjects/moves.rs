//! What an administrator does: the master is stopped and started again, then the backup. One cycle shows a planned stop, the
//! preemption by the node that comes back, and both halves of an upgrade.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::say;
use crate::benchmark::contender::Contender;
use crate::benchmark::election::Election;
use crate::benchmark::goal::Goal;
use crate::benchmark::node::LONG;
use crate::benchmark::random::Random;
use crate::benchmark::row::{Plot, Row};
use crate::benchmark::samples::count;
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::{Settings, shown};
use crate::benchmark::unit::Unit;

/// Until late losses of a move have been seen.
const AFTERWARDS: Duration = Duration::from_millis(300);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let nothing = Goal::at_most(0.0);
    let [mut stops, mut returns, mut upgrades] = [Vec::new(), Vec::new(), Vec::new()];
    for interval in &settings.stop_intervals {
        let at = shown(*interval);
        let row = |subject: &str| Row::new(subject, format!("A = {at}: probes lost"), Unit::Probes, nothing);
        let mut stop = row("planned stop of the master").plotted(Plot::PlannedStop, at.clone());
        let mut back = row("preemption by the node that comes back");
        let mut upgrade = row("upgrade: master and backup, each stopped and started");
        for (run, phase) in random.spread_over(*interval, settings.runs).into_iter().enumerate() {
            for contender in Contender::in_turn(run) {
                say!("A = {at}, run {}: {contender}", run + 1);
                let lost = cycle(contender, *interval, phase)?;
                stop.add(contender, count(lost.stop));
                back.add(contender, count(lost.back));
                upgrade.add(contender, count(lost.all));
            }
        }
        stops.push(stop);
        returns.push(back);
        upgrades.push(upgrade);
    }
    Ok([stops, upgrades, returns].concat())
}

/// Probes that were lost.
struct Lost {
    stop: usize,
    back: usize,
    all: usize,
}

fn cycle(contender: Contender, interval: Duration, phase: Duration) -> Result<Lost> {
    let mut scene = Scene::elected(contender, &Election::single(interval))?;
    let prober = scene.probe()?;
    sleep(AFTERWARDS + phase);
    let stop = scene.a.terminate()?;
    prober.wait_for_answer_of(&scene.b.host, stop, LONG)?;
    sleep(AFTERWARDS + interval);
    let start = scene.a.start()?;
    prober.wait_for_answer_of(&scene.a.host, start, LONG)?;
    sleep(AFTERWARDS + interval * 2);
    let other = scene.b.terminate()?;
    scene.b.start_as_backup()?;
    sleep(AFTERWARDS + interval * 2);
    let report = prober.stop()?;
    let lost = |from: Instant, to: Instant| report.between(from, to).lost();
    Ok(Lost { stop: lost(stop, start), back: lost(start, other), all: lost(stop, Instant::now()) })
}
