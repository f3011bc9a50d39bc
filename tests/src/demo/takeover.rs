//! What the client saw of an address whose master was lost.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::bounds::{FAILOVER, noise_since};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::Scene;
use crate::lab::ProbeReport;

/// Adds how soon after the loss the new master answered, and returns it.
pub(super) fn judge(
    step: &'static str,
    scene: &Scene,
    report: &ProbeReport,
    new: &str,
    lost: Instant,
    outcomes: &mut Outcomes,
) -> Result<Duration> {
    println!("\nThe client sent {report}.");
    let answered = report.switched(lost, scene.cluster.node(new)?.host()?).context("the address did not move")?;
    outcomes.add(Outcome {
        step,
        expected: format!("within {}", time(FAILOVER)),
        measured: format!("after {}, {} probes lost", time(answered), report.lost()),
        met: answered <= FAILOVER + noise_since(lost),
    });
    Ok(answered)
}
