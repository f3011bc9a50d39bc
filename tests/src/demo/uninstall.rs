//! The end: everything that Holdfast has put on the nodes goes with it.

use std::time::Instant;

use anyhow::{Context, Result, ensure};

use super::outcome::{Outcome, Outcomes, time};
use super::scene::{ADDRESS, Scene};
use crate::cluster::Release;

/// `helm uninstall`, until its pods are gone. That may take a while here: a kubelet that has lost the API server looks for it
/// less and less often, up to every 30 s, and so hears late that its pods shall end.
pub(super) fn uninstall(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    println!("\n$ helm uninstall holdfast --namespace {}", Release::NAMESPACE);
    let before = scene.holders()?;
    ensure!(before.len() == 1, "one node holds {ADDRESS} until then, not {before:?}");
    let began = Instant::now();
    scene.release.take().context("Holdfast is installed")?.uninstall(&scene.cluster)?;
    let (took, holders) = (began.elapsed(), scene.holders()?);
    scene.kubectl("get virtualips")?;
    outcomes.add(Outcome {
        step: "helm uninstall: no node holds the address",
        expected: "when all pods are gone".to_owned(),
        measured: match holders.as_slice() {
            [] => format!("none does, after {}", time(took)),
            _ => format!("{} after {}", holders.join(", "), time(took)),
        },
        met: holders.is_empty(),
    });
    Ok(())
}
