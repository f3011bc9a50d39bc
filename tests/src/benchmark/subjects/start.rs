//! From the start of a program to its first advert, and from a changed manifest to the address.

use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::Duration;

use anyhow::Result;

use super::{INTERVAL, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Vip};
use crate::benchmark::goal::Goal;
use crate::benchmark::node::{LONG, manifest_file};
use crate::benchmark::random::Random;
use crate::benchmark::row::Row;
use crate::benchmark::samples::{milliseconds, milliseconds_from};
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::Settings;
use crate::benchmark::unit::Unit;
use crate::lab::addresses::{AddressWatch, Change};

/// What the manifest has in addition when it is changed.
const ADDED: Ipv4Addr = Ipv4Addr::new(10, 77, 0, 101);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let election = Election::single(INTERVAL);
    let own = milliseconds(INTERVAL * 3 + INTERVAL * 56 / 256);
    let measure = format!("first advert, A = 100 ms, priority 200: {own:.0} ms of it are the election's");
    let mut first = Row::new("start of the program", measure, Unit::Milliseconds, Goal::REPORT);
    let mut change = Row::new("changed manifest", "address added on the master", Unit::Milliseconds, Goal::REPORT);
    for (run, phase) in random.spread_over(INTERVAL, settings.runs).into_iter().enumerate() {
        for contender in Contender::in_turn(run) {
            say!("run {}: {contender}", run + 1);
            let mut scene = Scene::new(contender, &election)?;
            let capture = scene.capture()?;
            let start = scene.a.start()?;
            let advert = capture.wait_for("an advert", LONG, |frame| frame.advert().is_some())?;
            first.add(contender, milliseconds_from(start, advert.at));
            if contender == Contender::Holdfast {
                sleep(INTERVAL * 5 + phase);
                change.add(contender, change_manifest(&scene, &election)?);
            }
        }
    }
    Ok(vec![first, change])
}

fn change_manifest(scene: &Scene, election: &Election) -> Result<f64> {
    let watch = AddressWatch::start(&scene.a.host)?;
    let one = format!("[{}]", Vip::ONLY.address);
    let changed = election.manifest(0).replace(&one, &format!("[{}, {ADDED}]", Vip::ONLY.address));
    let event = std::time::Instant::now();
    scene.a.home().write_manifest(&manifest_file(0), &changed)?;
    let timeout: Duration = LONG;
    Ok(milliseconds_from(event, watch.wait_for(IpAddr::V4(ADDED), Change::Set, event, timeout)?.at))
}
