//! `make demo`: a Kubernetes of three nodes, Holdfast installed with Helm, and everything that can happen to a virtual IP,
//! with what it cost.
//!
//! | file | holds |
//! | --- | --- |
//! | `scene` | the cluster, Holdfast in it, who holds the address, and what is printed |
//! | `example` | the manifests of `docs/examples`, as they are applied |
//! | `takeover` | what the client saw of an address whose master was lost |
//! | `install`, `moves`, `crash`, `outage`, `uninstall` | the story, one file a chapter |
//! | `bounds` | what is promised, in numbers |
//! | `outcome` | expected and measured, as a table |

mod bounds;
mod crash;
mod example;
mod install;
mod moves;
mod outage;
pub(crate) mod outcome;
mod scene;
mod takeover;
mod uninstall;

use anyhow::{Context, Result, bail};

pub(crate) use self::example::web_with;
use self::outcome::Outcomes;
use self::scene::Scene;
use crate::cluster::lock::{self, Holder};

type Chapter = fn(&mut Scene, &mut Outcomes) -> Result<()>;

/// Fails if a cluster runs on this machine.
pub fn refuse_beside_another_cluster() -> Result<()> {
    let Some(Holder { pid, name }) = lock::holder()? else { return Ok(()) };
    bail!(
        "process {pid} ({name}) runs a cluster, and there is room for one: `make cluster-down` ends one that `make cluster` started"
    )
}

/// Tells the whole story. Returns whether every promise was kept.
pub fn run() -> Result<bool> {
    let mut outcomes = Outcomes::default();
    let mut scene = Scene::up()?;
    let chapters: [(&str, Chapter); 7] = [
        ("Holdfast is installed with Helm", install::install),
        ("A web server on every node, and one address for all", install::apply),
        ("The address goes to every node, one after the other", moves::visit_every_node),
        ("The master's node loses its power", crash::power_off),
        ("The API server and the operator are gone, and the master fails", outage::fail_over),
        ("They come back", outage::come_back),
        ("Holdfast is uninstalled", uninstall::uninstall),
    ];
    for (number, (title, chapter)) in chapters.into_iter().enumerate() {
        println!("\n=== {}. {title}", number + 1);
        let missed = outcomes.missed();
        let told = chapter(&mut scene, &mut outcomes);
        if told.is_err() || outcomes.missed() > missed {
            scene.print_logs();
        }
        told.with_context(|| format!("in chapter {}: {title}", number + 1))?;
    }
    println!("\n{outcomes}");
    Ok(outcomes.missed() == 0)
}
