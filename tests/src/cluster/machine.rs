//! What a machine must have for a cluster, beside what the lab needs. A missing piece is an error that names it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::lab::requirements;

/// An error that names the first thing that is missing.
pub(super) fn check() -> Result<()> {
    requirements::check()?;
    for (program, package) in [("runc", "runc"), ("unshare", "util-linux")] {
        ensure!(requirements::find_program(program).is_some(), "`{program}` is missing: apt-get install {package}");
    }
    ensure!(Path::new("/usr/lib/cni/bridge").is_file(), "apt-get install containernetworking-plugins");
    let hierarchies = fs::read_to_string("/proc/self/cgroup").context("cannot read /proc/self/cgroup")?;
    ensure!(
        ["memory", "cpu", "pids", "name=systemd"].iter().all(|name| hierarchies.contains(&format!(":{name}"))),
        "nodes need cgroup v1 with its usual hierarchies; this machine has:\n{hierarchies}"
    );
    Ok(())
}
