//! `make demo-standalone`: no Kubernetes. Three nodes that read a folder, a client, and everything that can happen to a virtual IP, with what it cost.
//!
//! | file | holds |
//! | --- | --- |
//! | `manifests` | the classic example of `docs/examples`, with the interval asked for |
//! | `cluster` | three nodes with nginx and agent, a client, a second host that asks who answers |
//! | `steps` | the story, one function a step |
//! | `bounds` | what the protocol promises, in numbers |
//!
//! The table at its end is that of [`crate::demo`].

mod bounds;
mod cluster;
mod manifests;
mod steps;

use std::time::Duration;

use anyhow::Result;

use self::cluster::Cluster;
use self::manifests::Manifests;
use crate::demo::outcome::Outcomes;

/// Plays the whole story and prints it. Returns whether every step met its promise.
pub fn run(interval: Duration) -> Result<bool> {
    crate::lab::requirements::check()?;
    let manifests = Manifests::classic(interval)?;
    let mut cluster = Cluster::new(&manifests)?;
    let mut outcomes = Outcomes::default();
    steps::play(&mut cluster, &manifests, &mut outcomes)?;
    println!("\n{outcomes}");
    Ok(outcomes.missed() == 0)
}
