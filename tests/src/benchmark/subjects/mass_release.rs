//! An agent with many VIPs is stopped in order. Who holds a VIP when is told by the kernels of both nodes, for every single
//! one; what a client loses is seen on a part of them.

use std::net::{IpAddr, Ipv4Addr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::{ANNOUNCED, INTERVAL, say};
use crate::benchmark::announcements::Announcements;
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Vip};
use crate::benchmark::goal::Goal;
use crate::benchmark::node::LONG;
use crate::benchmark::random::Random;
use crate::benchmark::row::Row;
use crate::benchmark::samples::{count, milliseconds_from};
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::Settings;
use crate::benchmark::unit::Unit;
use crate::lab::addresses::{AddressWatch, Change};
use crate::lab::echo_sweep::EchoSweep;

/// How many are asked: the kernel of a machine knows 1,024 neighbours, for all its namespaces together.
const ASKED: usize = 250;

/// How often each of them is asked.
const PERIOD: Duration = Duration::from_millis(50);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let size = settings.released;
    let subject = format!("planned release of {size} VIPs, A = 100 ms");
    let nothing = Goal::at_most(0.0);
    let mut rows = [
        Row::new(&subject, "VIPs that nobody held for a while", Unit::Count, nothing),
        Row::new(&subject, "longest time that nobody held a VIP", Unit::Milliseconds, nothing),
        Row::new(
            &subject,
            "longest time from its removal to the other node's announcement",
            Unit::Milliseconds,
            nothing,
        ),
        Row::new(&subject, "last VIP on the other node, after SIGTERM", Unit::Milliseconds, Goal::REPORT),
        Row::new(&subject, format!("probes lost, {ASKED} of the VIPs asked each 50 ms"), Unit::Count, nothing),
        Row::new(&subject, "of them answered, but after more than 50 ms", Unit::Count, Goal::REPORT),
    ];
    for (run, phase) in random.spread_over(INTERVAL, settings.long_runs).into_iter().enumerate() {
        for contender in Contender::in_turn(run) {
            say!("{size} VIPs, run {}: {contender}", run + 1);
            let seen = release(contender, size, phase)?;
            rows.iter_mut().zip(seen).for_each(|(row, figure)| row.add(contender, figure));
        }
    }
    Ok(rows.into())
}

/// In the order of the rows.
fn release(contender: Contender, size: usize, phase: Duration) -> Result<[f64; 6]> {
    let vips = Vip::many(size);
    let mut scene = Scene::elected(contender, &Election::of(INTERVAL, vips.clone()))?;
    sleep(ANNOUNCED);
    let (on_a, on_b) = (AddressWatch::start(&scene.a.host)?, AddressWatch::start(&scene.b.host)?);
    let asked: Vec<Ipv4Addr> = vips.iter().step_by((size / ASKED).max(1)).map(|vip| vip.address).collect();
    let announcements = Announcements::record(&scene)?;
    let sweep = EchoSweep::start(&scene.client, asked, PERIOD)?;
    // The first round resolves the addresses.
    sleep(PERIOD * 10);
    let counted_from = Instant::now();
    sleep(PERIOD * 2 + phase);
    let event = scene.a.terminate()?;
    let last = vips.last().context("no VIP")?;
    on_b.wait_for(IpAddr::V4(last.address), Change::Set, event, LONG)?;
    sleep(INTERVAL * 5);
    let asked = sweep.stop(counted_from)?;
    let announced = announcements.of_b(&scene, event)?;
    let (mut gaps, mut unannounced) = (Vec::new(), 0.0_f64);
    let mut moved = event;
    for vip in &vips {
        let address = IpAddr::V4(vip.address);
        let removed = on_a.wait_for(address, Change::Removed, event, LONG)?.at;
        let added = on_b.wait_for(address, Change::Set, event, LONG)?.at;
        moved = moved.max(added);
        gaps.push(milliseconds_from(removed, added));
        let told = announced.get(&address).with_context(|| format!("{address} was never announced"))?;
        unannounced = unannounced.max(milliseconds_from(removed, *told));
    }
    let without = gaps.iter().filter(|gap| **gap > 0.0).count();
    let longest = gaps.iter().copied().fold(0.0, f64::max);
    let (last, late) = (milliseconds_from(event, moved), count(asked.late));
    Ok([count(without), longest, unannounced, last, count(asked.lost_in_all()), late])
}
