//! The end: everything that Holdfast has put on the nodes goes with it.

use std::time::Instant;

use anyhow::{Context, Result};

use super::bounds::{PATIENCE, UNINSTALLED};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{ADDRESS, Scene};
use crate::cluster::Release;
use crate::lab::addresses::AddressWatch;
use crate::lab::wait;

/// `helm uninstall`, until no node has the address.
pub(super) fn uninstall(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    println!("\n$ helm uninstall holdfast --namespace {}", Release::NAMESPACE);
    let master = scene.master_other_than(&[])?;
    let addresses = AddressWatch::start(scene.cluster.node(&master)?.host()?)?;
    let began = Instant::now();
    scene.release.take().context("Holdfast is installed")?.uninstall(&scene.cluster)?;
    println!("Uninstalled after {}.", time(began.elapsed()));
    wait::until(&format!("no node holds {ADDRESS}"), PATIENCE, || Ok(scene.holders()?.is_empty()))?;
    let last = addresses.events(ADDRESS).pop().with_context(|| format!("{master} held {ADDRESS} for nobody"))?;
    scene.kubectl("get virtualips")?;
    outcomes.add(Outcome {
        step: "helm uninstall: no node holds the address",
        expected: format!("within {}", time(UNINSTALLED)),
        measured: format!("after {}", time(last.at.duration_since(began))),
        met: last.at.duration_since(began) <= UNINSTALLED,
    });
    Ok(())
}
