//! What it costs to hold many VIPs while nothing happens: processor time, memory, and whether anything moves for no reason.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::{ANNOUNCED, INTERVAL, say};
use crate::benchmark::contender::Contender;
use crate::benchmark::election::{Election, Vip};
use crate::benchmark::goal::Goal;
use crate::benchmark::node::Node;
use crate::benchmark::row::{Plot, Row};
use crate::benchmark::samples::count;
use crate::benchmark::scene::Scene;
use crate::benchmark::settings::{Settings, shown};
use crate::benchmark::unit::Unit;
use crate::benchmark::usage;

/// Memory that a standalone agent may take, in MiB.
const MEMORY: f64 = 20.0;

/// What an allocator may take and keep while nothing happens, in MiB.
const FLAT: f64 = 1.0;

/// What the kernel's accounts resolve, in percent of a core.
const ACCOUNTS: f64 = 0.05;

/// The rows of one number of VIPs.
struct Cell {
    size: usize,
    interval: Duration,
    lasts: Duration,
    master: Row,
    backup: Row,
    memory: Row,
    growth: Row,
    transitions: Row,
}

pub(super) fn measure(settings: &Settings) -> Result<Vec<Row>> {
    let mut cells: Vec<Cell> = settings.steady.iter().map(|cell| Cell::new(*cell, settings)).collect();
    for (number, cell) in cells.iter_mut().enumerate() {
        for contender in Contender::in_turn(number) {
            say!("{} VIPs, A = {}: {contender}", cell.size, shown(cell.interval));
            cell.measure(contender, settings)?;
        }
    }
    let groups: [fn(&Cell) -> Row; 5] = [
        |cell| cell.master.clone(),
        |cell| cell.backup.clone(),
        |cell| cell.memory.clone(),
        |cell| cell.growth.clone(),
        |cell| cell.transitions.clone(),
    ];
    Ok(groups.iter().flat_map(|group| cells.iter().map(group)).collect())
}

impl Cell {
    /// False transitions are waited for where they are counted on a busy machine too.
    fn new((size, interval): (usize, Duration), settings: &Settings) -> Self {
        let accounted = settings.window * u32::try_from(settings.windows).unwrap_or(u32::MAX);
        let is_watched = settings.busy.contains(&(size, interval));
        let lasts = if is_watched { settings.patience.max(accounted) } else { accounted };
        let at = format!("{size} VIPs, A = {}", shown(interval));
        let row = |subject: &str, measure: String, unit, goal| Row::new(subject, measure, unit, goal);
        let is_compared = interval == INTERVAL && size > 1;
        let frugal = if is_compared { Goal::not_more_than_keepalived(ACCOUNTS) } else { Goal::REPORT };
        let mut master = row("processor time", format!("master, {at}"), Unit::Percent, frugal);
        let mut backup = row("processor time", format!("backup, {at}"), Unit::Percent, frugal);
        if is_compared {
            master = master.plotted(Plot::CpuMaster, size.to_string());
            backup = backup.plotted(Plot::CpuBackup, size.to_string());
        }
        Self {
            size,
            interval,
            lasts,
            master,
            backup,
            memory: row("resident memory", format!("both nodes, {at}"), Unit::Mebibytes, Goal::at_most(MEMORY)),
            growth: row(
                "growth of it while idle",
                format!("master, {at}, in {}", shown(lasts)),
                Unit::Mebibytes,
                Goal::at_most(FLAT),
            ),
            transitions: row(
                "false transitions, idle",
                format!("{at}, in {}", shown(lasts)),
                Unit::Count,
                Goal::at_most(0.0),
            ),
        }
    }

    fn measure(&mut self, contender: Contender, settings: &Settings) -> Result<()> {
        let vips = if self.size == 1 { vec![Vip::ONLY] } else { Vip::many(self.size) };
        let election = Election::of(self.interval, vips);
        let scene = Scene::elected(contender, &election)?;
        if let Some(fencing) = scene.a.fencing()? {
            ensure!(fencing == "Overlap", "the fence must be on for a fair account, but it is {fencing}");
        }
        sleep(ANNOUNCED);
        let begun = Instant::now();
        let before = resident(&scene.a)?;
        for _ in 0..settings.windows {
            self.account(contender, &scene, settings.window)?;
        }
        sleep(self.lasts.saturating_sub(begun.elapsed()));
        self.memory.add(contender, resident(&scene.a)?);
        self.memory.add(contender, resident(&scene.b)?);
        self.growth.add(contender, resident(&scene.a)? - before);
        self.transitions.add(contender, count(scene.a.transitions(begun)? + scene.b.transitions(begun)?));
        Ok(())
    }

    /// One sample of the processor time of both nodes.
    fn account(&mut self, contender: Contender, scene: &Scene, window: Duration) -> Result<()> {
        let (master, backup) = (scene.a.processes()?, scene.b.processes()?);
        let begun = Instant::now();
        let (master_before, backup_before) = (usage::processor_time(&master)?, usage::processor_time(&backup)?);
        sleep(window);
        self.master.add(contender, usage::percent(master_before, usage::processor_time(&master)?, begun));
        self.backup.add(contender, usage::percent(backup_before, usage::processor_time(&backup)?, begun));
        Ok(())
    }
}

fn resident(node: &Node) -> Result<f64> {
    usage::resident(&node.processes()?)
}
