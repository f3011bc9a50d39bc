//! Whether anything moves for no reason while other programs want all processors. keepalived is measured as Debian ships it and
//! with real-time scheduling, which Holdfast asks for by itself.

use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::{ANNOUNCED, INTERVAL, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Vip};
use crate::benchmark::goal::Goal;
use crate::benchmark::row::Row;
use crate::benchmark::samples::count;
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::{Settings, shown};
use crate::benchmark::unit::Unit;
use crate::lab::{Host, Process};

/// Loops that want a processor each: several times as many as small machines have.
const LOOPS: usize = 8;

pub(super) fn measure(settings: &Settings) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for &(size, interval) in &settings.busy {
        let subject = format!("false transitions, {LOOPS} busy loops, in {}", shown(settings.patience));
        let at = format!("{size} VIPs, A = {}", shown(interval));
        let goal = Goal::not_more_than_keepalived(0.0);
        let mut usual = Row::new(&subject, at.clone(), Unit::Count, goal);
        let mut realtime = Row::new(
            &subject,
            format!("{at}; keepalived with vrrp_rt_priority 50 and vrrp_rlimit_rttime 1 s"),
            Unit::Count,
            goal,
        );
        let mut election = Election::of(interval, Vip::many(size));
        for contender in Contender::in_turn(0) {
            say!("{at}: {contender}");
            let seen = transitions(contender, &election, settings.patience)?;
            usual.add(contender, seen);
            if contender == Contender::Holdfast {
                realtime.add(contender, seen);
            }
        }
        say!("{at}: keepalived with real-time scheduling");
        election.realtime_keepalived = true;
        // A keepalived that fails in this mode is no reason to know nothing of the others.
        match transitions(Contender::Keepalived, &election, settings.patience) {
            Ok(seen) => realtime.add(Contender::Keepalived, seen),
            Err(error) => say!("not measured: {error:#}"),
        }
        rows.extend([usual, realtime]);
    }
    Ok(rows)
}

fn transitions(contender: Contender, election: &Election, patience: Duration) -> Result<f64> {
    let scene = Scene::elected(contender, election)?;
    sleep(ANNOUNCED);
    let begun = Instant::now();
    let loops = (0..LOOPS).map(|_| busy_loop(&scene.observer)).collect::<Result<Vec<Process>>>()?;
    sleep(patience);
    drop(loops);
    // What was logged while nobody could read it is counted too.
    sleep(INTERVAL);
    Ok(count(scene.a.transitions(begun)? + scene.b.transitions(begun)?))
}

fn busy_loop(host: &Host) -> Result<Process> {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", "while :; do :; done"]);
    host.spawn("a busy loop", command)
}
