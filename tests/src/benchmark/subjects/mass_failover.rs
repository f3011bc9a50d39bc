//! Everything on a node with many VIPs is killed at once: when does each of them live on the other node? The answer is the
//! gratuitous ARP that a client receives. What the kernel alone would take for as many addresses is the floor.

use std::collections::BTreeMap;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{ANNOUNCED, INTERVAL, say};
use crate::benchmark::announcements::Announcements;
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Vip};
use crate::benchmark::goal::Goal;
use crate::benchmark::random::Random;
use crate::benchmark::row::{Plot, Row};
use crate::benchmark::samples::{count, milliseconds, milliseconds_from};
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::Settings;
use crate::benchmark::unit::Unit;
use crate::lab::Namespace;

/// The last one after the detection bound. When the crash comes between the adverts of each of them is another 100 ms, so that a
/// comparison of so few runs would compare that.
const LAST: f64 = 250.0;

/// How long all of them may take.
const LIMIT: Duration = Duration::from_secs(30);

pub(super) fn measure(settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    for size in &settings.sizes {
        let row = |measure: &str, unit, goal| {
            Row::new("mass failover: node crash, A = 100 ms", format!("{size} VIPs: {measure}"), unit, goal)
        };
        let goal = Goal::at_most(LAST);
        let mut last = row("last VIP after the detection bound 3A+S", Unit::Milliseconds, goal)
            .plotted(Plot::MassFailover, size.to_string());
        let mut median = row("median VIP after the crash", Unit::Milliseconds, Goal::REPORT);
        let mut each = row("first to last VIP, per VIP", Unit::Microseconds, Goal::REPORT);
        for (run, phase) in random.spread_over(INTERVAL, settings.long_runs).into_iter().enumerate() {
            for contender in Contender::in_turn(run) {
                say!("{size} VIPs, run {}: {contender}", run + 1);
                let seen = crash(contender, *size, phase)?;
                last.add(contender, seen.last);
                median.add(contender, seen.median);
                each.add(contender, seen.each);
            }
        }
        say!("{size} addresses by `ip -batch`");
        let mut floor =
            row("the kernel's floor: `ip -batch`, per address (both columns)", Unit::Microseconds, Goal::REPORT);
        for _ in 0..settings.long_runs {
            let each = kernel_floor(*size)?;
            floor.add(Contender::Keepalived, each);
            floor.add(Contender::Holdfast, each);
        }
        rows.extend([last, median, each, floor]);
    }
    Ok(rows)
}

/// Milliseconds; microseconds for each.
struct Seen {
    last: f64,
    median: f64,
    each: f64,
}

fn crash(contender: Contender, size: usize, phase: Duration) -> Result<Seen> {
    let election = Election::of(INTERVAL, Vip::many(size));
    let mut scene = Scene::elected(contender, &election)?;
    sleep(ANNOUNCED + phase);
    let announcements = Announcements::record(&scene)?;
    let event = Instant::now();
    scene.a.host.kill_everything();
    let mut first_seen = BTreeMap::new();
    while first_seen.len() < size {
        ensure!(event.elapsed() < LIMIT, "only {} of {size} VIPs moved", first_seen.len());
        sleep(Duration::from_millis(250));
        first_seen = announcements.of_b(&scene, event)?;
    }
    let mut times: Vec<Instant> = first_seen.into_values().collect();
    times.sort();
    let at = |place: usize| times.get(place).copied().unwrap_or(event);
    let (first, middle, last) = (at(0), at(size / 2), at(size.saturating_sub(1)));
    Ok(Seen {
        last: milliseconds_from(event + election.master_down(), last),
        median: milliseconds_from(event, middle),
        each: milliseconds(last.saturating_duration_since(first)) * 1e3 / count(size),
    })
}

/// Microseconds for each address, in a namespace of their own.
fn kernel_floor(size: usize) -> Result<f64> {
    let namespace = Namespace::network("floor")?;
    namespace.ip_batch("link add eth0 type veth peer name eth1\nlink set eth1 up\nlink set eth0 up\n")?;
    let add = |text: String, vip: &Vip| text + &format!("addr add {}/32 dev eth0\n", vip.address);
    let lines = Vip::many(size).iter().fold(String::new(), add);
    let start = Instant::now();
    namespace.ip_batch(&lines)?;
    Ok(milliseconds(start.elapsed()) * 1e3 / count(size))
}
