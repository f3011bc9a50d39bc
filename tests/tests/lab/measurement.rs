//! The figures of the prober and of the watch on holders, checked against faults of known length.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::addresses::{AddressWatch, Change};
use holdfast_tests::lab::lan::Pair;
use holdfast_tests::lab::{Holders, Host, Prober, craft, packet_socket::PacketSocket, stall};

const SHORT: Duration = Duration::from_secs(5);

/// Time that `ip` and the scheduler may add to a fault.
const SLACK: Duration = Duration::from_millis(60);

fn hold(host: &Host, address: &str) -> Result<()> {
    host.namespace().ip(&format!("addr add {address} dev eth0 nodad")).map(drop)
}

fn probe_undisturbed(address: &str) -> Result<()> {
    let Pair { lan: _lan, a, b, client } = Pair::new()?;
    hold(&a, address)?;
    let target: IpAddr = address.split('/').next().unwrap_or_default().parse()?;
    let prober = Prober::start_at(&client, target, &a, SHORT)?;
    std::thread::sleep(Duration::from_secs(1));
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert!(report.sent() > 500, "{report}");
    assert_eq!((report.answered_by(&a), report.answered_by(&b)), (report.sent(), 0));
    Ok(())
}

#[test]
fn nothing_is_lost_on_an_address_that_stays_ipv4() -> Result<()> {
    probe_undisturbed("10.77.0.100/32")
}

#[test]
fn nothing_is_lost_on_an_address_that_stays_ipv6() -> Result<()> {
    probe_undisturbed("fd77::100/128")
}

#[test]
fn the_gap_is_the_time_for_which_the_node_was_unplugged() -> Result<()> {
    let Pair { lan, a, client, .. } = Pair::new()?;
    hold(&a, "10.77.0.100/32")?;
    let prober = Prober::start_at(&client, [10, 77, 0, 100].into(), &a, SHORT)?;
    let before = Instant::now();
    lan.unplug(&a)?;
    let unplugged = Instant::now();
    std::thread::sleep(Duration::from_millis(300));
    let plugging = Instant::now();
    lan.plug(&a)?;
    prober.wait_for_answer_of(&a, Instant::now(), SHORT)?;
    let at_most = before.elapsed() + SLACK + stall::since(before);
    let report = prober.stop()?;
    let gap = report.longest_gap();
    assert!(gap >= plugging - unplugged && gap <= at_most, "{gap:?} of {at_most:?}; {report}");
    Ok(())
}

#[test]
fn the_switch_to_another_node_is_seen_at_its_announcement() -> Result<()> {
    let Pair { lan: _lan, a, b, client } = Pair::new()?;
    hold(&a, "10.77.0.100/32")?;
    let prober = Prober::start_at(&client, [10, 77, 0, 100].into(), &a, SHORT)?;
    hold(&b, "10.77.0.100/32")?;
    let announcer = b.namespace().run(|| PacketSocket::open("eth0"))?;
    let event = Instant::now();
    announcer.send(&craft::gratuitous_arp(b.mac(), [10, 77, 0, 100].into()))?;
    prober.wait_for_answer_of(&b, event, SHORT)?;
    let report = prober.stop()?;
    let switched = report.switched(event, &b).expect("b answered");
    assert!(switched < SLACK + stall::since(event), "{switched:?}");
    assert_eq!(report.lost(), 0, "{report}");
    assert!(report.answered_until(event, &a) <= switched);
    Ok(())
}

fn watch_two_holders(address: &str, prefixed: &str) -> Result<()> {
    let start = Instant::now();
    let Pair { lan: _lan, a, b, client } = Pair::new()?;
    let target: IpAddr = address.parse()?;
    hold(&a, prefixed)?;
    let holders = Holders::watch(&client, target)?;
    std::thread::sleep(Duration::from_millis(200));
    hold(&b, prefixed)?;
    let both = Instant::now();
    std::thread::sleep(Duration::from_millis(400));
    a.namespace().ip(&format!("addr del {prefixed} dev eth0"))?;
    let one = Instant::now();
    std::thread::sleep(Duration::from_millis(200));
    let report = holders.stop()?;
    // An answer that a busy machine holds up counts for a later question.
    let held_up = stall::since(start);
    let (two, expected, slack) = (report.longest_with_two(), one - both, SLACK + held_up);
    assert!(two + slack >= expected && two <= expected + slack, "{two:?} of {expected:?}; {report}");
    assert!(report.held_until(one, a.mac()) <= slack);
    assert!(report.held_from(both, b.mac()).is_some_and(|from| from <= slack));
    assert!(report.longest_with_none() <= held_up, "{report}, of which the machine {held_up:?}");
    Ok(())
}

#[test]
fn two_holders_are_counted_for_as_long_as_there_are_two_ipv4() -> Result<()> {
    watch_two_holders("10.77.0.100", "10.77.0.100/32")
}

#[test]
fn two_holders_are_counted_for_as_long_as_there_are_two_ipv6() -> Result<()> {
    watch_two_holders("fd77::100", "fd77::100/128")
}

#[test]
fn the_watch_on_addresses_sees_them_come_and_go() -> Result<()> {
    let a = Host::node("a", 1)?;
    let watch = AddressWatch::start(&a)?;
    for address in ["10.77.0.100/32", "fd77::100/128"] {
        let start = Instant::now();
        let target: IpAddr = address.split('/').next().unwrap_or_default().parse()?;
        a.namespace().ip(&format!("addr add {address} dev lo"))?;
        watch.wait_for(target, Change::Set, start, SHORT)?;
        assert!(watch.events(target).iter().all(|event| event.change == Change::Set));
        a.namespace().ip(&format!("addr del {address} dev lo"))?;
        watch.wait_for(target, Change::Removed, start, SHORT)?;
    }
    Ok(())
}
