//! From an empty cluster to an address that answers.

use std::time::Instant;

use anyhow::Result;
use serde_json::json;

use super::bounds::{FIRST_READY, INSTALLED, PATIENCE};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{NAME, Scene};
use super::{example, scene};
use crate::cluster::{Release, is_whole};

/// `helm install`, until everything runs.
pub(super) fn install(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    println!("\n$ helm install holdfast charts/holdfast --namespace {} --create-namespace", Release::NAMESPACE);
    let began = Instant::now();
    scene.release = Some(Release::install(&scene.cluster, &json!({}))?);
    let took = began.elapsed();
    scene.kubectl(&format!("--namespace {} get pods -o wide", Release::NAMESPACE))?;
    outcomes.add(Outcome {
        step: "helm install: operator and agents are ready",
        expected: format!("within {}", time(INSTALLED)),
        measured: format!("after {}", time(took)),
        met: took <= INSTALLED,
    });
    Ok(())
}

/// Workload, address and health check, until the status says that all is well.
pub(super) fn apply(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    println!(
        "\n$ kubectl apply -f {}    # with a web server that is on this machine: there is no registry",
        example::WEB
    );
    scene.apply(&example::web_with(&scene.cluster.import_web_image()?)?)?;
    scene.kubectl("rollout status daemonset/web --timeout=60s")?;

    let applied = Instant::now();
    scene.kubectl(&format!("apply -f {}", example::ADDRESS))?;
    scene.kubectl(&format!("wait --for=condition=Ready virtualip/{NAME} --timeout=60s"))?;
    let took = applied.elapsed();
    let master = scene.master_other_than(&[])?;
    scene.sightings.wait_for(NAME, "the status is whole", applied, PATIENCE, |status| is_whole(status, &master, 2))?;
    show(scene)?;
    scene.page()?;
    outcomes.add(Outcome {
        step: "kubectl apply: the VirtualIP is Ready",
        expected: format!("within {}", time(FIRST_READY)),
        measured: format!("after {}", time(took)),
        met: took <= FIRST_READY,
    });
    Ok(())
}

/// All that kubectl can tell about an address.
fn show(scene: &scene::Scene) -> Result<()> {
    scene.kubectl("get virtualips")?;
    scene.kubectl("get virtualips -o wide")?;
    scene.kubectl(&format!("describe virtualip {NAME}"))?;
    scene.kubectl("get healthchecks,nodeconfigs")?;
    scene.kubectl("get events --field-selector=involvedObject.kind=VirtualIP")
}
