//! `holdfast-agent status`.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread;

use crate::support::run;

/// An agent that gives one answer.
fn answering(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a client");
        let mut request = [0; 4096];
        assert_ne!(stream.read(&mut request).expect("a request"), 0);
        stream.write_all(answer.as_bytes()).expect("answered");
    });
    address
}

#[test]
fn without_an_agent_it_says_so_and_fails() {
    // A port that was free a moment ago.
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port");
    for output in ["table", "json"] {
        let said = run(&["status", "--http", &address.to_string(), "-o", output]);
        assert_eq!(said.code, Some(1));
        assert_eq!(said.stdout, "");
        let expected = format!("holdfast-agent: no agent answers on {address}: ");
        assert!(said.stderr.starts_with(&expected) && said.stderr.contains("--http"), "{}", said.stderr);
        assert_eq!(said.stderr.lines().count(), 1, "no traces: {}", said.stderr);
    }
}

#[test]
fn who_accepts_and_says_nothing_is_not_waited_for_for_ever() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = silent.local_addr().expect("an address");
    let said = run(&["status", "--http", &address.to_string()]);
    assert_eq!((said.code, said.stdout), (Some(1), String::new()));
    assert_eq!(said.stderr, format!("holdfast-agent: {address} does not answer in time\n"));
}

#[test]
fn a_stranger_on_the_port_is_not_taken_for_an_agent() {
    let cases = [
        ("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "no agent of Holdfast"),
        ("220 mail.example.org ESMTP\r\n", "no agent of Holdfast"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n{", "no agent of Holdfast"),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 6\r\n\r\nreason", "503 Service Unavailable: reason"),
    ];
    for (answer, expected) in cases {
        let said = run(&["status", "--http", &answering(answer).to_string()]);
        assert_eq!(said.code, Some(1));
        assert!(said.stderr.contains(expected), "{expected} is not in {}", said.stderr);
    }
}

/// Leaks a text, which is short and only in a test.
fn http(body: &str) -> &'static str {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").leak()
}

const STATE: &str = r#"{
    "node": "node-1", "version": "0.1.0",
    "virtualRouters": [{
        "name": "web", "virtualIP": "web", "group": "web", "state": "BACKUP", "priority": 85, "virtualRouterID": 51,
        "interface": "eth0", "family": "IPv4", "addresses": ["10.77.0.100", "10.77.0.101"], "held": [],
        "since": "2026-01-01T00:00:00.000Z", "reason": "HigherPriority",
        "message": "10.77.0.2 advertises priority 99, higher than 85", "transitions": 2,
        "masterAddress": "10.77.0.2", "counters": {}
    }],
    "interfaces": [], "counters": {},
    "healthChecks": [{"name": "nginx", "passing": false, "message": "no such process", "since": null}],
    "configurationErrors": ["web.yaml: not YAML"]
}"#;

#[test]
fn the_table_shows_routers_checks_and_errors() {
    let said = run(&["status", "--http", &answering(http(STATE)).to_string()]);
    assert_eq!(said.code, Some(0), "{}", said.stderr);
    let words = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let mut lines = said.stdout.lines();
    let header = "VIRTUAL IP STATE PRIORITY VRID INTERFACE ADDRESSES SINCE REASON MASTER";
    assert_eq!(words(lines.next().expect("a header")), words(header));
    let mut row = words(lines.next().expect("a row"));
    let age = row.remove(6);
    assert!(age.ends_with('d'), "{age}");
    let expected = "web BACKUP 85 51 eth0 10.77.0.100,10.77.0.101 HigherPriority 10.77.0.2";
    assert_eq!(row, words(expected));
    for text in ["web: 10.77.0.2 advertises priority 99, higher than 85", "no such process", "web.yaml: not YAML"] {
        assert!(said.stdout.contains(text), "{text} is not in\n{}", said.stdout);
    }
}

#[test]
fn json_is_what_the_agent_serves() {
    let said = run(&["status", "--http", &answering(http(STATE)).to_string(), "-o", "json"]);
    let parse = |text: &str| serde_json::from_str::<serde_json::Value>(text).expect("JSON");
    assert_eq!(parse(&said.stdout), parse(STATE));
}
