//! Members of a group move together, and a fault of one is a fault of all.

use std::net::IpAddr;
use std::time::Instant;

use anyhow::Result;
use holdfast_tests::lab::{Lan, Prober, WebServer, addresses, http::Behaviour};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{group, health_check, virtual_ip, web};
use crate::support::timing::{LONG, master_down, noise_since, skew};

const INSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 77, 1, 100));

/// `web` on eth0 and `inside` on eth1 of both nodes, as a gateway has them.
fn gateway(more: &str) -> Result<(Duo, Lan)> {
    gateway_with_inside("100ms", more)
}

/// The same, where `inside` has this interval.
fn gateway_with_inside(interval: &str, more: &str) -> Result<(Duo, Lan)> {
    let inside = virtual_ip(
        "inside",
        &format!(
            "addresses: [10.77.1.100]\nvirtualRouterID: 61\nadvertisementInterval: {interval}\npriority: 100\n\
             nodePriorities: [{{nodeName: a, priority: 200}}]\n"
        ),
    );
    let check = health_check("port", "tcp: {port: 7000}\ninterval: 200ms\nrise: 1\nfall: 1\n");
    let together = group("gateway", &format!("members: [web, inside]\n{more}"));
    let mut duo = Duo::new(&[web(""), inside, check, together])?;
    let uplink = Lan::with_index(1)?;
    uplink.attach(&duo.a.host, "eth1")?;
    uplink.attach(&duo.b.host, "eth1")?;
    duo.a.start()?;
    duo.b.start()?;
    Ok((duo, uplink))
}

fn expect(duo: &Duo, state_of_a: &str, state_of_b: &str) -> Result<()> {
    for (member, state) in [(&duo.a, state_of_a), (&duo.b, state_of_b)] {
        for virtual_ip in ["web", "inside"] {
            member.wait_for(virtual_ip, state)?;
        }
        let holds = [member.holds(VIP)?, addresses::has(&member.host, "eth1", INSIDE)?];
        assert_eq!(holds, [state == "MASTER"; 2], "{state} on {}", member.host.name());
    }
    Ok(())
}

/// Stops the master's agent, and returns when both members have moved without a loss.
fn hand_over_without_a_loss(duo: &mut Duo) -> Result<()> {
    expect(duo, "MASTER", "BACKUP")?;
    let prober = duo.probe()?;
    let (stop, _) = duo.a.terminate()?;
    prober.wait_for_answer_of(&duo.b.host, stop, LONG)?;
    duo.b.wait_for("inside", "MASTER")?;
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    Ok(())
}

#[test]
fn members_are_elected_together_and_handed_over_together_without_a_loss() -> Result<()> {
    let (mut duo, _uplink) = gateway("")?;
    hand_over_without_a_loss(&mut duo)?;
    assert!(addresses::has(&duo.b.host, "eth1", INSIDE)?);
    assert!(!addresses::has(&duo.a.host, "eth1", INSIDE)?);
    Ok(())
}

/// The fence knows that the group moves as a whole.
#[test]
fn a_member_with_short_intervals_waits_for_its_slower_companion_without_a_loss() -> Result<()> {
    let (mut duo, _uplink) = gateway_with_inside("1s", "")?;
    hand_over_without_a_loss(&mut duo)
}

#[test]
fn a_link_lost_by_one_member_moves_all() -> Result<()> {
    let (duo, uplink) = gateway("")?;
    expect(&duo, "MASTER", "BACKUP")?;
    let prober = duo.probe()?;
    uplink.cut_carrier(&duo.a.host)?;
    let event = Instant::now();
    prober.wait_for_answer_of(&duo.b.host, event, LONG)?;
    expect(&duo, "FAULT", "MASTER")?;
    uplink.restore_carrier(&duo.a.host)?;
    expect(&duo, "MASTER", "BACKUP")?;
    // The member on the lost link cannot send priority 0, and no member moves before all can.
    let report = prober.stop()?;
    assert!(report.longest_gap() <= master_down(100) + noise_since(event), "{report}");
    Ok(())
}

#[test]
fn a_check_of_the_group_decides_about_all_members() -> Result<()> {
    let (duo, _uplink) = gateway("healthChecks: [{name: port}]\n")?;
    let on_a = WebServer::start(&duo.a.host, 7000, Behaviour::status(200))?;
    let _on_b = WebServer::start(&duo.b.host, 7000, Behaviour::status(200))?;
    expect(&duo, "MASTER", "BACKUP")?;
    let prober = Prober::start_at(&duo.client, VIP, &duo.a.host, LONG)?;
    let event = Instant::now();
    drop(on_a);
    expect(&duo, "FAULT", "MASTER")?;
    let report = prober.stop()?;
    assert!(report.longest_gap() <= skew(100) + noise_since(event), "priority 0 on both interfaces: {report}");
    Ok(())
}
