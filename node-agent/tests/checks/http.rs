//! The `http` probe without TLS, and the server that it is tried on.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use holdfast_vrrp::TrackState::{Down, Up};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::{Checks, eventually};

/// A server that answers each connection once.
pub(crate) struct Server {
    pub(crate) port: u16,
    requests: Arc<Mutex<Vec<String>>>,
    _connections: JoinSet<()>,
}

impl Server {
    /// Answers every request with these bytes, and closes the connection.
    async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = Arc::new(answer.into());
        Self::start(move |stream, requests| {
            let answer = answer.clone();
            async move { exchange(stream, &requests, &answer).await }
        })
        .await
    }

    /// Hands each connection to `serve`.
    pub(crate) async fn start<F, S>(serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<Mutex<Vec<String>>>) -> S + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let mut connections = JoinSet::new();
        let seen = requests.clone();
        connections.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                open.spawn(serve(stream, seen.clone()));
            }
        });
        Self { port, requests, _connections: connections }
    }

    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

/// Reads the head of a request, and answers it.
pub(crate) async fn exchange<S>(mut stream: S, requests: &Mutex<Vec<String>>, answer: &[u8])
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.lock().unwrap().push(String::from_utf8(head).unwrap());
    let _ = stream.write_all(answer).await;
    let _ = stream.shutdown().await;
}

fn response(status: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// Whether a check with these fields passes on a server with this answer, and what it says.
async fn verdict(answer: impl Into<Vec<u8>>, fields: &str) -> (bool, String) {
    let server = Server::answering(answer).await;
    let mut checks = Checks::of(&format!("{{http: {{port: {}, {fields}}}, fall: 1, rise: 1}}", server.port));
    checks.next().await;
    let settled = checks.next().await;
    (settled.state == Up, checks.message())
}

#[tokio::test]
async fn a_status_passes_if_it_is_among_the_expected_ones() {
    let cases = [
        ("200 OK", "", true, "HTTP 200"),
        ("204 No Content", "", true, "HTTP 204"),
        ("399 Odd", "", true, "HTTP 399"),
        ("400 Bad Request", "", false, "HTTP 400, expected 200-399"),
        ("503 Service Unavailable", "", false, "HTTP 503, expected 200-399"),
        ("404 Not Found", "statusCodes: ['200-299', '404']", true, "HTTP 404"),
        ("403 Forbidden", "statusCodes: ['200-299', '404']", false, "HTTP 403, expected 200-299, 404"),
    ];
    for (status, fields, passes, message) in cases {
        assert_eq!(verdict(response(status, ""), fields).await, (passes, message.to_owned()), "{status} {fields}");
    }
}

#[tokio::test]
async fn a_redirect_is_judged_and_not_followed() {
    let target = Server::answering(response("200 OK", "")).await;
    let redirect = format!("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{}/\r\n\r\n", target.port);

    assert_eq!(verdict(redirect.clone(), "").await, (true, "HTTP 302".to_owned()));
    assert_eq!(verdict(redirect, "statusCodes: ['200-299']").await, (false, "HTTP 302, expected 200-299".to_owned()));
    assert!(target.requests().is_empty());
}

#[tokio::test]
async fn the_request_is_sent_as_specified() {
    let server = Server::answering(response("200 OK", "")).await;
    let spec = format!(
        "http: {{port: {}, method: HEAD, path: '/a/../b?c=%20d', hostHeader: 'www.example.org:81',
          headers: [{{name: X-Probe, value: 'a b'}}, {{name: User-Agent, value: mine}}]}}",
        server.port
    );
    let mut checks = Checks::of(&spec);
    checks.settles(Up).await;

    let request = server.requests()[0].to_ascii_lowercase();
    let lines: Vec<&str> = request.lines().collect();
    assert_eq!(lines[0], "head /a/../b?c=%20d http/1.1");
    for header in ["host: www.example.org:81", "x-probe: a b", "user-agent: mine", "connection: close"] {
        assert_eq!(lines.iter().filter(|line| **line == header).count(), 1, "{header} in {request}");
    }
    assert_eq!(lines.iter().filter(|line| line.starts_with("host:")).count(), 1, "{request}");
}

#[tokio::test]
async fn the_host_header_is_host_and_port_unless_specified() {
    let server = Server::answering(response("200 OK", "")).await;
    let mut checks = Checks::of(&format!("http: {{port: {}, host: localhost}}", server.port));
    checks.settles(Up).await;
    let request = server.requests()[0].to_ascii_lowercase();
    assert!(request.contains(&format!("\r\nhost: localhost:{}\r\n", server.port)), "{request}");
}

#[tokio::test]
async fn each_probe_is_one_request_on_a_connection_of_its_own() {
    let connections = Arc::new(Mutex::new(0));
    let counter = connections.clone();
    let server = Server::start(move |stream, requests| {
        *counter.lock().unwrap() += 1;
        async move { exchange(stream, &requests, &response("200 OK", "")).await }
    })
    .await;
    let mut checks = Checks::of(&format!("{{http: {{port: {}}}, interval: 100ms}}", server.port));
    checks.settles(Up).await;

    eventually("five probes", || server.requests().len() >= 5).await;
    let requests = server.requests().len();
    let connections = *connections.lock().unwrap();
    assert!(connections == requests || connections == requests + 1, "{connections} connections, {requests} requests");
}

#[tokio::test]
async fn the_body_must_match_somewhere() {
    let body = "status: all is well\n";
    let matches = "HTTP 200, the body matches";
    for (expression, passes, message) in [
        ("all is well", true, matches.to_owned()),
        ("^status: .* well$", false, r#"HTTP 200, but the body does not match "^status: .* well$""#.to_owned()),
        ("(?m)^status: .* well$", true, matches.to_owned()),
        ("(?i)ALL IS", true, matches.to_owned()),
        ("on fire", false, r#"HTTP 200, but the body does not match "on fire""#.to_owned()),
    ] {
        let seen = verdict(response("200 OK", body), &format!("bodyRegex: '{expression}'")).await;
        assert_eq!(seen, (passes, message), "{expression}");
    }
    let (passes, message) = verdict(response("500 Oops", body), "bodyRegex: well").await;
    assert_eq!((passes, message.as_str()), (false, "HTTP 500, expected 200-399"));
}

#[tokio::test]
async fn of_a_long_body_the_first_mebibyte_counts() {
    let mebibyte = "x".repeat(1 << 20);
    let inside = response("200 OK", &format!("{}END", &mebibyte[3..]));
    let outside = response("200 OK", &format!("{}END", &mebibyte[2..]));

    assert!(verdict(inside, "bodyRegex: END").await.0);
    assert!(!verdict(outside, "bodyRegex: END").await.0);
}

#[tokio::test]
async fn a_body_without_end_is_read_no_further_than_needed() {
    let server = Server::start(|mut stream, requests| async move {
        let _ = stream.read(&mut [0; 1024]).await;
        requests.lock().unwrap().push(String::new());
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await;
        while stream.write_all(&vec![b'x'; 64 << 10]).await.is_ok() {}
    })
    .await;
    let fields = "bodyRegex: y}, timeout: 10s, fall: 1";
    let mut checks = Checks::of(&format!("{{http: {{port: {}, {fields}}}", server.port));
    let start = Instant::now();
    let down = checks.settles(Down).await;

    assert_eq!(checks.message(), r#"HTTP 200, but the body does not match "y""#);
    assert!(down.at - start < Duration::from_secs(8), "it did not wait for the timeout");
}

#[tokio::test]
async fn a_server_that_is_slow_fails_at_the_timeout_wherever_it_is_slow() {
    let before_head: &[u8] = b"";
    let in_head: &[u8] = b"HTTP/1.1 200 OK\r\nContent-";
    let in_body: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nwell";
    for (part, fields) in [(before_head, ""), (in_head, ""), (in_body, ", bodyRegex: well")] {
        let server = Server::start(move |mut stream, _| async move {
            let _ = stream.write_all(part).await;
            std::future::pending::<()>().await;
        })
        .await;
        let start = Instant::now();
        let spec = format!("{{http: {{port: {}{fields}}}, timeout: 300ms, fall: 1}}", server.port);
        let mut checks = Checks::of(&spec);
        let down = checks.settles(Down).await;

        assert_eq!(checks.message(), "timed out after 300ms");
        let took = down.at - start;
        assert!((300..1_300).contains(&took.as_millis()), "{took:?}");
    }
}

#[tokio::test]
async fn what_is_no_answer_fails_and_says_what_it_was() {
    let closed = "the server closed the connection before its answer was complete";
    for (answer, fields, message) in [
        ("", "", closed),
        ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc", "bodyRegex: abc", closed),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", "", "the answer is no HTTP: "),
    ] {
        let (passes, seen) = verdict(answer, fields).await;
        assert!(!passes);
        assert!(seen.starts_with(message), "{answer:?}: {seen}");
    }
}

#[tokio::test]
async fn nobody_listening_is_told_as_for_tcp() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mut checks = Checks::of(&format!("http: {{port: {port}}}"));
    checks.settles(Down).await;
    assert_eq!(checks.message(), format!("connection refused by 127.0.0.1:{port}"));
}

#[tokio::test]
async fn a_server_that_starts_to_answer_well_mends_the_check() {
    let healthy = Arc::new(Mutex::new(false));
    let switch = healthy.clone();
    let server = Server::start(move |stream, requests| {
        let status = if *switch.lock().unwrap() { "200 OK" } else { "503 Service Unavailable" };
        async move { exchange(stream, &requests, &response(status, "")).await }
    })
    .await;
    let mut checks = Checks::of(&format!("{{http: {{port: {}}}, interval: 100ms}}", server.port));
    checks.settles(Down).await;

    *healthy.lock().unwrap() = true;
    checks.becomes("check", Up).await;
    *healthy.lock().unwrap() = false;
    checks.becomes("check", Down).await;
}
