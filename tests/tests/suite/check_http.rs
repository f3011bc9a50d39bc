//! HTTP checks: status, body, silence, and the counting of rise and fall.

use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_tests::lab::WebServer;
use holdfast_tests::lab::http::{Behaviour, Response};

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, web};
use crate::support::timing::{LONG, NOISE, noise_since};

const PORT: u16 = 7080;
const INTERVAL: Duration = Duration::from_millis(200);

/// A lone node whose server behaves well, and whose check has these further lines.
fn lone_master(probe: &str, more: &str) -> Result<(Duo, WebServer)> {
    let check = health_check(
        "page",
        &format!("http: {{port: {PORT}, path: /healthz{probe}}}\ninterval: 200ms\ntimeout: 150ms\n{more}"),
    );
    let mut duo = Duo::new(&[web("healthChecks: [{name: page}]\n"), check])?;
    let server = WebServer::start(&duo.a.host, PORT, good())?;
    duo.a.start_as("MASTER")?;
    Ok((duo, server))
}

fn good() -> Behaviour {
    Behaviour::Answer(Response { status: 200, body: "ready: yes\n".to_owned() })
}

#[test]
fn an_unexpected_status_fails_and_the_expected_one_recovers() -> Result<()> {
    let (duo, server) = lone_master("", "fall: 1\nrise: 1\n")?;
    server.behave(Behaviour::status(503));
    let status = duo.a.wait_for("web", "FAULT")?;
    let message = status.health_check("page").and_then(|check| check.message.clone()).unwrap_or_default();
    assert!(message.contains("503"), "{message}");
    server.behave(good());
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_range_of_status_codes_can_be_allowed() -> Result<()> {
    let (duo, server) = lone_master(", statusCodes: [\"200-204\", \"404\"]", "fall: 1\nrise: 1\n")?;
    for (status, state) in [(404, "MASTER"), (204, "MASTER"), (205, "FAULT"), (200, "MASTER"), (301, "FAULT")] {
        let event = Instant::now();
        server.behave(Behaviour::status(status));
        holdfast_tests::lab::wait::until("the server was asked", LONG, || Ok(server.requests_since(event) >= 2))?;
        duo.a.wait_for("web", state)?;
    }
    Ok(())
}

#[test]
fn a_body_that_does_not_match_fails() -> Result<()> {
    let (duo, server) = lone_master(", bodyRegex: \"ready: (yes|maybe)\"", "fall: 1\nrise: 1\n")?;
    server.behave(Behaviour::Answer(Response { status: 200, body: "ready: no\n".to_owned() }));
    duo.a.wait_for("web", "FAULT")?;
    server.behave(Behaviour::Answer(Response { status: 200, body: "ready: maybe\n".to_owned() }));
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn a_server_that_hangs_fails_by_its_timeout() -> Result<()> {
    let (duo, server) = lone_master("", "fall: 1\nrise: 1\n")?;
    let event = Instant::now();
    server.behave(Behaviour::Hang);
    duo.a.wait_for("web", "FAULT")?;
    assert!(
        event.elapsed() <= INTERVAL + Duration::from_millis(150) + NOISE + noise_since(event),
        "{:?}",
        event.elapsed()
    );
    server.behave(good());
    duo.a.wait_for("web", "MASTER")?;
    Ok(())
}

#[test]
fn as_many_failures_in_a_row_as_fall_says_and_successes_as_rise_says() -> Result<()> {
    let (duo, server) = lone_master("", "fall: 3\nrise: 4\n")?;
    let failing = Instant::now();
    server.behave(Behaviour::status(500));
    duo.a.wait_for("web", "FAULT")?;
    let took = failing.elapsed();
    assert!(server.requests_since(failing) >= 3);
    assert!(took >= INTERVAL * 2 && took <= INTERVAL * 3 + NOISE + noise_since(failing), "{took:?} for three failures");

    let passing = Instant::now();
    server.behave(good());
    duo.a.wait_until("the check passes", LONG, |status| {
        status.health_check("page").and_then(|check| check.passing) == Some(true)
    })?;
    let took = passing.elapsed();
    assert!(server.requests_since(passing) >= 4);
    assert!(took >= INTERVAL * 3 && took <= INTERVAL * 4 + NOISE + noise_since(passing), "{took:?} for four successes");
    Ok(())
}

#[test]
fn fewer_failures_than_fall_change_nothing() -> Result<()> {
    let (duo, server) = lone_master("", "fall: 3\nrise: 1\n")?;
    let before = duo.a.router("web")?.transitions;
    for _ in 0..3 {
        let failing = Instant::now();
        server.behave(Behaviour::status(500));
        holdfast_tests::lab::wait::until("one failure", LONG, || Ok(server.requests_since(failing) >= 1))?;
        let passing = Instant::now();
        server.behave(good());
        holdfast_tests::lab::wait::until("two successes", LONG, || Ok(server.requests_since(passing) >= 2))?;
    }
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}
