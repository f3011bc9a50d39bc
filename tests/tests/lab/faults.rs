//! Every fault does what its name says, and is undone.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::Result;
use holdfast_tests::lab::fault::Traffic;
use holdfast_tests::lab::lan::Pair;
use holdfast_tests::lab::{Capture, Frame, Host, Partition, Prober, craft, wait};

const SHORT: Duration = Duration::from_secs(5);

/// True if an echo request from `host` to `target` is answered within a moment.
fn reaches(host: &Host, target: Ipv4Addr) -> Result<bool> {
    let prober = Prober::start(host, target.into())?;
    std::thread::sleep(Duration::from_millis(200));
    let report = prober.stop()?;
    Ok(report.lost() < report.sent())
}

/// Waits until `host` reaches `target`: after a fault its neighbour table has to recover first.
fn await_reachable(host: &Host, target: Ipv4Addr) -> Result<()> {
    wait::until("the target is reachable", SHORT, || reaches(host, target))
}

fn link_state(host: &Host) -> Result<String> {
    host.namespace().ip("-o link show dev eth0")
}

#[test]
fn an_unplugged_node_keeps_its_carrier_and_reaches_nobody_until_it_is_plugged_in() -> Result<()> {
    let Pair { lan, a, client, .. } = Pair::new()?;
    await_reachable(&client, a.ipv4())?;
    lan.unplug(&a)?;
    assert!(!reaches(&client, a.ipv4())?);
    assert!(link_state(&a)?.contains("LOWER_UP"));
    lan.plug(&a)?;
    await_reachable(&client, a.ipv4())?;
    Ok(())
}

#[test]
fn a_cut_carrier_is_seen_by_the_node() -> Result<()> {
    let Pair { lan, a, client, .. } = Pair::new()?;
    lan.cut_carrier(&a)?;
    wait::until("NO-CARRIER", SHORT, || Ok(link_state(&a)?.contains("NO-CARRIER")))?;
    lan.restore_carrier(&a)?;
    a.wait_until_up("eth0")?;
    await_reachable(&client, a.ipv4())?;
    Ok(())
}

#[test]
fn a_link_that_was_set_down_comes_back_with_both_addresses() -> Result<()> {
    let Pair { lan: _lan, a, client, .. } = Pair::new()?;
    a.set_link_down("eth0")?;
    assert!(!reaches(&client, a.ipv4())?);
    a.set_link_up("eth0")?;
    await_reachable(&client, a.ipv4())?;
    let shown = a.namespace().ip("-o addr show dev eth0")?;
    assert!(shown.contains(&format!("{}/64", a.ipv6())), "{shown}");
    assert!(shown.contains(&format!("{}/64", a.link_local())), "{shown}");
    Ok(())
}

/// Sends an advert and a gratuitous ARP from `from`, and tells which of the two `to` has received.
fn heard(from: &Host, to: &Host) -> Result<(bool, bool)> {
    let capture = Capture::start(to.namespace(), "eth0")?;
    let header = craft::IpHeader::new(from.ipv4().into(), Ipv4Addr::new(224, 0, 0, 18).into());
    let advert = header.frame(from.mac(), &craft::advert_v3(&header, 51, 100, 100, &[from.ipv4().into()]));
    let socket = from.namespace().run(|| holdfast_tests::lab::packet_socket::PacketSocket::open("eth0"))?;
    socket.send(&advert)?;
    socket.send(&craft::gratuitous_arp(from.mac(), from.ipv4()))?;
    let is_from = |frame: &Frame| frame.source() == Some(from.mac());
    let quiet = Duration::from_millis(100);
    let advert = capture.wait_for("advert", quiet, |frame| is_from(frame) && frame.advert().is_some()).is_ok();
    let announcement = capture.wait_for("ARP", quiet, |frame| is_from(frame) && frame.announced().is_some()).is_ok();
    Ok((advert, announcement))
}

#[test]
fn partitions_drop_what_they_name_in_one_direction() -> Result<()> {
    let Pair { mut lan, a, b, client } = Pair::new()?;
    let table = [
        (Partition::mute(&a, Traffic::Everything), (false, false), (true, true), (false, false)),
        (Partition::deafen(&a, Traffic::Everything), (true, true), (false, false), (true, true)),
        (Partition::mute(&a, Traffic::Adverts), (false, true), (true, true), (false, true)),
        (Partition::between(&a, &b, Traffic::Everything), (false, false), (true, true), (true, true)),
    ];
    for (partition, a_to_b, b_to_a, a_to_client) in table {
        lan.partition(partition.clone())?;
        assert_eq!(heard(&a, &b)?, a_to_b, "{partition:?}");
        assert_eq!(heard(&b, &a)?, b_to_a, "{partition:?}");
        assert_eq!(heard(&a, &client)?, a_to_client, "{partition:?}");
        lan.heal()?;
        assert_eq!(heard(&a, &b)?, (true, true), "healed");
        assert_eq!(heard(&b, &a)?, (true, true), "healed");
    }
    Ok(())
}
