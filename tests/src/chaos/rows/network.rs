//! Links and the LAN: carriers that come and go, frames that pass one way only, and two halves that do not hear each other.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use crate::chaos::bounds::{Promise, failover, flapping, healed, healed_in_sight, nothing_lost, split as split_apart};
use crate::chaos::stage::Stage;
use crate::chaos::vips::{FIRST, SECOND, THIRD};
use crate::lab::Partition;
use crate::lab::fault::Traffic;

/// How often the carrier goes and comes.
const FLAPS: u32 = 20;

/// How long it stays each time: long enough for a takeover, or too short for one.
const LONG: Duration = Duration::from_millis(900);
const SHORT: Duration = Duration::from_millis(100);

/// How long a partition lasts.
const APART: Duration = Duration::from_secs(4);

pub(super) fn link_down(stage: &mut Stage) -> Result<()> {
    stage.part("down", failover, |stage| {
        stage.cluster.link_down(FIRST)?;
        stage.wait_for_takeover(SECOND, true)
    })?;
    stage.part("up", nothing_lost, |stage| {
        stage.cluster.link_up(FIRST)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn link_flaps(stage: &mut Stage) -> Result<()> {
    stage.part("20 times down and up, until all is well", flapping, |stage| {
        for flap in 0..FLAPS {
            let stay = if flap.is_multiple_of(2) { LONG } else { SHORT };
            stage.cluster.link_down(FIRST)?;
            thread::sleep(stay);
            stage.cluster.link_up(FIRST)?;
            thread::sleep(stay);
        }
        stage.wait_until_whole(FIRST).map(drop)
    })
}

/// It goes on as master, and so does the one who does not hear it.
pub(super) fn only_receives(stage: &mut Stage) -> Result<()> {
    stage.part("its adverts are lost", split_apart, |stage| {
        let partition = Partition::mute(stage.cluster.node(FIRST)?.host()?, Traffic::Adverts);
        stage.cluster.lan_mut().partition(partition)?;
        thread::sleep(APART);
        stage.expect_held(FIRST)?;
        stage.expect_held(SECOND)?;
        stage.expect_free(THIRD)
    })?;
    heal(stage, healed_in_sight)
}

pub(super) fn only_sends(stage: &mut Stage) -> Result<()> {
    stage.part("it does not hear the adverts of others", nothing_lost, |stage| {
        let partition = Partition::deafen(stage.cluster.node(FIRST)?.host()?, Traffic::Adverts);
        stage.cluster.lan_mut().partition(partition)?;
        thread::sleep(APART);
        Ok(())
    })?;
    heal(stage, healed)
}

/// The master alone on one side, and everybody who looks on with the others.
pub(super) fn split(stage: &mut Stage) -> Result<()> {
    stage.part("split: the master is alone", failover, |stage| {
        let host = stage.cluster.node(FIRST)?.host()?;
        let cuts = [Partition::mute(host, Traffic::Everything), Partition::deafen(host, Traffic::Everything)];
        for cut in cuts {
            stage.cluster.lan_mut().partition(cut)?;
        }
        thread::sleep(APART);
        stage.expect_held(FIRST)?;
        stage.expect_held(SECOND)?;
        stage.expect_free(THIRD)
    })?;
    heal(stage, healed)
}

/// Not until all is well: each has seen the other answer for its addresses, which is told for a while.
fn heal(stage: &mut Stage, promise: Promise) -> Result<()> {
    stage.part("healed", promise, |stage| {
        stage.cluster.lan_mut().heal()?;
        stage.wait_for_takeover(FIRST, true)
    })
}
