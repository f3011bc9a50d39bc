//! TCP checks: refused, silent, recovered.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::WebServer;
use holdfast_tests::lab::http::Behaviour;

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{health_check, web};
use crate::support::timing::{LONG, NOISE, noise_since};

const PORT: u16 = 7000;

fn objects() -> [String; 2] {
    let check = "tcp: {port: 7000}\ninterval: 200ms\ntimeout: 200ms\nfall: 2\nrise: 2\n";
    [web("healthChecks: [{name: port}]\n"), health_check("port", check)]
}

fn elected() -> Result<(Duo, WebServer, WebServer)> {
    let mut duo = Duo::new(&objects())?;
    let on_a = WebServer::start(&duo.a.host, PORT, Behaviour::status(200))?;
    let on_b = WebServer::start(&duo.b.host, PORT, Behaviour::status(200))?;
    duo.a.start_as("MASTER")?;
    duo.b.start_as("BACKUP")?;
    Ok((duo, on_a, on_b))
}

#[test]
fn a_refused_connection_is_a_fault_and_an_accepted_one_ends_it() -> Result<()> {
    let (duo, on_a, _on_b) = elected()?;
    drop(on_a);
    duo.a.wait_for("web", "FAULT")?;
    assert!(!duo.a.holds(VIP)?);
    duo.b.wait_for("web", "MASTER")?;
    let status = duo.a.status()?;
    let check = status.health_check("port").expect("the check is shown");
    assert_eq!(check.passing, Some(false));
    assert!(check.message.as_ref().is_some_and(|message| message.contains("refused")), "{check:?}");

    let _on_a = WebServer::start(&duo.a.host, PORT, Behaviour::status(200))?;
    duo.a.wait_for("web", "MASTER")?;
    assert_eq!(duo.a.status()?.health_check("port").and_then(|check| check.passing), Some(true));
    Ok(())
}

#[test]
fn a_port_that_does_not_answer_fails_by_its_timeout() -> Result<()> {
    let (duo, _on_a, _on_b) = elected()?;
    let event = Instant::now();
    duo.a.host.namespace().nft(&format!(
        "table ip lab {{\n chain input {{\n  type filter hook input priority 0;\n  tcp dport {PORT} drop\n }}\n}}\n"
    ))?;
    duo.a.wait_for("web", "FAULT")?;
    let took = event.elapsed();
    // Two probes, each up to an interval after the one before and a timeout long.
    assert!(took <= Duration::from_millis(3 * 200 + 200) + NOISE + noise_since(event), "{took:?}");
    duo.a.host.namespace().nft("delete table ip lab\n")?;
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_node_waits_for_the_first_result_before_it_takes_part() -> Result<()> {
    let check = "tcp: {port: 7000}\ninterval: 200ms\ntimeout: 1s\nfall: 1\n";
    let mut duo = Duo::new(&[web("healthChecks: [{name: port}]\n"), health_check("port", check)])?;
    duo.a.host.namespace().nft(&format!(
        "table ip lab {{\n chain input {{\n  type filter hook input priority 0;\n  tcp dport {PORT} drop\n }}\n}}\n"
    ))?;
    duo.a.start()?;
    let waiting = duo.a.wait_until("web is known", LONG, |status| status.of("web").next().is_some())?;
    assert!(!waiting.is_in_state("web", "BACKUP") && !waiting.is_in_state("web", "MASTER"), "{waiting:?}");
    duo.a.wait_for("web", "FAULT")?;
    Ok(())
}
