//! Weights against priorities: the arithmetic of the election, carried out.

use std::fs;
use std::path::PathBuf;
use std::time::Instant;

use anyhow::{Context, Result};
use holdfast_tests::lab::scratch;
use tempfile::TempDir;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, virtual_ip};
use crate::support::timing::{INTERVAL, LONG, noise_since, skew};

/// Nodes `a` (priority 110) and `b` (100), and a check on `a` that passes while a file exists there.
struct Scene {
    duo: Duo,
    file: PathBuf,
    _folder: TempDir,
}

impl Scene {
    fn new(reference: &str, more: &str) -> Result<Self> {
        let folder = scratch::folder("switch")?;
        let file = folder.path().join("a");
        fs::write(&file, "").context("cannot write the file")?;
        let spec = format!(
            "addresses: [10.77.0.100]\nvirtualRouterID: 51\nadvertisementInterval: 100ms\npriority: 100\n\
             nodePriorities: [{{nodeName: a, priority: 110}}]\nhealthChecks: [{{name: switch{reference}}}]\n{more}"
        );
        let check = |path: &str| format!("file: {{path: {path}}}\nrise: 1\nfall: 1\nweight: -15\n");
        let file_of_a = file.display().to_string();
        let duo = Duo::new(&[virtual_ip("web", &spec), health_check("switch", &check(&file_of_a))])?;
        // On b the same check looks at a file that is always there.
        let on_b = [virtual_ip("web", &spec), health_check("switch", &check("/proc/version"))];
        duo.b.home.write_manifest("manifest.yaml", &on_b.join("---\n"))?;
        Ok(Self { duo, file, _folder: folder })
    }

    fn elected(reference: &str, more: &str) -> Result<Self> {
        let mut scene = Self::new(reference, more)?;
        scene.duo.a.start_as("MASTER")?;
        scene.duo.b.start_as("BACKUP")?;
        Ok(scene)
    }

    fn fail(&self) -> Result<Instant> {
        let event = Instant::now();
        fs::remove_file(&self.file).context("cannot remove the file")?;
        Ok(event)
    }

    fn pass(&self) -> Result<Instant> {
        let event = Instant::now();
        fs::write(&self.file, "").context("cannot write the file")?;
        Ok(event)
    }
}

#[test]
fn a_weight_that_costs_the_claim_moves_the_address_as_fast_as_a_fault_and_without_a_loss() -> Result<()> {
    let scene = Scene::elected("", "")?;
    let duo = &scene.duo;
    let prober = duo.probe()?;
    let event = scene.fail()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.a.wait_for("web", "BACKUP")?;
    assert_eq!(duo.a.router("web")?.priority, 95);
    let back = scene.pass()?;
    prober.wait_for_answer_of(&duo.a.host, back, LONG)?;
    duo.b.wait_for("web", "BACKUP")?;
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let switched = report.switched(event, &duo.b.host).context("b never answered")?;
    assert!(switched <= skew(100) + noise_since(event), "priority 0 instead of three intervals: {switched:?}");
    Ok(())
}

#[test]
fn also_without_preemption_a_master_that_lost_its_claim_by_weight_leaves() -> Result<()> {
    let scene = Scene::elected("", "preemption: {mode: Never}\n")?;
    scene.fail()?;
    scene.duo.b.wait_for("web", "MASTER")?;
    scene.duo.a.wait_for("web", "BACKUP")?;
    scene.pass()?;
    std::thread::sleep(INTERVAL * 10);
    assert_eq!(scene.duo.b.router("web")?.state, "MASTER", "and the new one stays");
    Ok(())
}

#[test]
fn a_weight_that_leaves_the_claim_moves_nothing() -> Result<()> {
    let scene = Scene::elected(", weight: -5", "")?;
    let before = scene.duo.a.router("web")?.transitions;
    scene.fail()?;
    scene.duo.a.wait_for_priority(105)?;
    std::thread::sleep(INTERVAL * 10);
    let router = scene.duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}

#[test]
fn the_last_node_keeps_the_address_however_low_its_priority() -> Result<()> {
    let mut scene = Scene::new(", weight: -253", "")?;
    scene.duo.a.start_as("MASTER")?;
    let prober = scene.duo.probe()?;
    scene.fail()?;
    scene.duo.a.wait_for_priority(1)?;
    std::thread::sleep(INTERVAL * 10);
    assert_eq!(scene.duo.a.router("web")?.state, "MASTER");
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "what it gives up it holds until it is sure: {report}");
    Ok(())
}

#[test]
fn a_positive_weight_is_added_while_the_check_passes() -> Result<()> {
    let scene = Scene::elected(", weight: 20", "")?;
    scene.duo.a.wait_for_priority(130)?;
    scene.duo.b.wait_for_priority(120)?;
    scene.fail()?;
    scene.duo.b.wait_for("web", "MASTER")?;
    scene.duo.a.wait_for_priority(110)?;
    Ok(())
}

#[test]
fn a_reversed_check_fails_while_it_passes() -> Result<()> {
    let mut scene = Scene::new(", weight: 0, reverse: true", "")?;
    scene.duo.a.start_as("FAULT")?;
    scene.fail()?;
    scene.duo.a.wait_for("web", "MASTER")?;
    scene.pass()?;
    scene.duo.a.wait_for("web", "FAULT")?;
    Ok(())
}
