//! The API server and its store: nothing that matters at a failover may need them.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::agent::AGENT;
use crate::chaos::bounds::{TRUE_AGAIN, failover_unseen, nothing_happens, nothing_lost_unseen};
use crate::chaos::stage::{Remark, Stage};
use crate::chaos::vips::{FIRST, SECOND, THIRD, VIPS};
use crate::cluster::{Component, is_whole};

/// How long the API server is down; in a short run less.
const DOWN: Duration = Duration::from_secs(120);
const DOWN_SHORT: Duration = Duration::from_secs(20);

/// How long one node cannot reach it: longer than operators wait for a sign of life of an agent.
const CUT_OFF: Duration = Duration::from_secs(30);
const CUT_OFF_SHORT: Duration = Duration::from_secs(5);

/// How long an agent may take to restart without it.
const RESTART: Duration = Duration::from_secs(5);

pub(super) fn down(stage: &mut Stage) -> Result<()> {
    lose(
        stage,
        "down",
        |stage| stage.cluster.api_mut().kill(Component::ApiServer),
        |stage| stage.cluster.api_mut().start_component(Component::ApiServer),
    )
}

pub(super) fn hangs(stage: &mut Stage) -> Result<()> {
    lose(
        stage,
        "hangs",
        |stage| stage.cluster.api_mut().pause(Component::ApiServer),
        |stage| stage.cluster.api_mut().resume(Component::ApiServer),
    )
}

/// Without an API server the master loses its link, another agent restarts, and the link comes back; then the API server does.
fn lose(
    stage: &mut Stage,
    how: &str,
    lose: fn(&mut Stage) -> Result<()>,
    give_back: fn(&mut Stage) -> Result<()>,
) -> Result<()> {
    let limit = if stage.short { DOWN_SHORT } else { DOWN };
    let began = Instant::now();
    stage.part(&format!("{how}; the master loses its link"), failover_unseen, |stage| {
        lose(stage)?;
        stage.cluster.link_down(FIRST)?;
        stage.wait_for_holder(SECOND, true)
    })?;
    stage.part(&format!("{how}; the agent of a backup is killed and restarts"), nothing_lost_unseen, |stage| {
        ensure!(stage.cluster.node(THIRD)?.kill(AGENT)? == 1, "one agent runs on {THIRD}");
        thread::sleep(RESTART);
        stage.wait_for_ready_agent(THIRD)
    })?;
    stage.part(&format!("{how}; the master's link is back"), nothing_lost_unseen, |stage| {
        stage.cluster.link_up(FIRST)?;
        stage.wait_for_holder(FIRST, true)?;
        thread::sleep(limit.saturating_sub(began.elapsed()));
        Ok(())
    })?;
    stage
        .part_with("back", nothing_lost_unseen, |stage| {
            let started = Instant::now();
            give_back(stage)?;
            let back = stage.wait_for_statuses("the API server answers", |_| true)?;
            let told = stage.wait_for_statuses("the status is true", |statuses| {
                VIPS.iter().all(|vip| statuses.get(vip.name).is_some_and(|status| is_whole(status, FIRST, 2)))
            })?;
            let answered =
                Remark::told(format!("the API server answered after {} ms", back.duration_since(started).as_millis()));
            Ok(vec![answered, Remark::within("the status was right", told.saturating_duration_since(back), TRUE_AGAIN)])
        })
        .map(drop)
}

/// Packets to the API server are lost without a word, as behind a broken switch.
pub(super) fn cut_off(stage: &mut Stage) -> Result<()> {
    let limit = if stage.short { CUT_OFF_SHORT } else { CUT_OFF };
    stage.part("cut off", nothing_happens, |stage| {
        stage.cut_off_from_api_server(FIRST)?;
        thread::sleep(limit);
        stage.expect_held(FIRST)
    })?;
    stage.part("connected again", nothing_lost_unseen, |stage| {
        stage.reconnect(FIRST)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn etcd_restarted(stage: &mut Stage) -> Result<()> {
    stage.part("killed, started, until the status is right again", nothing_happens, |stage| {
        stage.cluster.api_mut().kill(Component::Etcd)?;
        stage.cluster.api_mut().start_component(Component::Etcd)?;
        stage.cluster.api().wait_until_ready()?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}
