//! A restart works from the last good configuration in the state folder.

use std::fs;

use anyhow::{Context, Result};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{file, virtual_ip, web};

#[test]
fn a_restart_without_the_folder_of_manifests_uses_the_last_good_configuration() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.terminate()?;
    fs::remove_dir_all(duo.a.home.manifests()).context("cannot remove the manifests")?;
    duo.a.start_as("MASTER")?;
    assert!(duo.a.holds(VIP)?);
    assert!(!duo.a.status()?.configuration_errors.is_empty(), "it says that the folder is missing");
    Ok(())
}

#[test]
fn a_restart_with_a_broken_manifest_uses_the_last_good_configuration() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.terminate()?;
    duo.a.home.write_manifest("manifest.yaml", "kind: [VirtualIP\n")?;
    duo.a.start_as("MASTER")?;
    assert!(duo.a.holds(VIP)?);
    let errors = duo.a.status()?.configuration_errors;
    assert!(errors.iter().any(|error| error.contains("manifest.yaml")), "{errors:?}");
    Ok(())
}

#[test]
fn a_restart_keeps_in_force_what_the_plan_would_refuse_as_it_stands_now() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.terminate()?;
    let newcomer = virtual_ip("api", "addresses: [10.77.0.100]\nvirtualRouterID: 51\n");
    duo.a.home.write_manifest("manifest.yaml", &file(&[newcomer, web("healthChecks: [{name: typo}]\n")]))?;
    duo.a.start_as("MASTER")?;
    assert!(duo.a.holds(VIP)?);
    let status = duo.a.status()?;
    for problem in ["VirtualIP/api: spec.addresses[0]", "VirtualIP/web: spec.healthChecks[0]"] {
        assert!(status.configuration_errors.iter().any(|error| error.contains(problem)), "{problem}: {status:?}");
    }
    Ok(())
}

#[test]
fn once_the_folder_is_back_it_counts_again() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.terminate()?;
    duo.a.home.write_manifest("manifest.yaml", "kind: [VirtualIP\n")?;
    duo.a.start_as("MASTER")?;
    duo.a.home.write_manifest("manifest.yaml", &web("").replace("10.77.0.100", "10.77.0.101"))?;
    duo.a.wait_until("the new address is held", crate::support::timing::LONG, |status| {
        status.of("web").any(|router| router.held.contains(&[10, 77, 0, 101].into()))
    })?;
    assert!(!duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn a_first_start_without_manifests_waits_for_them() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.home.remove_manifest("manifest.yaml")?;
    duo.a.start()?;
    duo.a.wait_until("it answers", crate::support::timing::LONG, |status| status.virtual_routers.is_empty())?;
    duo.a.home.write_manifest("manifest.yaml", &web(""))?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}
