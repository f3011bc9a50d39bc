//! A node is lost at once, with everything on it, and nothing is said to anybody.

use std::time::Instant;

use anyhow::Result;
use holdfast_crds::VirtualIPStatus;
use holdfast_crds::condition::{ConditionReason, ConditionType, ProgrammedReason, find_condition};

use super::bounds::{PATIENCE, VISIBLE, noise_since};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{NAME, Scene};
use super::takeover;
use crate::cluster::is_whole;

/// Takes the power of the master's node, and gives it back after the address has moved.
pub(super) fn power_off(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    let old = scene.master_other_than(&[])?;
    let prober = scene.probe(&old)?;
    println!("\n{old} loses its power.");
    let lost = Instant::now();
    scene.cluster.power_off(&old)?;
    let new = scene.master_other_than(&[&old])?;
    scene.settle(&prober, &new, lost)?;
    let named = |status: &VirtualIPStatus| status.master.as_ref() == Some(&new);
    let seen = scene.sightings.wait_for(NAME, &format!("kubectl names {new}"), lost, PATIENCE, named)?;
    let report = prober.stop()?;
    let answered = takeover::judge("power off: the new master answers", scene, &report, &new, lost, outcomes)?;
    scene.kubectl("get virtualips -o wide")?;
    scene.page()?;
    let visible = seen.duration_since(lost).saturating_sub(answered);
    outcomes.add(Outcome {
        step: "power off: kubectl names it",
        expected: format!("within {} more", time(VISIBLE)),
        measured: format!("after {} more", time(visible)),
        met: visible <= VISIBLE + noise_since(lost),
    });
    return_power(scene, &old, &new)
}

/// Waits until it is known that the node is gone, and until it is back.
fn return_power(scene: &mut Scene, old: &str, new: &str) -> Result<()> {
    let since = Instant::now();
    scene.sightings.wait_for(NAME, "the node is known to be lost", since, PATIENCE, |status| {
        find_condition(&status.conditions, ConditionType::Programmed)
            .is_some_and(|programmed| programmed.reason == ProgrammedReason::AgentUnreachable.as_str())
    })?;
    scene.kubectl(&format!("describe virtualip {NAME}"))?;
    println!("\n{old} has power again.");
    let since = Instant::now();
    scene.cluster.boot(old)?;
    scene.cluster.wait_until_ready()?;
    let ready = since.elapsed();
    let back =
        scene.sightings.wait_for(NAME, "it is a backup again", since, PATIENCE, |status| is_whole(status, new, 2))?;
    println!("It is ready after {}, and a backup after {}.", time(ready), time(back.duration_since(since)));
    scene.kubectl("get virtualips -o wide")
}
