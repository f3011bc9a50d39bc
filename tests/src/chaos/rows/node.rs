//! A node: its power, its clock, its kubelet and containerd, and its place in the cluster.

use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use k8s_openapi::jiff::Timestamp;

use crate::chaos::bounds::{failover, nothing_happens, nothing_lost};
use crate::chaos::stage::{Remark, Stage};
use crate::chaos::vips::{FIRST, SECOND, THIRD};

/// How long is watched what a program that restarts does.
const RESTART: Duration = Duration::from_secs(8);

/// How far the wall clock jumps, in seconds.
const HOUR: i64 = 3600;

/// How long it stays there: several renewals of the Leases of nodes and agents, and of the operator's.
const OFF: Duration = Duration::from_secs(20);
/// The same in a short run: one renewal of the Lease of an agent.
const OFF_SHORT: Duration = Duration::from_secs(6);

/// The age of a Lease, and more, in seconds.
const TOLERANCE: i64 = 60;

const DRAIN: &str = "drain node-1 --ignore-daemonsets --delete-emptydir-data --force --timeout=90s";

pub(super) fn kubelet_killed(stage: &mut Stage) -> Result<()> {
    program_killed(stage, "kubelet")
}

pub(super) fn containerd_killed(stage: &mut Stage) -> Result<()> {
    program_killed(stage, "containerd")
}

fn program_killed(stage: &mut Stage, program: &str) -> Result<()> {
    stage.part("killed, until it has been running again for some seconds", nothing_happens, |stage| {
        ensure!(stage.cluster.node(FIRST)?.kill(program)? == 1, "one {program} runs on {FIRST}");
        thread::sleep(RESTART);
        stage.cluster.wait_until_ready()?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn crash(stage: &mut Stage) -> Result<()> {
    stage.part("dies", failover, |stage| {
        stage.cluster.power_off(FIRST)?;
        stage.wait_for_takeover(SECOND, true)
    })?;
    stage.part("comes back", nothing_lost, |stage| {
        stage.cluster.boot(FIRST)?;
        stage.cluster.wait_until_ready()?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn reboot(stage: &mut Stage) -> Result<()> {
    stage.part("drained, and switched off", nothing_lost, |stage| {
        stage.kubectl(DRAIN)?;
        stage.wait_for_takeover(SECOND, true)?;
        stage.cluster.power_off(FIRST)
    })?;
    stage.part("switched on, and uncordoned", nothing_lost, |stage| {
        stage.cluster.boot(FIRST)?;
        stage.cluster.wait_until_ready()?;
        stage.kubectl("uncordon node-1")?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn drained(stage: &mut Stage) -> Result<()> {
    stage.part("drained", nothing_lost, |stage| {
        stage.kubectl(DRAIN)?;
        stage.wait_until_whole(SECOND).map(drop)
    })?;
    stage.part("uncordoned", nothing_lost, |stage| {
        stage.kubectl("uncordon node-1")?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn tainted(stage: &mut Stage) -> Result<()> {
    stage.part("tainted", nothing_lost, |stage| {
        stage.kubectl("taint nodes node-1 node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")?;
        stage.wait_until_whole(SECOND).map(drop)
    })?;
    stage.part("the taint is removed", nothing_lost, |stage| {
        stage.kubectl("taint nodes node-1 node.kubernetes.io/out-of-service-")?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

/// Everything that runs on the node sees the new time: the agent, kubelet, containerd, the operator if it is there.
pub(super) fn clock_jumps(stage: &mut Stage) -> Result<()> {
    for (what, seconds) in [("an hour ahead", HOUR), ("an hour back", -HOUR), ("right again", 0)] {
        stage.part_with(what, nothing_happens, |stage| {
            let moved = stage.cluster.node(FIRST)?.set_wall_clock(seconds)?;
            thread::sleep(if stage.short { OFF_SHORT } else { OFF });
            stage.wait_until_whole(FIRST)?;
            let off = seconds_off(stage)?;
            let text = format!("{moved} processes saw it, the Lease of the agent was {off} s off");
            Ok(vec![Remark { text, kept: (off - seconds).abs() < TOLERANCE }])
        })?;
    }
    Ok(())
}

/// How far the agent's clock is off, by the time of its last sign of life.
fn seconds_off(stage: &Stage) -> Result<i64> {
    let lease = "--namespace holdfast get lease holdfast-agent-node-1";
    let renewed = stage.kubectl(&format!("{lease} --output=jsonpath={{.spec.renewTime}}"))?;
    let renewed: Timestamp = renewed.parse().with_context(|| format!("not a time: {renewed:?}"))?;
    Ok(renewed.as_second() - Timestamp::now().as_second())
}

/// A kubelet makes its Node when it starts.
pub(super) fn deleted(stage: &mut Stage) -> Result<()> {
    stage.part("a backup is deleted, and registers again", nothing_happens, |stage| {
        stage.kubectl(&format!("delete node {THIRD}"))?;
        register_again(stage, THIRD)?;
        stage.wait_until_whole(FIRST).map(drop)
    })?;
    stage.part("the master is deleted", nothing_lost, |stage| {
        stage.kubectl(&format!("delete node {FIRST}"))?;
        stage.wait_for_takeover(SECOND, true)
    })?;
    stage.part("it registers again", nothing_lost, |stage| {
        register_again(stage, FIRST)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

fn register_again(stage: &Stage, node: &str) -> Result<()> {
    ensure!(stage.cluster.node(node)?.kill("kubelet")? == 1, "one kubelet runs on {node}");
    stage.cluster.wait_until_ready()
}
