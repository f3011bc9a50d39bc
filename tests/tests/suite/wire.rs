//! Frames are, byte for byte, those of the protocol and of the peers in the field: the expected ones were captured from
//! keepalived 2.2.7 and FRR 8.4.4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use anyhow::{Context, Result};
use holdfast_tests::lab::frame::hex;
use holdfast_tests::lab::{Capture, Frame, Lan, Mac};

use crate::support::manifest::{self, virtual_ip};
use crate::support::member::Member;
use crate::support::timing::{INTERVAL, LONG};

const GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 18);
const GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0x12);

/// What a lone agent on node `a` sends: its first advert and its farewell.
struct Adverts {
    first: Frame,
    farewell: Frame,
}

fn adverts_of(spec: &str) -> Result<Adverts> {
    let mut lan = Lan::new()?;
    let host = lan.node("a")?;
    let b = lan.node("b")?;
    let capture = Capture::start(lan.namespace(), &Lan::port(&host))?;
    let nodes = manifest::file(&[manifest::node(&host), manifest::node(&b)]);
    let mut a = Member::new(host, &virtual_ip("web", spec))?;
    a.home.write_manifest("nodes.yaml", &nodes)?;
    a.home.write_password("web", "secret12")?;
    a.start()?;
    let first = capture.wait_for("an advert", LONG, |frame| frame.advert().is_some())?;
    a.wait_for("web", "MASTER")?;
    a.terminate()?;
    let farewell =
        capture.wait_for("a farewell", LONG, |frame| frame.advert().is_some_and(|advert| advert.priority == 0))?;
    Ok(Adverts { first, farewell })
}

fn message(frame: &Frame) -> Result<String> {
    Ok(hex(frame.advert().context("no advert")?.packet.payload))
}

/// Version 2, or anything that needs nothing but lines of `spec`: expected first message and farewell.
fn expect(spec: &str, first: &str, farewell: &str) -> Result<Adverts> {
    let adverts = adverts_of(spec)?;
    assert_eq!(message(&adverts.first)?, first, "first advert");
    assert_eq!(message(&adverts.farewell)?, farewell, "farewell");
    Ok(adverts)
}

const COMMON: &str = "virtualRouterID: 51\npriority: 200\ninterface: eth0\n";
const IPV4: &str = "addresses: [10.77.0.100]\n";

#[test]
fn version_2_without_authentication() -> Result<()> {
    expect(
        &format!("{COMMON}{IPV4}protocolVersion: 2\nadvertisementInterval: 1s\n"),
        "2133c80100010c190a4d00640000000000000000",
        "213300010001d4190a4d00640000000000000000",
    )?;
    Ok(())
}

#[test]
fn version_2_with_a_password() -> Result<()> {
    let spec = "protocolVersion: 2\nadvertisementInterval: 1s\nauthentication: {passwordKey: web}\n";
    expect(
        &format!("{COMMON}{IPV4}{spec}"),
        "2133c80101019d9a0a4d00647365637265743132",
        "213300010101659b0a4d00647365637265743132",
    )?;
    Ok(())
}

#[test]
fn version_3_over_ipv4_down_to_the_ethernet_header() -> Result<()> {
    let adverts = expect(
        &format!("{COMMON}{IPV4}advertisementInterval: 100ms\n"),
        "3133c801000a11330a4d0064",
        "31330001000ad9330a4d0064",
    )?;
    let captured = "01005e00001202000000000a080045c0002000010000ff70d04c0a4d0001e00000123133c801000a11330a4d0064";
    // Identification, fragment bits and header checksum are each sender's own.
    let without_identification = |text: &str| format!("{}{}{}", &text[..36], &text[44..48], &text[52..]);
    assert_eq!(without_identification(&hex(&adverts.first.bytes)), without_identification(captured));
    Ok(())
}

#[test]
fn version_3_with_a_checksum_over_the_message_only() -> Result<()> {
    let spec = format!("{COMMON}{IPV4}advertisementInterval: 100ms\nipv4Checksum: MessageOnly\n");
    assert_eq!(message(&adverts_of(&spec)?.first)?, "3133c801000afc0f0a4d0064");
    Ok(())
}

#[test]
fn version_3_by_unicast() -> Result<()> {
    let spec = format!("{COMMON}{IPV4}advertisementInterval: 100ms\ntransport: Unicast\n");
    let adverts = adverts_of(&spec)?;
    assert_eq!(message(&adverts.first)?, "3133c801000ae6f60a4d0064");
    let packet = adverts.first.packet().context("no packet")?;
    assert_eq!(packet.destination, IpAddr::from([10, 77, 0, 2]));
    assert_eq!(adverts.first.destination(), Some(Mac::of_host(0, 2)));
    assert_eq!(packet.time_to_live, 255);
    Ok(())
}

#[test]
fn version_3_over_ipv6() -> Result<()> {
    let addresses = "fe80000000000000000000000077\
                     0100fd770000000000000000000000000100";
    let adverts = expect(
        &format!("{COMMON}addresses: [\"fe80::77:100\", \"fd77::100\"]\nadvertisementInterval: 100ms\n"),
        &format!("3133c802000a0b18{addresses}"),
        &format!("31330002000ad318{addresses}"),
    )?;
    assert_eq!(adverts.first.destination(), Some(Mac([0x33, 0x33, 0, 0, 0, 0x12])));
    Ok(())
}

#[test]
fn every_multicast_advert_has_the_hop_limit_255_and_the_precedence_of_network_control() -> Result<()> {
    let ipv6 = "addresses: [\"fe80::77:100\"]\n";
    for (addresses, source, group) in [
        (IPV4, IpAddr::from([10, 77, 0, 1]), IpAddr::V4(GROUP_V4)),
        (ipv6, "fe80::ff:fe00:a".parse()?, IpAddr::V6(GROUP_V6)),
    ] {
        let adverts = adverts_of(&format!("{COMMON}{addresses}advertisementInterval: 100ms\n"))?;
        for frame in [&adverts.first, &adverts.farewell] {
            let packet = frame.packet().context("no packet")?;
            assert_eq!((packet.source, packet.destination), (source, group));
            assert_eq!((packet.time_to_live, packet.traffic_class), (255, 0xc0));
            assert_eq!(frame.source(), Some(Mac::of_host(0, 1)));
        }
    }
    Ok(())
}

#[test]
fn a_new_master_announces_each_address_right_after_its_advert() -> Result<()> {
    let addresses = "addresses: [10.77.0.100, 10.77.0.101, \"fe80::77:100\", \"fd77::100\"]\n";
    let mut lan = Lan::new()?;
    let (host, client) = (lan.node("a")?, lan.client("client")?);
    let capture = Capture::start(client.namespace(), "eth0")?;
    let mut a = Member::new(host, &virtual_ip("web", &format!("{COMMON}{addresses}advertisementInterval: 100ms\n")))?;
    a.start_as("MASTER")?;
    let announced: [(IpAddr, &str); 3] = [
        (
            [10, 77, 0, 100].into(),
            "ffffffffffff02000000000a0806000108000604000102000000000a0a4d0064ffffffffffff0a4d0064",
        ),
        (
            [10, 77, 0, 101].into(),
            "ffffffffffff02000000000a0806000108000604000102000000000a0a4d0065ffffffffffff0a4d0065",
        ),
        (
            "fd77::100".parse()?,
            "33330000000102000000000a86dd6000000000203aff\
             fd770000000000000000000000000100ff020000000000000000000000000001\
             880057a620000000fd770000000000000000000000000100020102000000000a",
        ),
    ];
    for (address, captured) in announced {
        let seen = capture.wait_for("an announcement", LONG, |frame| frame.announced() == Some(address))?;
        assert_eq!(hex(&seen.bytes), captured, "{address}");
        let is_advert =
            |frame: &Frame| frame.packet().is_some_and(|packet| packet.source.is_ipv4() == address.is_ipv4());
        let advert = capture.wait_for("an advert", LONG, |frame| frame.advert().is_some() && is_advert(frame))?;
        assert!(advert.at <= seen.at, "the advert comes first");
        assert!(seen.at - advert.at < Duration::from_millis(20), "{address} {:?} later", seen.at - advert.at);
    }
    Ok(())
}

#[test]
fn announcements_are_repeated_but_do_not_become_a_storm() -> Result<()> {
    let mut lan = Lan::new()?;
    let (host, client) = (lan.node("a")?, lan.client("client")?);
    let capture = Capture::start(client.namespace(), "eth0")?;
    let mut a = Member::new(host, &manifest::web(""))?;
    a.start_as("MASTER")?;
    let is_announcement = |frame: &Frame| frame.announced() == Some(IpAddr::from([10, 77, 0, 100]));
    let announcements = capture.wait_for_count("two announcements", 2, LONG, is_announcement)?;
    let last = |announcements: &[Frame]| announcements.last().map(|frame| frame.at);
    assert!(last(&announcements) > announcements.first().map(|frame| frame.at));
    // Ten intervals of a quiet election, counted by its adverts.
    capture.wait_for_count("ten intervals", 10, LONG, |frame| frame.advert().is_some())?;
    let count = capture.matching(is_announcement)?.len();
    assert!((2..=10).contains(&count), "{count} announcements within a second");
    Ok(())
}

#[test]
fn adverts_keep_their_interval() -> Result<()> {
    let mut lan = Lan::new()?;
    let (host, client) = (lan.node("a")?, lan.client("client")?);
    let capture = Capture::start(client.namespace(), "eth0")?;
    let mut a = Member::new(host, &manifest::web(""))?;
    a.start_as("MASTER")?;
    let adverts = capture.wait_for_count("adverts", 31, LONG, |frame| frame.advert().is_some())?;
    let (Some(first), Some(last)) = (adverts.first(), adverts.last()) else { unreachable!("31 were awaited") };
    let taken = last.at - first.at;
    // A timer that restarts when it is handled drifts by 0.1 to 0.3 ms each time; one that keeps its schedule does not.
    let drift = taken.abs_diff(INTERVAL * 30);
    assert!(drift < Duration::from_millis(15), "30 intervals took {taken:?}");
    Ok(())
}
