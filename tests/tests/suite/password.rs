//! Passwords of VRRPv2: what is missing, wrong or changed in their folder.

use std::fs;

use anyhow::{Context, Result};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::web;
use crate::support::timing::LONG;

fn locked() -> String {
    let version_2 = "protocolVersion: 2\nauthentication: {passwordKey: gate}\n";
    web(version_2).replace("advertisementInterval: 100ms", "advertisementInterval: 1s")
}

#[test]
fn a_virtual_router_starts_when_its_password_comes() -> Result<()> {
    let mut duo = Duo::new(&[locked()])?;
    duo.a.start()?;
    let missing = |error: &String| error.contains("password key \"gate\"");
    duo.a.wait_until("the password is missed", LONG, |status| status.configuration_errors.iter().any(missing))?;
    assert!(duo.a.status()?.virtual_routers.is_empty(), "without its password it would be master beside the others");

    duo.a.home.write_password("gate", "secret12")?;
    let status = duo.a.wait_for("web", "MASTER")?;
    assert_eq!(status.configuration_errors, [] as [&str; 0]);
    assert!(duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn a_changed_password_counts_at_once() -> Result<()> {
    let mut duo = Duo::new(&[locked()])?;
    duo.a.home.write_password("gate", "first")?;
    duo.b.home.write_password("gate", "second")?;
    duo.a.start_as("MASTER")?;
    duo.b.start_as("MASTER")?;
    assert!(duo.b.counter("rejected_authentication_data")? > 0, "they do not believe each other");
    let before = duo.a.router("web")?.transitions;

    duo.b.home.write_password("gate", "first")?;
    duo.b.wait_for("web", "BACKUP")?;
    let a = duo.a.router("web")?;
    assert_eq!((a.state.as_str(), a.transitions), ("MASTER", before));
    Ok(())
}

#[test]
fn a_password_that_vanishes_stays_in_force_and_is_missed() -> Result<()> {
    let mut duo = Duo::new(&[locked()])?;
    for member in [&mut duo.a, &mut duo.b] {
        member.home.write_password("gate", "secret12")?;
    }
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    let before = duo.a.router("web")?.transitions;
    let file = duo.a.home.passwords().join("gate");
    fs::remove_file(&file).with_context(|| format!("cannot remove {}", file.display()))?;
    let told = |error: &String| error.contains("the password that it had stays in force");
    duo.a.wait_until("it is told", LONG, |status| status.configuration_errors.iter().any(told))?;
    assert_eq!(duo.a.router("web")?.transitions, before);
    assert_eq!(duo.b.counter("rejected_authentication_data")?, 0, "it goes on with its password");
    assert_eq!(duo.b.router("web")?.state, "BACKUP");
    Ok(())
}
