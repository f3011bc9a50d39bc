//! Links, carriers and one-way partitions.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::lab::fault::Traffic;
use holdfast_tests::lab::{Capture, Frame, Holders, Lan, Partition, Prober};

use crate::support::duo::Duo;
use crate::support::manifest::web;
use crate::support::mode::{Mode, in_modes};
use crate::support::timing::{INTERVAL, LONG, NOISE, master_down, noise_since, skew};

in_modes!({over_ipv4, over_ipv6, by_unicast} [
    a_link_set_down_is_a_fault_until_it_is_up_again,
    a_lost_carrier_is_a_fault_until_it_is_back,
    a_master_that_nobody_hears_is_replaced_and_after_healing_there_is_one,
    clients_find_the_remaining_master_after_a_partition_of_adverts_has_healed,
    a_deaf_master_goes_on_undisturbed,
    a_deaf_backup_takes_over_wrongly_and_the_master_asserts_itself,
]);

/// Cuts the master off by `fault`, and checks that it notices, that it is replaced in time, and that it comes back after
/// `repair` without a loss.
fn lose_link(mode: Mode, fault: impl Fn(&Duo) -> Result<()>, repair: impl Fn(&Duo) -> Result<()>) -> Result<()> {
    let duo = Duo::elected(&[mode.web("")])?;
    let prober = mode.probe(&duo)?;
    let event = Instant::now();
    fault(&duo)?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    duo.a.wait_for("web", "FAULT")?;
    assert_eq!(duo.a.router("web")?.reason, Some("InterfaceDown".to_owned()));
    assert!(!duo.a.holds(mode.vip())?);
    let during = prober.stop()?;
    assert!(during.longest_gap() <= master_down(100) + noise_since(event), "{during}");

    let prober = Prober::start_at(&duo.client, mode.vip(), &duo.b.host, LONG)?;
    let repaired = Instant::now();
    repair(&duo)?;
    prober.wait_for_answer_of(&duo.a.host, repaired, LONG)?;
    duo.b.wait_for("web", "BACKUP")?;
    let after = prober.stop()?;
    assert_eq!(after.lost(), 0, "{after}");
    Ok(())
}

fn a_link_set_down_is_a_fault_until_it_is_up_again(mode: Mode) -> Result<()> {
    lose_link(mode, |duo| duo.a.host.set_link_down("eth0"), |duo| duo.a.host.set_link_up("eth0"))
}

fn a_lost_carrier_is_a_fault_until_it_is_back(mode: Mode) -> Result<()> {
    lose_link(mode, |duo| duo.lan.cut_carrier(&duo.a.host), |duo| duo.lan.restore_carrier(&duo.a.host))
}

fn a_master_that_nobody_hears_is_replaced_and_after_healing_there_is_one(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web("")])?;
    let event = Instant::now();
    duo.lan.partition(Partition::mute(&duo.a.host, Traffic::Everything))?;
    duo.b.wait_for("web", "MASTER")?;
    assert!(event.elapsed() <= master_down(100) + NOISE + noise_since(event));

    let holders = Holders::watch(&duo.observer, mode.vip())?;
    let healed = Instant::now();
    duo.lan.heal()?;
    duo.b.wait_for("web", "BACKUP")?;
    std::thread::sleep(INTERVAL * 5);
    assert_eq!(duo.a.router("web")?.state, "MASTER", "the better one stays");
    let holders = holders.stop()?;
    assert!(holders.held_until(healed, duo.b.host.mac()) <= INTERVAL * 2 + noise_since(healed), "{holders}");
    assert!(!duo.b.holds(mode.vip())?);
    Ok(())
}

fn clients_find_the_remaining_master_after_a_partition_of_adverts_has_healed(mode: Mode) -> Result<()> {
    // One announcement at the takeover and no schedule of repetitions that could mend by chance what was missed.
    let mut duo = Duo::elected(&[mode.web("announcements: {count: 1, delay: 0s}\n")])?;
    duo.lan.partition(Partition::mute(&duo.a.host, Traffic::Adverts))?;
    duo.b.wait_for("web", "MASTER")?;
    let prober = Prober::start_at(&duo.client, mode.vip(), &duo.b.host, LONG)?;
    let healed = Instant::now();
    duo.lan.heal()?;
    // Without a new announcement the client would go on asking b.
    prober.wait_for_answer_of(&duo.a.host, healed, LONG)?;
    duo.b.wait_for("web", "BACKUP")?;
    let report = prober.stop()?;
    let switched = report.switched(healed, &duo.a.host).context("a never answered")?;
    // Announcements in answer to another master are at least a second apart; postponed, not forgotten.
    assert!(switched <= Duration::from_secs(1) + INTERVAL + noise_since(healed), "{switched:?}");
    Ok(())
}

fn a_deaf_master_goes_on_undisturbed(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web("")])?;
    let before = duo.b.router("web")?.transitions;
    duo.lan.partition(Partition::deafen(&duo.a.host, Traffic::Adverts))?;
    let prober = mode.probe(&duo)?;
    std::thread::sleep(master_down(100) * 3);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    assert_eq!(duo.b.router("web")?.transitions, before);
    Ok(())
}

fn a_deaf_backup_takes_over_wrongly_and_the_master_asserts_itself(mode: Mode) -> Result<()> {
    let mut duo = Duo::elected(&[mode.web("")])?;
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    duo.lan.partition(Partition::between(&duo.a.host, &duo.b.host, Traffic::Adverts))?;
    duo.b.wait_for("web", "MASTER")?;
    let (a, b) = (duo.a.host.mac(), duo.b.host.mac());
    let announcement = |frame: &Frame| frame.announced() == Some(mode.vip());
    let usurped = capture.wait_for("b announces", LONG, |frame| frame.source() == Some(b) && announcement(frame))?;
    // RFC 9568 §6.4.3: a master that hears a lesser one sends an advert at once; clients need the address announced too.
    let asserted = capture
        .wait_for("a asserts itself", LONG, |frame| {
            frame.source() == Some(a) && announcement(frame) && frame.at >= usurped.at
        })?
        .at;
    // At the next advert of the usurper, but at most once a second: two masters must not outshout each other.
    assert!(
        asserted - usurped.at <= Duration::from_secs(1) + INTERVAL + noise_since(usurped.at),
        "{:?}",
        asserted - usurped.at
    );
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    let healed = Instant::now();
    duo.lan.heal()?;
    duo.b.wait_for("web", "BACKUP")?;
    assert!(healed.elapsed() <= INTERVAL + Duration::from_secs(1));
    Ok(())
}

#[test]
fn a_fault_tells_the_backup_at_once_where_it_still_can() -> Result<()> {
    // The address lives on eth0, and eth1 is tracked with weight 0: a lost eth1 leaves eth0 able to send priority 0.
    let mut duo = Duo::new(&[web("trackInterfaces: [{name: eth1}]\n")])?;
    let uplink = Lan::with_index(1)?;
    uplink.attach(&duo.a.host, "eth1")?;
    uplink.attach(&duo.b.host, "eth1")?;
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    let prober = duo.probe()?;
    let event = Instant::now();
    uplink.cut_carrier(&duo.a.host)?;
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    let report = prober.stop()?;
    let gap = report.longest_gap();
    assert!(gap <= skew(100) + noise_since(event), "the skew instead of three intervals: {gap:?}");
    duo.a.wait_for("web", "FAULT")?;
    uplink.restore_carrier(&duo.a.host)?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}
