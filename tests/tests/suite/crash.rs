//! A master that dies or freezes is replaced within the time of the protocol, and its addresses do not outlive it, also
//! without a fence.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::lab::addresses::{AddressWatch, Change};
use holdfast_tests::lab::{Capture, Frame, Holders, Mac};
use nix::sys::signal::Signal;

use crate::support::duo::Duo;
use crate::support::mode::{Mode, in_modes};
use crate::support::timing::{INTERVAL, LEASE, LONG, master_down, noise_since};

/// Its lifetime is all that takes an address from an agent that cannot.
const UNFENCED: &str = "fencing: None\n";

in_modes!({over_ipv4, over_ipv6} [
    a_crashed_node_is_replaced_between_two_and_three_intervals_and_a_skew,
    the_address_of_a_killed_agent_goes_within_its_lease_and_nothing_is_lost,
    a_killed_agent_that_is_started_again_does_not_disturb_its_successor,
    a_master_frozen_for_five_seconds_wakes_up_as_backup_without_a_word,
    a_preferred_master_frozen_for_five_seconds_comes_back_by_preemption_with_one_burst,
    a_short_freeze_changes_nothing,
]);

fn a_crashed_node_is_replaced_between_two_and_three_intervals_and_a_skew(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web("")])?;
    let prober = mode.probe(&duo)?;
    let crash = Instant::now();
    duo.lan.unplug(&duo.a.host)?;
    duo.a.host.kill_everything();
    prober.wait_for_answer_of(&duo.b.host, crash, LONG)?;
    std::thread::sleep(INTERVAL);
    let report = prober.stop()?;
    let gap = report.longest_gap();
    // The crash comes up to an interval after the last advert.
    assert!(gap + INTERVAL + INTERVAL / 10 >= master_down(100), "too early: {gap:?}; {report}");
    assert!(gap <= master_down(100) + noise_since(crash), "too late: {gap:?}; {report}");
    assert_eq!(duo.b.router("web")?.reason, Some("MasterSilent".to_owned()));
    Ok(())
}

fn the_address_of_a_killed_agent_goes_within_its_lease_and_nothing_is_lost(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web(UNFENCED)])?;
    let (prober, holders) = (mode.probe(&duo)?, Holders::watch(&duo.observer, mode.vip())?);
    let addresses = AddressWatch::start(&duo.a.host)?;
    let event = duo.a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    let gone = addresses.wait_for(mode.vip(), Change::Removed, event, LONG)?.at - event;
    std::thread::sleep(INTERVAL);
    let (report, holders) = (prober.stop()?, holders.stop()?);
    assert!(gone <= LEASE, "{gone:?}");
    assert!(holders.held_until(event, duo.a.host.mac()) <= LEASE, "{holders}");
    assert!(holders.longest_with_two() <= LEASE, "{holders}");
    assert_eq!(report.lost(), 0, "the kernel answers until the successor has announced itself: {report}");
    let switched = report.switched(event, &duo.b.host).context("b never answered")?;
    assert!(switched <= master_down(100) + noise_since(event), "{switched:?}");
    Ok(())
}

fn a_killed_agent_that_is_started_again_does_not_disturb_its_successor(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web("preemption: {mode: Never}\n")])?;
    let prober = mode.probe(&duo)?;
    let event = duo.a.kill()?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.b.wait_for("web", "MASTER")?;
    duo.a.start_as("BACKUP")?;
    std::thread::sleep(LEASE.saturating_sub(event.elapsed()));
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert!(!duo.a.holds(mode.vip())?);
    Ok(())
}

/// What `a` says to everybody after `since`.
fn said_by_a(mode: Mode, capture: &Capture, a: Mac, since: Instant) -> Result<(usize, usize)> {
    let from_a = |frame: &Frame| frame.source() == Some(a) && frame.at >= since;
    let adverts = capture.matching(|frame| from_a(frame) && frame.advert().is_some())?.len();
    let announcements = capture.matching(|frame| from_a(frame) && frame.announced() == Some(mode.vip()))?.len();
    Ok((adverts, announcements))
}

fn a_master_frozen_for_five_seconds_wakes_up_as_backup_without_a_word(mode: Mode) -> Result<()> {
    let duo = Duo::elected(&[mode.web(&format!("preemption: {{mode: Never}}\n{UNFENCED}"))])?;
    let (prober, holders) = (mode.probe(&duo)?, Holders::watch(&duo.observer, mode.vip())?);
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    let freeze = Instant::now();
    duo.a.agent()?.signal(Signal::SIGSTOP)?;
    prober.wait_for_answer_of(&duo.b.host, freeze, LONG)?;
    std::thread::sleep(Duration::from_secs(5).saturating_sub(freeze.elapsed()));
    assert!(!duo.a.holds(mode.vip())?, "its lease has run out");

    let thaw = Instant::now();
    duo.a.agent()?.signal(Signal::SIGCONT)?;
    duo.a.wait_for("web", "BACKUP")?;
    std::thread::sleep(master_down(100) * 2);

    let (report, holders) = (prober.stop()?, holders.stop()?);
    assert!(holders.longest_with_two() <= LEASE, "{holders}");
    assert!(report.longest_gap() <= master_down(100) + noise_since(freeze), "{report}");
    assert_eq!(said_by_a(mode, &capture, duo.a.host.mac(), thaw)?, (0, 0), "adverts and announcements after waking up");
    assert_eq!(duo.b.router("web")?.state, "MASTER");
    Ok(())
}

fn a_preferred_master_frozen_for_five_seconds_comes_back_by_preemption_with_one_burst(mode: Mode) -> Result<()> {
    let duo = Duo::elected(&[mode.web("")])?;
    let prober = mode.probe(&duo)?;
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    let freeze = Instant::now();
    duo.a.agent()?.signal(Signal::SIGSTOP)?;
    prober.wait_for_answer_of(&duo.b.host, freeze, LONG)?;
    std::thread::sleep(Duration::from_secs(5).saturating_sub(freeze.elapsed()));
    let thaw = Instant::now();
    duo.a.agent()?.signal(Signal::SIGCONT)?;
    prober.wait_for_answer_of(&duo.a.host, thaw, LONG)?;
    std::thread::sleep(Duration::from_secs(1));
    let report = prober.stop()?.between(thaw, Instant::now());
    assert_eq!(report.lost(), 0, "{report}");
    let (_, announcements) = said_by_a(mode, &capture, duo.a.host.mac(), thaw)?;
    assert!(announcements <= 10, "{announcements} announcements");
    Ok(())
}

fn a_short_freeze_changes_nothing(mode: Mode) -> Result<()> {
    let duo = Duo::elected(&[mode.web("")])?;
    let before = duo.b.router("web")?.transitions;
    let prober = mode.probe(&duo)?;
    duo.a.agent()?.signal(Signal::SIGSTOP)?;
    std::thread::sleep(INTERVAL);
    duo.a.agent()?.signal(Signal::SIGCONT)?;
    std::thread::sleep(master_down(100) * 2);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.b.router("web")?.transitions, before);
    Ok(())
}
