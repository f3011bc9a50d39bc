//! A node that is silent at once: its link is cut, everything on it is killed.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result};

use super::{RESOLUTION, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::Election;
use crate::benchmark::goal::Goal;
use crate::benchmark::node::LONG;
use crate::benchmark::random::Random;
use crate::benchmark::row::{Plot, Row};
use crate::benchmark::samples::{milliseconds, milliseconds_from};
use crate::benchmark::scene::{Scene, VIP};
use crate::benchmark::settings::{Settings, shown};
use crate::benchmark::unit::Unit;

/// Until late losses have been seen.
const AFTERWARDS: Duration = Duration::from_millis(100);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let (mut gaps, mut takeovers) = (Vec::new(), Vec::new());
    for interval in &settings.crash_intervals {
        let at = shown(*interval);
        let election = Election::single(*interval);
        let bound = milliseconds(election.master_down()) + RESOLUTION;
        let goal = Goal::at_most(bound).and_not_more_than_keepalived(RESOLUTION);
        let row = |measure: &str| Row::new("node crash", format!("A = {at}: {measure}"), Unit::Milliseconds, goal);
        let mut gap = row("gap").plotted(Plot::Failover, at.clone());
        let mut takeover = row("last advert until the successor announces itself");
        for (run, phase) in random.spread_over(*interval, settings.runs).into_iter().enumerate() {
            for contender in Contender::in_turn(run) {
                say!("A = {at}, run {}: {contender}", run + 1);
                let seen = crash(contender, &election, phase)?;
                gap.add(contender, seen.gap);
                takeover.add(contender, seen.takeover);
            }
        }
        gaps.push(gap);
        takeovers.push(takeover);
    }
    Ok([gaps, takeovers].concat())
}

/// In milliseconds.
struct Seen {
    gap: f64,
    takeover: f64,
}

fn crash(contender: Contender, election: &Election, phase: Duration) -> Result<Seen> {
    let mut scene = Scene::elected(contender, election)?;
    let (old, new) = (scene.a.host.mac(), scene.b.host.mac());
    let prober = scene.probe()?;
    let capture = scene.capture()?;
    sleep(election.interval * 3 + AFTERWARDS);
    scene.wait_for_phase(&capture, phase)?;
    let event = scene.crash_a()?;
    prober.wait_for_answer_of(&scene.b.host, event, LONG)?;
    sleep(AFTERWARDS + election.interval);
    let frames = capture.frames()?;
    let last = frames.iter().rfind(|frame| frame.source() == Some(old) && frame.advert().is_some());
    let announced = |frame: &&crate::lab::Frame| frame.source() == Some(new) && frame.announced() == Some(VIP);
    let first = frames.iter().filter(|frame| frame.at >= event).find(announced);
    let (last, first) = (last.context("a was never heard")?, first.context("b never announced itself")?);
    let takeover = milliseconds_from(last.at, first.at);
    Ok(Seen { gap: milliseconds(prober.stop()?.longest_gap()), takeover })
}
