//! The end: everything that Holdfast has put on the nodes goes with it.

use std::time::Instant;

use anyhow::{Context, Result};

use super::bounds::PATIENCE;
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{ADDRESS, Scene};
use crate::cluster::Release;
use crate::lab::wait;

/// `helm uninstall`, until no node has the address.
pub(super) fn uninstall(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    println!("\n$ helm uninstall holdfast --namespace {}", Release::NAMESPACE);
    let began = Instant::now();
    scene.release.take().context("Holdfast is installed")?.uninstall(&scene.cluster)?;
    let released = wait::until(&format!("no node holds {ADDRESS}"), PATIENCE, || Ok(scene.holders()?.is_empty()));
    let took = began.elapsed();
    scene.kubectl("get virtualips")?;
    outcomes.add(Outcome {
        step: "helm uninstall: no node holds the address",
        expected: "none does".to_owned(),
        measured: match &released {
            Ok(()) => format!("none after {}", time(took)),
            Err(_) => format!("{:?}", scene.holders()?),
        },
        met: released.is_ok(),
    });
    Ok(())
}
