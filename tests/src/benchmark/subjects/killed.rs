//! An agent that is killed while its node lives: the kernel of the node goes on to answer, for a while or for ever.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{INTERVAL, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Fencing};
use crate::benchmark::goal::Goal;
use crate::benchmark::node::LONG;
use crate::benchmark::random::Random;
use crate::benchmark::row::Row;
use crate::benchmark::samples::{count, milliseconds};
use crate::benchmark::scene::{Scene, VIP};
use crate::benchmark::settings::Settings;
use crate::benchmark::unit::Unit;
use crate::lab::Holders;

/// What the kernel's ticks and the distance between two questions add.
const TOLERANCE: f64 = 50.0;

const SUBJECT: &str = "agent killed (SIGKILL), node alive, A = 100 ms";

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let interval = milliseconds(INTERVAL);
    let row = |measure: &str, unit, goal| Row::new(SUBJECT, measure, unit, goal);
    let mut overlap = [
        row("Overlap: probes lost", Unit::Probes, Goal::at_most(0.0)),
        row("Overlap: two holders, longest", Unit::Milliseconds, Goal::at_most(interval + TOLERANCE)),
        row("Overlap: silence, longest", Unit::Milliseconds, Goal::REPORT),
    ];
    let skew = milliseconds(Election::single(INTERVAL).skew());
    let mut strict = [
        row("Strict: probes lost", Unit::Probes, Goal::REPORT),
        row("Strict: two holders, longest", Unit::Milliseconds, Goal::at_most(0.0)),
        row("Strict: silence, longest", Unit::Milliseconds, Goal::at_most(interval + skew)),
    ];
    for (run, phase) in random.spread_over(INTERVAL, settings.runs).into_iter().enumerate() {
        for contender in Contender::in_turn(run) {
            say!("run {}: {contender}", run + 1);
            let seen = kill(contender, Fencing::Overlap, phase, settings.watch)?;
            add(&mut overlap, contender, seen);
        }
        say!("run {}: Holdfast, strict", run + 1);
        let seen = kill(Contender::Holdfast, Fencing::Strict, phase, settings.watch)?;
        add(&mut strict, Contender::Holdfast, seen);
    }
    Ok([overlap, strict].concat())
}

fn add(rows: &mut [Row; 3], contender: Contender, seen: [f64; 3]) {
    for (row, figure) in rows.iter_mut().zip(seen) {
        row.add(contender, figure);
    }
}

/// Probes lost, longest time with two holders, longest time without an answer.
fn kill(contender: Contender, fencing: Fencing, phase: Duration, watch: Duration) -> Result<[f64; 3]> {
    let election = Election { fencing, ..Election::single(INTERVAL) };
    let mut scene = Scene::elected(contender, &election)?;
    let prober = scene.probe()?;
    let capture = scene.capture()?;
    let watched = Instant::now();
    let holders = Holders::watch(&scene.observer, VIP)?;
    holders.wait_for(scene.a.host.mac(), watched, LONG)?;
    scene.wait_for_phase(&capture, phase)?;
    let event = scene.a.kill()?;
    prober.wait_for_answer_of(&scene.b.host, event, LONG)?;
    holders.wait_for(scene.b.host.mac(), event, LONG)?;
    sleep(watch);
    let (report, holders) = (prober.stop()?, holders.stop()?);
    let two = milliseconds(holders.longest_with_two());
    Ok([count(report.lost()), two, milliseconds(report.longest_gap())])
}
