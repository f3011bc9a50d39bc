//! keepalived in the lab behaves as keepalived does elsewhere.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::frame::hex;
use holdfast_tests::lab::lan::Pair;
use holdfast_tests::lab::{Capture, Keepalived, KeepalivedInstance, Prober};
use holdfast_tests::lab::{addresses, stall};

const INTERVAL: Duration = Duration::from_millis(100);
const LONG: Duration = Duration::from_secs(10);
const VIP: [u8; 4] = [10, 77, 0, 100];

fn instance(priority: u8) -> KeepalivedInstance {
    KeepalivedInstance::new(51, priority, INTERVAL, &["10.77.0.100"])
}

#[test]
fn two_keepalived_elect_and_the_backup_takes_over_within_the_bound_of_the_protocol() -> Result<()> {
    let Pair { lan, mut a, b, client } = Pair::new()?;
    let start = Instant::now();
    let master = Keepalived::start(&a, &[instance(200)])?;
    let backup = Keepalived::start(&b, &[instance(100)])?;
    master.wait_for_state("VI_51", "MASTER", start, LONG)?;
    let prober = Prober::start_at(&client, VIP.into(), &a, LONG)?;
    let crash = Instant::now();
    lan.unplug(&a)?;
    a.kill_everything();
    backup.wait_for_state("VI_51", "MASTER", crash, LONG)?;
    prober.wait_for_answer_of(&b, crash, LONG)?;
    let report = prober.stop()?;
    // 2A + S to 3A + S, with S = (256 - 100) * A / 256; a busy machine adds to it.
    let noise = Duration::from_millis(150) + stall::since(crash);
    let (at_least, at_most) = (Duration::from_millis(200), Duration::from_millis(361) + noise);
    let gap = report.longest_gap();
    assert!((at_least..at_most).contains(&gap), "{report}");
    Ok(())
}

#[test]
fn frames_of_keepalived_are_the_captured_ones() -> Result<()> {
    let Pair { lan: _lan, a, client, .. } = Pair::new()?;
    let capture = Capture::start(client.namespace(), "eth0")?;
    let _keepalived = Keepalived::start(&a, &[instance(200)])?;
    let advert = capture.wait_for("an advert", LONG, |frame| frame.advert().is_some())?;
    let expected = "01005e00001202000000000a080045c0002000010000ff70d04c0a4d0001e00000123133c801000a11330a4d0064";
    assert_eq!(hex(&advert.bytes), expected);
    let announcement = capture.wait_for("a gratuitous ARP", LONG, |frame| frame.announced() == Some(VIP.into()))?;
    assert_eq!(
        hex(&announcement.bytes),
        "ffffffffffff02000000000a0806000108000604000102000000000a0a4d0064ffffffffffff0a4d0064"
    );
    Ok(())
}

#[test]
fn a_terminated_keepalived_says_so_and_a_killed_one_leaves_its_address_behind() -> Result<()> {
    let Pair { lan: _lan, a, b, client } = Pair::new()?;
    let capture = Capture::start(client.namespace(), "eth0")?;
    for (host, kill) in [(&a, false), (&b, true)] {
        let start = Instant::now();
        let keepalived = Keepalived::start(host, &[instance(200)])?;
        keepalived.wait_for_state("VI_51", "MASTER", start, LONG)?;
        capture.wait_for("GARP", LONG, |frame| frame.at > start && frame.announced() == Some(VIP.into()))?;
        let exit = if kill { keepalived.kill()? } else { keepalived.terminate()? };
        assert_eq!(exit.signal(), kill.then_some(9));
        assert_eq!(addresses::has(host, "eth0", VIP.into())?, kill, "on {}", host.name());
    }
    let farewells = capture.matching(|frame| frame.advert().is_some_and(|advert| advert.priority == 0))?;
    assert_eq!(farewells.len(), 1, "only the one that was terminated says farewell");
    Ok(())
}
