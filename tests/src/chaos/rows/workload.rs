//! The web server behind an address, which a health check asks for its page.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;

use crate::chaos::bounds::{CHECK_OUTAGE, check_fails, nothing_lost};
use crate::chaos::stage::{Remark, Stage};
use crate::chaos::vips::{FIRST, SECOND, WEB};

/// The program of the web server.
const SERVER: &str = "web";

/// How long the web server is kept down.
const DOWN: Duration = Duration::from_secs(6);

/// How often it is killed meanwhile.
const LOOK: Duration = Duration::from_millis(20);

pub(super) fn crash(stage: &mut Stage) -> Result<()> {
    lose(stage, "crashes, again and again", |stage| {
        let node = stage.cluster.node(FIRST)?;
        ensure!(node.kill(SERVER)? >= 1, "no web server runs on {FIRST}");
        let ended = std::time::Instant::now() + DOWN;
        while std::time::Instant::now() < ended {
            node.kill(SERVER)?;
            thread::sleep(LOOK);
        }
        Ok(())
    })?;
    stage.part("left alone, until its node is master again", nothing_lost, |stage| {
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn hangs(stage: &mut Stage) -> Result<()> {
    lose(stage, "hangs", |stage| {
        ensure!(stage.cluster.node(FIRST)?.signal(SERVER, Signal::SIGSTOP)? >= 1, "no web server runs on {FIRST}");
        thread::sleep(DOWN);
        Ok(())
    })?;
    stage.part("goes on, until its node is master again", nothing_lost, |stage| {
        stage.cluster.node(FIRST)?.signal(SERVER, Signal::SIGCONT)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

fn lose(stage: &mut Stage, what: &str, act: fn(&Stage) -> Result<()>) -> Result<()> {
    let sights = stage.part_with(what, check_fails, |stage| {
        act(stage)?;
        stage.wait_for_statuses("the second node is named", |statuses| {
            statuses.get(WEB.name).is_some_and(|status| status.master.as_deref() == Some(SECOND))
        })?;
        Ok(Vec::new())
    })?;
    let gap = sights.requests.longest_gap();
    stage.remark(Remark::within("the other nodes' web servers answered", gap, CHECK_OUTAGE + sights.noise));
    Ok(())
}
