//! `holdfast-agent status`: asks the agent of this node, and shows its answer.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::{Timestamp, Unit};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::cli::Output;
use crate::snapshot::{AgentStatus, CheckSnapshot, RouterSnapshot, RouterState};

const PATIENCE: Duration = Duration::from_secs(5);

/// In bytes. The status of thousands of virtual routers is a tenth of it; whoever says more is no agent.
const LONGEST_ANSWER: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, Error)]
pub enum StatusError {
    /// Nobody listens.
    #[error("no agent answers on {address}: {source}; is it running, and with this --http address?")]
    Connect {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Somebody listens and says nothing.
    #[error("{0} does not answer in time")]
    Timeout(SocketAddr),
    /// The answer is no HTTP.
    #[error("{0} is no agent of Holdfast: {1}")]
    Http(SocketAddr, #[source] hyper::Error),
    /// The answer does not come to an end.
    #[error("{0} is no agent of Holdfast: {1}")]
    Body(SocketAddr, #[source] Box<dyn Error + Send + Sync>),
    /// The answer is an error.
    #[error("the agent on {0} answers {1}: {2}")]
    Refused(SocketAddr, StatusCode, String),
    /// The answer makes no sense.
    #[error("{0} is no agent of Holdfast, or one of another version: {1}")]
    Content(SocketAddr, #[source] serde_json::Error),
    /// The client cannot run.
    #[error("cannot start the client: {0}")]
    Runtime(#[source] io::Error),
    /// The answer cannot be written.
    #[error("cannot write the answer: {0}")]
    Write(#[source] serde_json::Error),
}

/// Asks the agent at this address.
pub fn fetch(address: SocketAddr) -> Result<AgentStatus, StatusError> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StatusError::Runtime)?;
    let body = runtime
        .block_on(async { timeout(PATIENCE, get(address)).await })
        .map_err(|_| StatusError::Timeout(address))??;
    serde_json::from_slice(&body).map_err(|error| StatusError::Content(address, error))
}

async fn get(address: SocketAddr) -> Result<Bytes, StatusError> {
    let failed = |error| StatusError::Http(address, error);
    let stream = TcpStream::connect(address).await.map_err(|source| StatusError::Connect { address, source })?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
    // It ends with the answer; what goes wrong with it, the answer shows.
    tokio::spawn(connection);
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.uri_mut() = hyper::Uri::from_static("/debug/state");
    request.headers_mut().insert(hyper::header::HOST, hyper::header::HeaderValue::from_static("localhost"));
    let response = sender.send_request(request).await.map_err(failed)?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST_ANSWER).collect().await;
    let body = body.map_err(|error| StatusError::Body(address, error))?.to_bytes();
    if status != StatusCode::OK {
        return Err(StatusError::Refused(address, status, String::from_utf8_lossy(&body).trim().to_owned()));
    }
    Ok(body)
}

/// The answer in the form that was asked for.
pub fn render(status: &AgentStatus, output: Output) -> Result<String, StatusError> {
    match output {
        Output::Table => Ok(table(status, Timestamp::now())),
        Output::Json => serde_json::to_string_pretty(status).map(|text| text + "\n").map_err(StatusError::Write),
    }
}

fn table(status: &AgentStatus, now: Timestamp) -> String {
    let mut text = String::new();
    let routers = status.snapshot.virtual_routers.iter();
    text += &align(
        &["VIRTUAL IP", "STATE", "PRIORITY", "VRID", "INTERFACE", "ADDRESSES", "SINCE", "REASON", "MASTER"],
        &routers.clone().map(|router| router_row(router, now)).collect::<Vec<_>>(),
    );
    text += &messages(&status.snapshot.virtual_routers);
    if !status.health_checks.is_empty() {
        text.push('\n');
        let rows: Vec<_> = status.health_checks.iter().map(|check| check_row(check, now)).collect();
        text += &align(&["HEALTH CHECK", "PASSING", "SINCE", "MESSAGE"], &rows);
    }
    if !status.configuration_errors.is_empty() {
        text += "\nCONFIGURATION ERRORS (what was in force before them stays in force)\n";
        for error in &status.configuration_errors {
            let _ = writeln!(text, "  {}", one_line(error));
        }
    }
    text
}

/// What is to be said of each group: its virtual routers share it, as they share their state.
fn messages(routers: &[RouterSnapshot]) -> String {
    let mut told = BTreeSet::new();
    let mut text = String::new();
    for router in routers.iter().filter(|router| !router.message.is_empty()) {
        if told.insert(&router.group) {
            let alone = routers.iter().filter(|other| other.group == router.group).count() == 1;
            let name = if alone { &router.name } else { &router.group };
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", one_line(&format!("{name}: {}", router.message)));
        }
    }
    text
}

fn router_row(router: &RouterSnapshot, now: Timestamp) -> Vec<String> {
    vec![
        router.name.clone(),
        state_word(router.state).to_owned(),
        router.priority.to_string(),
        router.virtual_router_id.to_string(),
        router.interface.clone().unwrap_or_else(|| "-".to_owned()),
        router.addresses.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(","),
        age(&router.since, now),
        router.reason.clone(),
        router.master_address.map_or_else(|| "-".to_owned(), |address| address.to_string()),
    ]
}

fn check_row(check: &CheckSnapshot, now: Timestamp) -> Vec<String> {
    let passing = match check.passing {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    let since = check.since.as_ref().map_or_else(|| "-".to_owned(), |since| age(since, now));
    vec![check.name.clone(), passing.to_owned(), since, check.message.clone()]
}

fn state_word(state: RouterState) -> &'static str {
    match state {
        RouterState::Init => "INIT",
        RouterState::Fault => "FAULT",
        RouterState::Backup => "BACKUP",
        RouterState::Master => "MASTER",
    }
}

/// How long ago, as `kubectl` writes it: the two largest units at most.
fn age(since: &str, now: Timestamp) -> String {
    let Ok(since) = since.parse::<Timestamp>() else { return "-".to_owned() };
    let seconds = now.since(since).ok().and_then(|span| span.total(Unit::Second).ok()).unwrap_or_default().max(0.0);
    let seconds = Duration::from_secs_f64(seconds).as_secs();
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7199 => format!("{}m", seconds / 60),
        7200..=172_799 => format!("{}h", seconds / 3600),
        _ => format!("{}d", seconds / 86400),
    }
}

/// Messages may quote what programs and manifests say: nothing in them may break a line or move the cursor.
fn one_line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// Columns as wide as their widest cell, two spaces apart.
fn align(header: &[&str], rows: &[Vec<String>]) -> String {
    let widths: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(column, title)| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
            cells.chain([title.chars().count()]).max().unwrap_or_default()
        })
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells = cells.map(one_line).zip(&widths);
        let padded: Vec<String> = cells.map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_owned() + "\n"
    };
    let mut text = line(&mut header.iter().copied());
    for row in rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_short() {
        let now: Timestamp = "2026-01-10T00:00:00Z".parse().expect("a time");
        let cases = [
            ("2026-01-09T23:59:59.5Z", "0s"),
            ("2026-01-09T23:58:01Z", "119s"),
            ("2026-01-09T23:58:00Z", "2m"),
            ("2026-01-09T22:00:00Z", "2h"),
            ("2026-01-01T00:00:00Z", "9d"),
            ("2026-01-11T00:00:00Z", "0s"),
            ("nonsense", "-"),
        ];
        for (since, expected) in cases {
            assert_eq!(age(since, now), expected, "{since}");
        }
    }

    fn router(name: &str, group: &str, message: &str) -> RouterSnapshot {
        RouterSnapshot {
            name: name.to_owned(),
            virtual_ip: group.to_owned(),
            group: group.to_owned(),
            state: RouterState::Fault,
            priority: 100,
            virtual_router_id: 51,
            interface: None,
            family: "IPv4".to_owned(),
            addresses: Vec::new(),
            held: Vec::new(),
            since: String::new(),
            reason: String::new(),
            message: message.to_owned(),
            transitions: 0,
            master_address: None,
            fencing: Some(crate::desired::Fencing::default()),
            fence_unavailable: false,
            obstacle: None,
            occupied: Vec::new(),
            foreign_router: None,
            counters: [].into(),
        }
    }

    #[test]
    fn a_group_says_once_what_is_to_be_said_of_all_its_virtual_routers() {
        let routers = [
            router("web", "web", "the node has no interface eth9"),
            router("db/ipv4", "db", "db/ipv4: eth0 is down; db/ipv6: eth0 is down"),
            router("db/ipv6", "db", "db/ipv4: eth0 is down; db/ipv6: eth0 is down"),
            router("quiet", "quiet", ""),
        ];
        let expected = "web: the node has no interface eth9\ndb: db/ipv4: eth0 is down; db/ipv6: eth0 is down\n";
        assert_eq!(messages(&routers), expected);
    }

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["a".to_owned(), "long cell".to_owned()], vec!["wider".to_owned(), "b".to_owned()]];
        assert_eq!(align(&["ONE", "TWO"], &rows), "ONE    TWO\na      long cell\nwider  b\n");
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        let rows = [vec!["two\nlines".to_owned(), "\u{1b}[2Jgone".to_owned()]];
        assert_eq!(align(&["ONE", "TWO"], &rows), "ONE        TWO\ntwo lines   [2Jgone\n");
    }
}
