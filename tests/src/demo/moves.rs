//! A planned move, as before work on a node: by an annotation, and without a loss.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use holdfast_crds::VirtualIPStatus;

use super::bounds::{PATIENCE, VISIBLE};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{NAME, Scene};
use crate::lab::ProbeReport;

/// Asks each node in turn to take the address, and fetches the page of its web server.
pub(super) fn visit_every_node(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    let first = scene.master_other_than(&[])?;
    let mut nodes: Vec<String> = scene.running().map(|node| node.name().to_owned()).collect();
    // The master last, so that every visit is a move.
    nodes.sort_by_key(|name| *name == first);

    let prober = scene.probe(&first)?;
    let mut served = Vec::new();
    let mut named = Vec::new();
    for node in &nodes {
        let asked = Instant::now();
        scene.kubectl(&format!("annotate virtualip {NAME} --overwrite holdfast.dev/prefer-node={node}"))?;
        scene.settle(&prober, node, asked)?;
        let is_told = |status: &VirtualIPStatus| status.master.as_ref() == Some(node);
        named
            .push((asked, scene.sightings.wait_for(NAME, &format!("kubectl names {node}"), asked, PATIENCE, is_told)?));
        served.push(scene.page()?);
    }
    scene.kubectl("get virtualips -o wide")?;
    scene.kubectl(&format!("annotate virtualip {NAME} holdfast.dev/prefer-node-"))?;
    let report = prober.stop()?;
    println!("\nThe client sent {report}.");
    let slowest = slowest_news(scene, &report, &nodes, &named)?;
    ensure!(served == nodes, "the pages came from {served:?}, not from {nodes:?}");
    outcomes.add(Outcome {
        step: "moved to each of three nodes: the page comes from there",
        expected: "0 probes lost".to_owned(),
        measured: format!("{} of {} lost", report.lost(), report.sent()),
        met: report.lost() == 0,
    });
    outcomes.add(Outcome {
        step: "moved: kubectl names the new master",
        expected: format!("within {}", time(VISIBLE)),
        measured: format!("after {} at most", time(slowest)),
        met: slowest <= VISIBLE,
    });
    Ok(())
}

/// The longest time from a node's first answer to the moment at which it was named. `named` holds, for each node, when it was
/// asked to take the address and when it was named.
fn slowest_news(
    scene: &Scene,
    report: &ProbeReport,
    nodes: &[String],
    named: &[(Instant, Instant)],
) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    for (node, (asked, named)) in nodes.iter().zip(named) {
        let host = scene.cluster.node(node)?.host()?;
        let answered = *asked + report.switched(*asked, host).with_context(|| format!("{node} did not answer"))?;
        slowest = slowest.max(named.saturating_duration_since(answered));
    }
    Ok(slowest)
}
