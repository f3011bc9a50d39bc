//! The `tcp` probe.

use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up};
use socket2::{Domain, Socket, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

use crate::support::Checks;

/// A port on loopback where nobody listens.
async fn closed_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port()
}

#[tokio::test]
async fn a_port_that_accepts_passes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();

    let mut checks = Checks::of(&format!("tcp: {{port: {}}}", address.port()));
    checks.settles(Up).await;

    assert_eq!(checks.message(), format!("connection accepted by {address}"));
}

#[tokio::test]
async fn an_ipv6_address_and_a_name_can_be_given() {
    let v6 = TcpListener::bind("[::1]:0").await.unwrap();
    let v4 = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (v6, v4) = ((v6.local_addr().unwrap(), v6), (v4.local_addr().unwrap(), v4));

    let mut checks = Checks::of(&format!("tcp: {{host: '::1', port: {}}}", v6.0.port()));
    checks.settles(Up).await;
    assert_eq!(checks.message(), format!("connection accepted by {}", v6.0));

    let mut checks = Checks::of(&format!("tcp: {{host: localhost, port: {}}}", v4.0.port()));
    checks.settles(Up).await;
    assert_eq!(checks.message(), format!("connection accepted by localhost:{}", v4.0.port()));
}

#[tokio::test]
async fn a_port_that_refuses_fails_and_says_who_refused() {
    let port = closed_port().await;
    let mut checks = Checks::of(&format!("tcp: {{port: {port}}}"));
    checks.settles(Down).await;
    assert_eq!(checks.message(), format!("connection refused by 127.0.0.1:{port}"));
}

#[tokio::test]
async fn a_name_that_cannot_be_resolved_fails_and_says_so() {
    let mut checks = Checks::of("tcp: {host: 'not..a..name', port: 80}");
    checks.settles(Down).await;
    assert!(checks.message().starts_with("cannot resolve not..a..name: "), "{}", checks.message());
}

/// A listener whose queue is full: the kernel drops further requests to connect, as a host behind a firewall would.
async fn full_listener() -> (Socket, Vec<TcpStream>) {
    let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    listener.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().unwrap().into()).unwrap();
    listener.listen(0).unwrap();
    let address = listener.local_addr().unwrap().as_socket().unwrap();
    let mut queued = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(stream.unwrap());
        assert!(queued.len() < 10, "the queue never fills");
    }
    (listener, queued)
}

#[tokio::test]
async fn a_port_that_does_not_answer_fails_at_the_timeout() {
    let (listener, _queued) = full_listener().await;
    let port = listener.local_addr().unwrap().as_socket().unwrap().port();

    let start = Instant::now();
    let mut checks = Checks::of(&format!("{{tcp: {{port: {port}}}, timeout: 300ms, fall: 1}}"));
    let failed = checks.settles(Down).await;

    assert_eq!(checks.message(), "timed out after 300ms");
    let took = failed.at - start;
    assert!((300..1_300).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test]
async fn a_failing_check_passes_only_after_rise_connections_in_a_row() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let spec = format!("{{tcp: {{port: {port}}}, interval: 100ms, rise: 3, fall: 2, initialState: Failing}}");
    let mut checks = Checks::of(&spec);
    checks.becomes("check", Down).await;

    let mut accepted = 0;
    let told = loop {
        tokio::select! {
            biased;
            change = checks.next() => break change,
            _ = listener.accept() => accepted += 1,
        }
    };

    assert_eq!((told.state, accepted), (Up, 3));
}

#[tokio::test]
async fn a_passing_check_fails_after_fall_failures_and_comes_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut checks = Checks::of(&format!("{{tcp: {{port: {}}}, interval: 100ms, rise: 1, fall: 3}}", address.port()));
    checks.settles(Up).await;

    let closed = Instant::now();
    drop(listener);
    let down = checks.becomes("check", Down).await;
    let took = down.at - closed;
    assert!(took.as_millis() >= 200, "three failures are at least two intervals apart: {took:?}");

    let _listener = TcpListener::bind(address).await.unwrap();
    checks.becomes("check", Up).await;
}

#[tokio::test]
async fn the_first_state_does_not_wait_for_the_interval() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let start = Instant::now();

    let mut checks = Checks::of(&format!("{{tcp: {{port: {port}}}, interval: 1h, rise: 3}}"));
    let up = checks.settles(Up).await;

    let took = up.at - start;
    assert!((200..2_000).contains(&took.as_millis()), "three probes, 100 ms apart: {took:?}");
}
