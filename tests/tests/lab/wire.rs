//! A capture holds what was on the wire: all of it, byte for byte, with its time.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::frame::Direction;
use holdfast_tests::lab::lan::Pair;
use holdfast_tests::lab::packet_socket::PacketSocket;
use holdfast_tests::lab::{Capture, Lan, craft};

const SHORT: Duration = Duration::from_secs(5);

#[test]
fn a_captured_frame_equals_the_sent_one_and_carries_its_time() -> Result<()> {
    let Pair { lan, a, b, .. } = Pair::new()?;
    let sent = craft::gratuitous_arp(a.mac(), [10, 77, 0, 100].into());
    let at_b = Capture::start(b.namespace(), "eth0")?;
    let at_port = Capture::start(lan.namespace(), &Lan::port(&a))?;
    let socket = a.namespace().run(|| PacketSocket::open("eth0"))?;
    let before = Instant::now();
    socket.send(&sent)?;
    let after = Instant::now();
    for capture in [&at_b, &at_port] {
        let seen = capture.wait_for("the frame", SHORT, |frame| frame.bytes == sent)?;
        assert_eq!(seen.direction, Direction::Received);
        // The kernel stamps by another clock, read at another moment: grant it a millisecond.
        let slack = Duration::from_millis(1);
        assert!(seen.at + slack >= before && seen.at <= after + slack, "{:?} after sending", seen.at - before);
    }
    Ok(())
}

#[test]
fn a_flood_is_recorded_without_a_loss() -> Result<()> {
    const FLOOD: usize = 50_000;
    let Pair { lan: _lan, a, b, .. } = Pair::new()?;
    let capture = Capture::start(b.namespace(), "eth0")?;
    let socket = a.namespace().run(|| PacketSocket::open("eth0"))?;
    let frame = craft::gratuitous_arp(a.mac(), [10, 77, 0, 100].into());
    for _ in 0..FLOOD {
        socket.send(&frame)?;
    }
    let seen = capture.wait_for_count("the flood", FLOOD, Duration::from_secs(30), |seen| seen.bytes == frame)?;
    assert_eq!(seen.len(), FLOOD);
    Ok(())
}
