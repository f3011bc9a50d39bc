//! File checks: the kernel tells of a change, not the next poll.

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::lab::scratch;
use tempfile::TempDir;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, web};
use crate::support::timing::NOISE;

/// A lone node with a check on a file; with a poll, an hour would pass until a change counts.
struct Scene {
    duo: Duo,
    file: PathBuf,
    _folder: TempDir,
}

impl Scene {
    fn new(mode: &str, weight: &str, content: Option<&str>) -> Result<Self> {
        let folder = scratch::folder("switch")?;
        let file = folder.path().join("switch");
        if let Some(content) = content {
            fs::write(&file, content).context("cannot write the file")?;
        }
        let path = file.display();
        let check = format!("file: {{path: {path}, mode: {mode}}}\ninterval: 1h\nrise: 1\nfall: 1\n{weight}");
        let mut duo = Duo::new(&[web("healthChecks: [{name: switch}]\n"), health_check("switch", &check)])?;
        duo.a.start()?;
        Ok(Self { duo, file, _folder: folder })
    }

    fn expect_soon(&self, state: &str) -> Result<()> {
        let event = Instant::now();
        self.duo.a.wait_for("web", state)?;
        // From FAULT to MASTER a whole Master_Down interval passes.
        assert!(event.elapsed() <= Duration::from_secs(1) + NOISE, "{state} after {:?}", event.elapsed());
        Ok(())
    }

    fn expect_priority(&self, priority: u8) -> Result<()> {
        self.duo.a.wait_for_priority(priority)
    }
}

#[test]
fn a_file_that_must_exist() -> Result<()> {
    let scene = Scene::new("Exists", "", Some(""))?;
    scene.duo.a.wait_for("web", "MASTER")?;
    fs::remove_file(&scene.file)?;
    scene.expect_soon("FAULT")?;
    fs::write(&scene.file, "")?;
    scene.expect_soon("MASTER")
}

#[test]
fn a_file_that_must_not_exist_is_a_switch_for_maintenance() -> Result<()> {
    let scene = Scene::new("Absent", "", None)?;
    scene.duo.a.wait_for("web", "MASTER")?;
    fs::write(&scene.file, "")?;
    scene.expect_soon("FAULT")?;
    fs::remove_file(&scene.file)?;
    scene.expect_soon("MASTER")
}

#[test]
fn the_number_in_a_file_times_the_weight_is_added_to_the_priority() -> Result<()> {
    let scene = Scene::new("Value", "weight: -20\n", Some("0\n"))?;
    scene.duo.a.wait_for("web", "MASTER")?;
    scene.expect_priority(200)?;
    // The sum stays within 1 to 254, and what is no number counts as 0.
    let cases =
        [("1\n", 180), ("5", 100), ("0", 200), ("-2\n", 240), ("-7\n", 254), ("12", 1), ("nonsense\n", 200), ("", 200)];
    for (content, priority) in cases {
        fs::write(&scene.file, content)?;
        scene.expect_priority(priority).with_context(|| format!("content {content:?}"))?;
    }
    fs::write(&scene.file, "1")?;
    scene.expect_priority(180)?;
    fs::remove_file(&scene.file)?;
    scene.expect_priority(200)
}

#[test]
fn a_number_that_outweighs_every_priority_is_a_fault() -> Result<()> {
    let scene = Scene::new("Value", "weight: 1\n", Some("-253\n"))?;
    scene.duo.a.wait_for("web", "MASTER")?;
    scene.expect_priority(1)?;
    fs::write(&scene.file, "-254\n")?;
    scene.expect_soon("FAULT")?;
    fs::write(&scene.file, "-100\n")?;
    scene.expect_soon("MASTER")?;
    scene.expect_priority(100)
}

#[test]
fn with_weight_zero_any_number_but_zero_is_a_fault() -> Result<()> {
    let scene = Scene::new("Value", "", Some("0\n"))?;
    scene.duo.a.wait_for("web", "MASTER")?;
    fs::write(&scene.file, "1\n")?;
    scene.expect_soon("FAULT")?;
    fs::write(&scene.file, "0\n")?;
    scene.expect_soon("MASTER")
}

#[test]
fn a_file_replaced_by_rename_counts_as_changed() -> Result<()> {
    let scene = Scene::new("Value", "weight: 1\n", Some("0\n"))?;
    scene.expect_priority(200)?;
    let draft = scene.file.with_extension("draft");
    fs::write(&draft, "1\n")?;
    fs::rename(&draft, &scene.file)?;
    scene.expect_priority(201)
}
