//! An agent that does not run for a while (SIGSTOP): until then as one that is killed, and then it wakes up in a world that
//! has moved on. Without preemption, so that whatever it says is said by a master that is none any more.

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
use crate::benchmark::settings::{Settings, shown};
use crate::benchmark::unit::Unit;
use crate::lab::{Frame, Holders};

/// What the kernel's ticks and the distance between two questions add.
const TOLERANCE: f64 = 50.0;

/// How long is listened to an agent that runs again.
const LISTEN: Duration = Duration::from_secs(2);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let subject = format!("agent frozen (SIGSTOP {}), A = 100 ms, no preemption", shown(settings.freeze));
    let row = |measure: &str, unit, goal| Row::new(&subject, measure, unit, goal);
    let interval = milliseconds(INTERVAL);
    let skew = milliseconds(Election::single(INTERVAL).skew());
    let nothing = Goal::at_most(0.0);
    let rows = |mode: &str, lost, two, silence| {
        [
            row(&format!("{mode}: probes lost while frozen"), Unit::Probes, lost),
            row(&format!("{mode}: two holders while frozen, longest"), Unit::Milliseconds, two),
            row(&format!("{mode}: silence while frozen, longest"), Unit::Milliseconds, silence),
            row(&format!("{mode}: adverts on resume"), Unit::Count, nothing),
            row(&format!("{mode}: gratuitous ARPs on resume"), Unit::Count, nothing),
            row(&format!("{mode}: probes lost after the resume"), Unit::Probes, nothing),
        ]
    };
    let mut overlap = rows("Overlap", nothing, Goal::at_most(interval + TOLERANCE), Goal::REPORT);
    let mut strict = rows("Strict", Goal::REPORT, nothing, Goal::at_most(interval + skew));
    for (run, phase) in random.spread_over(INTERVAL, settings.long_runs).into_iter().enumerate() {
        for contender in Contender::in_turn(run) {
            say!("run {}: {contender}", run + 1);
            let seen = freeze(contender, Fencing::Overlap, phase, settings.freeze)?;
            overlap.iter_mut().zip(seen).for_each(|(row, figure)| row.add(contender, figure));
        }
        say!("run {}: Holdfast, strict", run + 1);
        let seen = freeze(Contender::Holdfast, Fencing::Strict, phase, settings.freeze)?;
        strict.iter_mut().zip(seen).for_each(|(row, figure)| row.add(Contender::Holdfast, figure));
    }
    Ok([overlap, strict].concat())
}

/// In the order of the rows.
fn freeze(contender: Contender, fencing: Fencing, phase: Duration, length: Duration) -> Result<[f64; 6]> {
    let election = Election { fencing, preempts: false, ..Election::single(INTERVAL) };
    let scene = Scene::elected(contender, &election)?;
    let prober = scene.probe()?;
    let capture = scene.capture()?;
    let watched = Instant::now();
    let holders = Holders::watch(&scene.observer, VIP)?;
    holders.wait_for(scene.a.host.mac(), watched, LONG)?;
    scene.wait_for_phase(&capture, phase)?;
    let freeze = scene.a.freeze()?;
    prober.wait_for_answer_of(&scene.b.host, freeze, LONG)?;
    sleep(length.saturating_sub(freeze.elapsed()));
    let holders = holders.stop()?;
    let thaw = scene.a.thaw()?;
    sleep(LISTEN);
    let report = prober.stop()?;
    let old = scene.a.host.mac();
    let from_a = |frame: &Frame| frame.source() == Some(old) && frame.at >= thaw;
    let adverts = capture.matching(|frame| from_a(frame) && frame.advert().is_some())?.len();
    let announcements = capture.matching(|frame| from_a(frame) && frame.announced() == Some(VIP))?.len();
    let (frozen, after) = (report.between(freeze, thaw), report.between(thaw, Instant::now()));
    Ok([
        count(frozen.lost()),
        milliseconds(holders.longest_with_two()),
        milliseconds(frozen.longest_gap()),
        count(adverts),
        count(announcements),
        count(after.lost()),
    ])
}
