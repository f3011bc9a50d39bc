//! `make demo`: three nodes, a client, and everything that can happen to a virtual IP, with what it cost.
//!
//! | file | holds |
//! | --- | --- |
//! | `guard` | the process around the demo that cleans up, however it ends |
//! | `manifests` | the classic example of `docs/examples`, with the interval asked for |
//! | `cluster` | three nodes with nginx and agent, a client, a second host that asks who answers |
//! | `steps` | the story, one function a step |
//! | `bounds` | what the protocol promises, in numbers |
//! | `outcome` | expected and measured, as a table |

mod bounds;
mod cluster;
pub mod guard;
mod manifests;
mod outcome;
mod steps;

use std::time::Duration;

use anyhow::Result;

use self::cluster::Cluster;
use self::manifests::Manifests;
use self::outcome::Outcomes;

/// Plays the whole story and prints it. Returns whether every step met its promise.
pub fn run(interval: Duration) -> Result<bool> {
    crate::lab::requirements::check()?;
    let manifests = Manifests::classic(interval)?;
    let mut cluster = Cluster::new(&manifests)?;
    let mut outcomes = Outcomes::default();
    steps::play(&mut cluster, &manifests, &mut outcomes)?;
    println!("\n{outcomes}");
    Ok(outcomes.all_met())
}
