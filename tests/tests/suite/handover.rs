//! Leaving on purpose loses nothing: make before break.

use std::net::IpAddr;
use std::time::Instant;

use anyhow::{Context, Result};
use holdfast_tests::lab::addresses::{AddressWatch, Change};
use holdfast_tests::lab::{Capture, Holders, Prober};
use nix::sys::signal::Signal;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{self, web};
use crate::support::timing::{INTERVAL, LONG, NOISE, master_down, noise_since, skew};

#[test]
fn sigterm_hands_the_address_over_without_a_loss_and_removes_it() -> Result<()> {
    let mut duo = Duo::elected(&[web("")])?;
    let prober = duo.probe()?;
    let (stop, _) = duo.a.terminate()?;
    prober.wait_for_answer_of(&duo.b.host, stop, LONG)?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let switched = report.switched(stop, &duo.b.host).context("b never answered")?;
    assert!(switched <= skew(100) + noise_since(stop), "{switched:?}");
    assert!(!duo.a.holds(VIP)?);
    assert_eq!(duo.b.router("web")?.reason, Some("MasterReleased".to_owned()));
    Ok(())
}

#[test]
fn both_families_of_a_dual_stack_vip_are_handed_over_and_back_without_a_loss() -> Result<()> {
    let mut duo = Duo::elected(&[web("").replace("[10.77.0.100]", "[10.77.0.100, \"fd77::100\"]")])?;
    let targets = [VIP, "fd77::100".parse()?];
    let probe = |target: &IpAddr| Prober::start_at(&duo.client, *target, &duo.a.host, LONG);
    let probers = targets.iter().map(probe).collect::<Result<Vec<_>>>()?;
    let (stop, _) = duo.a.terminate()?;
    probers.iter().try_for_each(|prober| prober.wait_for_answer_of(&duo.b.host, stop, LONG))?;
    let back = duo.a.start()?;
    probers.iter().try_for_each(|prober| prober.wait_for_answer_of(&duo.a.host, back, LONG))?;
    duo.b.wait_for("web", "BACKUP")?;
    std::thread::sleep(INTERVAL * 3);
    for (prober, target) in probers.into_iter().zip(targets) {
        let report = prober.stop()?;
        assert_eq!(report.lost(), 0, "{target}: {report}");
    }
    Ok(())
}

#[test]
fn a_better_node_that_comes_back_preempts_without_a_loss() -> Result<()> {
    let mut duo = Duo::elected(&[web("")])?;
    duo.a.terminate()?;
    duo.b.wait_for("web", "MASTER")?;
    let prober = Prober::start_at(&duo.client, VIP, &duo.b.host, LONG)?;
    let start = duo.a.start()?;
    prober.wait_for_answer_of(&duo.a.host, start, LONG)?;
    duo.b.wait_for("web", "BACKUP")?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert!(!duo.b.holds(VIP)?);
    Ok(())
}

#[test]
fn with_preemption_never_a_better_node_stays_backup() -> Result<()> {
    let mut duo = Duo::elected(&[web("preemption: {mode: Never}\n")])?;
    duo.a.terminate()?;
    duo.b.wait_for("web", "MASTER")?;
    let transitions = duo.b.router("web")?.transitions;
    duo.a.start_as("BACKUP")?;
    // Long enough for any takeover.
    std::thread::sleep(master_down(100) * 2);
    assert_eq!(duo.a.router("web")?.state, "BACKUP");
    let b = duo.b.router("web")?;
    assert_eq!((b.state.as_str(), b.transitions), ("MASTER", transitions));
    Ok(())
}

#[test]
fn with_a_preemption_delay_a_better_node_waits_for_it() -> Result<()> {
    let delay = std::time::Duration::from_secs(2);
    let mut duo = Duo::elected(&[web("preemption: {delay: 2s}\n")])?;
    duo.a.terminate()?;
    duo.b.wait_for("web", "MASTER")?;
    duo.a.start_as("BACKUP")?;
    let backup = Instant::now();
    duo.a.wait_for("web", "MASTER")?;
    let waited = backup.elapsed();
    assert!(waited + NOISE >= delay && waited <= delay + master_down(200) + NOISE + noise_since(backup), "{waited:?}");
    Ok(())
}

#[test]
fn a_lone_master_that_is_stopped_says_farewell_once_and_removes_its_address() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    duo.a.start_as("MASTER")?;
    let (stop, exit) = duo.a.terminate()?;
    // Nobody takes over: it gives up waiting after about four intervals.
    assert!(exit.at - stop <= INTERVAL * 5 + noise_since(stop), "{:?}", exit.at - stop);
    assert!(!duo.a.holds(VIP)?);
    let farewells = capture.matching(|frame| frame.advert().is_some_and(|advert| advert.priority == 0))?;
    assert_eq!(farewells.len(), 1);
    let later = capture.matching(|frame| frame.advert().is_some() && frame.at > farewells[0].at)?;
    assert!(later.is_empty(), "an advert after the farewell would hold the successor back: {later:?}");
    Ok(())
}

#[test]
fn a_second_sigterm_does_not_wait_for_a_successor() -> Result<()> {
    // Four intervals of waiting would be 40 s.
    let slow = manifest::virtual_ip(
        "web",
        "addresses: [10.77.0.100]\nvirtualRouterID: 51\nadvertisementInterval: 10s\npriority: 255\n",
    );
    let mut duo = Duo::new(&[slow])?;
    duo.a.start_as("MASTER")?;
    let agent = duo.a.agent()?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    agent.signal(Signal::SIGTERM)?;
    let first = Instant::now();
    assert!(agent.process().wait(INTERVAL * 5).is_err(), "the first one drains");
    agent.signal(Signal::SIGTERM)?;
    let exit = agent.process().wait(LONG)?;
    assert!(exit.at - first < std::time::Duration::from_secs(5), "{:?}", exit.at - first);
    assert_eq!(exit.code(), Some(130));
    addresses.wait_for(VIP, Change::Removed, first, LONG)?;
    Ok(())
}

#[test]
fn deleting_the_manifest_of_the_master_alone_drains_to_the_backup_without_a_loss() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let prober = duo.probe()?;
    let holders = Holders::watch(&duo.observer, VIP)?;
    let event = Instant::now();
    duo.a.home.remove_manifest("manifest.yaml")?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.a.wait_until("web is gone", LONG, |status| status.of("web").next().is_none())?;
    std::thread::sleep(INTERVAL * 5);
    let (report, holders) = (prober.stop()?, holders.stop()?);
    assert_eq!(report.lost(), 0, "{report}");
    assert!(!duo.a.holds(VIP)?);
    assert!(holders.longest_with_two() <= INTERVAL + noise_since(event), "{holders}");
    Ok(())
}
