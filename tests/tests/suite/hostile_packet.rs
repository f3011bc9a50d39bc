//! Wrong packets are counted by what is wrong with them and change nothing; strangers are reported and not obeyed; a
//! flood stops nobody.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::craft::{self, IpHeader};
use holdfast_tests::lab::pace::Pace;
use holdfast_tests::lab::packet_socket::PacketSocket;
use holdfast_tests::lab::{Capture, Host, Prober};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{virtual_ip, web};
use crate::support::mode::Mode;
use crate::support::timing::{INTERVAL, LONG, noise_since};

const GROUP: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));

/// A frame that claims to come from node `b`, with a priority that would depose `a`, but for its fault.
struct Wrong {
    name: &'static str,
    frame: Vec<u8>,
    counter: &'static str,
}

fn header(b: &Host) -> IpHeader {
    IpHeader::new(b.ipv4().into(), GROUP)
}

fn wrong_v3(b: &Host) -> Vec<Wrong> {
    let good = craft::advert_v3(&header(b), 51, 250, 10, &[VIP]);
    let frame = |message: &[u8]| header(b).frame(b.mac(), message);
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut message = good.clone();
        change(&mut message);
        frame(&message)
    };
    let far = IpHeader { time_to_live: 254, ..header(b) };
    let v2 = craft::advert_v2(51, 250, 1, &[VIP], (0, [0; 8]));
    vec![
        Wrong { name: "hop limit 254", frame: far.frame(b.mac(), &good), counter: "rejected_hop_limit" },
        Wrong { name: "version 2", frame: frame(&v2), counter: "rejected_version" },
        Wrong { name: "type 2", frame: changed(&|message| set(message, 0, 0x32)), counter: "rejected_type" },
        Wrong { name: "truncated", frame: changed(&|message| message.truncate(9)), counter: "rejected_truncated" },
        Wrong {
            name: "too long",
            frame: changed(&|message| message.extend([0; 4])),
            counter: "rejected_trailing_bytes",
        },
        Wrong { name: "checksum", frame: changed(&|message| set(message, 7, 0x77)), counter: "rejected_checksum" },
        Wrong {
            name: "interval zero",
            frame: frame(&craft::advert_v3(&header(b), 51, 250, 0, &[VIP])),
            counter: "rejected_interval_zero",
        },
        Wrong {
            name: "no address",
            frame: frame(&craft::advert_v3(&header(b), 51, 250, 10, &[])),
            counter: "rejected_address_count",
        },
    ]
}

fn set(message: &mut [u8], index: usize, value: u8) {
    if let Some(byte) = message.get_mut(index) {
        *byte = value;
    }
}

fn send_and_expect(duo: &Duo, wrong: &[Wrong]) -> Result<()> {
    let socket = duo.client.namespace().run(|| PacketSocket::open("eth0"))?;
    for Wrong { name, frame, counter } in wrong {
        let before = duo.a.counter(counter)?;
        socket.send(frame)?;
        duo.a.wait_until(&format!("{name} is counted as {counter}"), LONG, |status| {
            status.every("web", |router| router.counters.get(*counter) == Some(&(before + 1)))
        })?;
    }
    Ok(())
}

#[test]
fn each_wrong_packet_of_version_3_is_counted_by_its_fault_and_moves_nothing() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let before = duo.a.router("web")?.transitions;
    let prober = duo.probe()?;
    send_and_expect(&duo, &wrong_v3(&duo.b.host))?;
    std::thread::sleep(INTERVAL * 5);
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}

#[test]
fn each_wrong_packet_of_version_2_is_counted_by_its_fault_and_moves_nothing() -> Result<()> {
    let spec = "addresses: [10.77.0.100]\nvirtualRouterID: 51\nprotocolVersion: 2\npriority: 200\n\
                authentication: {passwordKey: web}\n";
    let mut duo = Duo::new(&[virtual_ip("web", spec)])?;
    duo.a.home.write_password("web", "secret12")?;
    duo.a.start_as("MASTER")?;
    let b = &duo.b.host;
    let frame = |interval: u8, authentication: (u8, [u8; 8])| {
        header(b).frame(b.mac(), &craft::advert_v2(51, 250, interval, &[VIP], authentication))
    };
    let secret = (1, *b"secret12");
    send_and_expect(
        &duo,
        &[
            Wrong { name: "no password", frame: frame(1, (0, [0; 8])), counter: "rejected_authentication_type" },
            Wrong {
                name: "other password",
                frame: frame(1, (1, *b"secret13")),
                counter: "rejected_authentication_data",
            },
            Wrong { name: "other interval", frame: frame(2, secret), counter: "rejected_interval_mismatch" },
        ],
    )?;
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    Ok(())
}

/// A stranger who would be master of `vip` if it were obeyed sends to `group`. The Node objects tell for sure who the peers
/// are: the VIP has a prefix length, and the adverts come from addresses that nodes have.
fn report_and_do_not_obey(
    manifest: &str,
    vip: IpAddr,
    from: fn(&Host) -> IpAddr,
    to: fn(&Duo) -> IpAddr,
) -> Result<()> {
    let duo = Duo::elected(&[manifest.to_owned()])?;
    let stranger = &duo.observer;
    let socket = stranger.namespace().run(|| PacketSocket::open("eth0"))?;
    let header = IpHeader::new(from(stranger), to(&duo));
    let frame = header.frame(stranger.mac(), &craft::advert_v3(&header, 51, 255, 10, &[vip]));
    let prober = Prober::start_at(&duo.client, vip, &duo.a.host, LONG)?;
    let event = Instant::now();
    for _ in 0..20 {
        socket.send(&frame)?;
        std::thread::sleep(INTERVAL / 2);
    }
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!(duo.a.router("web")?.state, "MASTER");
    assert!(duo.a.counter("foreign_adverts")? >= 20);
    let address = from(stranger).to_string();
    duo.a.agent()?.wait_for_log(event, LONG, |line| line.contains(&address))?;
    Ok(())
}

#[test]
fn a_stranger_is_reported_with_its_address_and_not_obeyed() -> Result<()> {
    let manifest = web("").replace("[10.77.0.100]", "[10.77.0.100/24]");
    report_and_do_not_obey(&manifest, VIP, |stranger| stranger.ipv4().into(), |_| GROUP)
}

#[test]
fn a_stranger_over_ipv6_is_reported_with_its_address_and_not_obeyed() -> Result<()> {
    // By unicast: multicast adverts come from link-local addresses, which Node objects do not tell.
    let manifest = web("transport: Unicast\n").replace("[10.77.0.100]", "[\"fd77::100/64\"]");
    let vip = Mode::Ipv6.vip();
    report_and_do_not_obey(&manifest, vip, |stranger| stranger.ipv6().into(), |duo| duo.a.host.ipv6().into())
}

#[test]
fn a_flood_of_wrong_packets_neither_moves_nor_delays_the_master() -> Result<()> {
    const BURST: usize = 10;
    const BURSTS: usize = 2000;
    let duo = Duo::elected(&[web("")])?;
    let before = (duo.a.router("web")?.transitions, duo.b.router("web")?.transitions);
    let wrong = wrong_v3(&duo.b.host);
    let socket = duo.client.namespace().run(|| PacketSocket::open("eth0"))?;
    let capture = Capture::start(duo.observer.namespace(), "eth0")?;
    let prober = duo.probe()?;
    let start = Instant::now();
    // 10,000 a second: more, and it is the kernel of the lab that drops frames, whoever sent them.
    let mut pace = Pace::every(Duration::from_millis(1));
    let mut frames = wrong.iter().map(|wrong| &wrong.frame).cycle();
    for _ in 0..BURSTS {
        pace.wait();
        frames.by_ref().take(BURST).try_for_each(|frame| socket.send(frame))?;
    }
    let end = Instant::now();
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    assert_eq!((duo.a.router("web")?.transitions, duo.b.router("web")?.transitions), before);
    let adverts = capture.matching(|frame| {
        frame.source() == Some(duo.a.host.mac()) && frame.advert().is_some() && (start..end).contains(&frame.at)
    })?;
    for pair in adverts.windows(2) {
        let distance = pair[1].at - pair[0].at;
        assert!(distance <= INTERVAL + noise_since(start), "adverts {distance:?} apart");
    }
    Ok(())
}

#[test]
fn a_flood_does_not_fill_the_log() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let socket = duo.client.namespace().run(|| PacketSocket::open("eth0"))?;
    let wrong = wrong_v3(&duo.b.host);
    let before = duo.a.agent()?.process().log().lines().len();
    for frame in wrong.iter().map(|wrong| &wrong.frame).cycle().take(5000) {
        socket.send(frame)?;
    }
    std::thread::sleep(INTERVAL * 10);
    let lines = duo.a.agent()?.process().log().lines().len() - before;
    assert!(lines <= 50, "{lines} lines about 5000 packets");
    Ok(())
}

#[test]
fn metrics_have_the_names_that_users_of_keepalived_know() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let metrics = duo.a.agent()?.get(&duo.a.host, "/metrics")?;
    assert_eq!(metrics.status, 200);
    for name in [
        "keepalived_up",
        "keepalived_vrrp_state",
        "keepalived_advertisements_sent_total",
        "keepalived_advertisements_received_total",
        "keepalived_become_master_total",
        "keepalived_release_master_total",
        "keepalived_priority_zero_sent_total",
        "keepalived_ip_ttl_errors_total",
    ] {
        assert!(metrics.body.lines().any(|line| line.starts_with(name)), "{name} is missing");
    }
    let state = metrics.body.lines().find(|line| line.starts_with("keepalived_vrrp_state")).unwrap_or_default();
    assert!(state.contains("10.77.0.100") && state.contains("51"), "{state}");
    let shown = duo.a.agent()?.get(&duo.a.host, "/debug/state")?;
    assert!(shown.status == 200 && shown.body.contains("MASTER"), "{shown:?}");
    Ok(())
}
