//! The addresses on the interface are kept, cleaned up, or left alone.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::addresses::{AddressWatch, Change};
use holdfast_tests::lab::{Capture, Holders, craft, packet_socket::PacketSocket, wait};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{virtual_ip, web};
use crate::support::timing::{INTERVAL, LEASE, LONG, NOISE};

/// What "at once" means for a reaction to a notice of the kernel.
const AT_ONCE: Duration = Duration::from_millis(100);

#[test]
fn an_address_deleted_by_hand_is_back_at_once_and_announced() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let before = duo.a.router("web")?.transitions;
    let prober = duo.probe()?;
    let (addresses, capture) = (AddressWatch::start(&duo.a.host)?, Capture::start(duo.client.namespace(), "eth0")?);
    let event = Instant::now();
    duo.a.host.namespace().ip("addr del 10.77.0.100/32 dev eth0")?;
    let gone = addresses.wait_for(VIP, Change::Removed, event, LONG)?;
    let back = addresses.wait_for(VIP, Change::Set, gone.at, LONG)?;
    assert!(back.at - gone.at <= AT_ONCE, "{:?}", back.at - gone.at);
    capture.wait_for("an announcement", LONG, |frame| frame.announced() == Some(VIP) && frame.at >= event)?;
    prober.wait_for_answer_of(&duo.a.host, back.at, LONG)?;
    let report = prober.stop()?;
    assert!(report.longest_gap() <= AT_ONCE, "{report}");
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    assert_eq!(router.counters.get("addresses_restored"), Some(&1));
    Ok(())
}

#[test]
fn addresses_carry_a_lifetime_and_are_never_chosen_as_source() -> Result<()> {
    let manifest = virtual_ip("web", "addresses: [10.77.0.100/24, \"fd77::100/64\"]\nadvertisementInterval: 100ms\n");
    let mut duo = Duo::new(&[manifest])?;
    duo.a.start_as("MASTER")?;
    let shown = duo.a.host.namespace().ip("-o addr show dev eth0")?;
    for address in ["10.77.0.100", "fd77::100"] {
        let line = shown.lines().find(|line| line.contains(address)).unwrap_or_default();
        assert!(line.contains("valid_lft") && !line.contains("valid_lft forever"), "{line}");
    }
    for (peer, own) in [("10.77.0.240", "10.77.0.1"), ("fd77::f0", "fd77::1")] {
        let route = duo.a.host.namespace().ip(&format!("route get {peer}"))?;
        assert!(route.contains(&format!("src {own} ")), "{route}");
    }
    let routes = duo.a.host.namespace().ip("route show 10.77.0.0/24")?;
    assert_eq!(routes.lines().count(), 1, "a VIP brings no route of its own: {routes}");
    Ok(())
}

#[test]
fn the_address_of_the_node_survives_the_vip_in_its_subnet() -> Result<()> {
    let manifest = virtual_ip("web", "addresses: [10.77.0.100/24]\nadvertisementInterval: 100ms\n");
    let mut duo = Duo::new(&[manifest])?;
    let own = IpAddr::V4(duo.a.host.ipv4());
    let addresses = AddressWatch::start(&duo.a.host)?;
    duo.a.start_as("MASTER")?;
    duo.a.terminate()?;
    assert!(duo.a.holds(own)? && !duo.a.holds(VIP)?);
    assert!(addresses.events(own).is_empty(), "{:?}", addresses.events(own));
    Ok(())
}

#[test]
fn leftovers_of_a_killed_agent_are_removed_at_the_next_start() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    // What it owns is written down beside the election, a moment after the takeover.
    wait::until("the address is written down", LONG, || Ok(is_written_down(&duo, "10.77.0.100")))?;
    duo.a.kill()?;
    assert!(duo.a.holds(VIP)?, "its lease still runs");
    let other = virtual_ip("other", "addresses: [10.77.0.101]\nadvertisementInterval: 100ms\n");
    duo.a.home.write_manifest("manifest.yaml", &other)?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    let start = duo.a.start()?;
    let gone = addresses.wait_for(VIP, Change::Removed, start, LONG)?;
    assert!(gone.at - start < Duration::from_secs(1), "by the agent, not by its lease: {:?}", gone.at - start);
    duo.a.wait_for("other", "MASTER")?;
    Ok(())
}

fn is_written_down(duo: &Duo, address: &str) -> bool {
    let record = std::fs::read_to_string(duo.a.home.state().join("addresses.json"));
    record.is_ok_and(|record| record.contains(address))
}

#[test]
fn an_agent_killed_in_its_takeover_and_started_again_holds_the_address_for_good() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    let start = duo.a.start()?;
    // Too early for anything to have been written down.
    addresses.wait_for(VIP, Change::Set, start, LONG)?;
    duo.a.kill()?;
    duo.a.start_as("MASTER")?;
    std::thread::sleep(LEASE);
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.held.as_slice()), ("MASTER", [VIP].as_slice()));
    assert!(duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn leftovers_of_the_same_vip_are_removed_before_the_election() -> Result<()> {
    let mut duo = Duo::elected(&[web("preemption: {mode: Never}\n")])?;
    duo.a.kill()?;
    let holders = Holders::watch(&duo.observer, VIP)?;
    let start = duo.a.start()?;
    duo.a.wait_for("web", "BACKUP")?;
    duo.b.wait_for("web", "MASTER")?;
    std::thread::sleep(INTERVAL * 3);
    let holders = holders.stop()?;
    assert!(holders.held_until(start, duo.a.host.mac()) < LEASE / 2, "{holders}");
    assert!(!duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn an_address_that_someone_else_put_there_is_never_touched_and_reported() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.host.namespace().ip("addr add 10.77.0.100/32 dev eth0")?;
    let addresses = AddressWatch::start(&duo.a.host)?;
    let start = duo.a.start()?;
    let reported =
        duo.a.agent()?.wait_for_log(start, LONG, |line| line.contains("10.77.0.100") && line.contains("WARN"));
    assert!(reported.is_ok(), "no warning names the address");
    std::thread::sleep(LEASE);
    duo.a.terminate()?;
    let shown = duo.a.host.namespace().ip("-o addr show dev eth0")?;
    let line = shown.lines().find(|line| line.contains("10.77.0.100/32")).unwrap_or_default();
    assert!(line.contains("valid_lft forever"), "as it was: {shown}");
    assert!(addresses.events(VIP).is_empty(), "{:?}", addresses.events(VIP));
    Ok(())
}

#[test]
fn another_machine_that_claims_the_address_is_reported_and_answered() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    let stranger = duo.observer.namespace().run(|| PacketSocket::open("eth0"))?;
    let claim = craft::gratuitous_arp(duo.observer.mac(), [10, 77, 0, 100].into());
    let mac = duo.observer.mac().to_string();
    let claimed = Instant::now();
    // The first one is enough, also right after the takeover.
    stranger.send(&claim)?;
    duo.a.agent()?.wait_for_log(claimed, LONG, |line| {
        line.contains("WARN") && line.contains(&mac) && line.contains("10.77.0.100")
    })?;
    // Defences are at least a second apart, and one that comes too early is put off.
    capture.wait_for("a defence", LONG, |frame| {
        frame.announced() == Some(VIP) && frame.source() == Some(duo.a.host.mac()) && frame.at >= claimed
    })?;
    let router = duo.a.router("web")?;
    assert_eq!(router.state, "MASTER");
    assert!(router.counters.get("address_conflicts").is_some_and(|count| *count > 0));
    Ok(())
}

#[test]
fn claims_that_never_pause_are_reported_and_answered_all_the_time() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let capture = Capture::start(duo.client.namespace(), "eth0")?;
    let stranger = duo.observer.namespace().run(|| PacketSocket::open("eth0"))?;
    let claim = craft::gratuitous_arp(duo.observer.mac(), [10, 77, 0, 100].into());
    let mac = duo.observer.mac().to_string();
    let start = Instant::now();
    let reports = || -> Result<usize> {
        let lines = duo.a.agent()?.process().log().lines();
        Ok(lines.iter().filter(|line| line.text.contains("WARN") && line.text.contains(&mac)).count())
    };
    wait::until("a second report", LONG, || {
        stranger.send(&claim)?;
        std::thread::sleep(INTERVAL);
        Ok(reports()? >= 2)
    })?;
    let own = Some(duo.a.host.mac());
    let defences = capture.matching(|frame| frame.announced() == Some(VIP) && frame.source() == own)?.len();
    let seconds = start.elapsed().as_secs();
    assert!(defences >= usize::try_from(seconds / 2)?, "{defences} defences in {seconds} s");
    Ok(())
}

#[test]
fn two_agents_on_one_node_leave_each_others_addresses_alone() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    let other = virtual_ip("other", "addresses: [10.77.0.101]\nvirtualRouterID: 52\nadvertisementInterval: 100ms\n");
    let mut second = holdfast_tests::lab::AgentHome::with_manifest(&other)?;
    second.serve_at("127.0.0.1:8471");
    let addresses = AddressWatch::start(&duo.a.host)?;
    duo.a.start_as("MASTER")?;
    let start = Instant::now();
    let second = second.start(&duo.a.host)?;
    addresses.wait_for([10, 77, 0, 101].into(), Change::Set, start, LONG)?;
    std::thread::sleep(LEASE);
    let restart = Instant::now();
    duo.a.terminate()?;
    duo.a.start_as("MASTER")?;
    second.terminate(LONG)?;
    std::thread::sleep(NOISE);
    assert!(duo.a.holds(VIP)?);
    let removed = |address: IpAddr, until: Instant| {
        addresses.events(address).iter().any(|event| event.change == Change::Removed && event.at < until)
    };
    assert!(!removed([10, 77, 0, 101].into(), restart));
    assert!(!removed(VIP, restart));
    Ok(())
}
