//! The HTTP endpoints: for probes, Prometheus and people.
//!
//! | path | answers |
//! | --- | --- |
//! | `/livez` | 200 while the process works |
//! | `/readyz` | 200 once everything was seen and nothing is missing; else 503 and what is wrong |
//! | `/metrics` | metrics in the text format of `OpenMetrics` |
//! | `/debug/state` | what the operator knows, as JSON |
//!
//! Nothing here can change anything. Slow and idle clients are cut off, so that they cannot keep others out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::report::Report;
use crate::watch::Interruptions;
use crate::world::Kind;
use crate::write::Writer;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// More than probes, two Prometheus servers and a person need at a time. Others wait.
const CONNECTIONS: usize = 32;
/// For the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(5);
/// After it a client has to connect anew.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);
/// Between two attempts to accept a connection, when descriptors or memory are short.
const BREATHER: Duration = Duration::from_millis(100);

/// What is served.
pub struct Served {
    /// What keeps the operator from beginning.
    pub definitions: watch::Receiver<Option<String>>,
    /// What was seen.
    pub report: watch::Receiver<Report>,
    /// Who leads.
    pub leadership: watch::Receiver<Leadership>,
    /// What keeps watches from working.
    pub interruptions: Interruptions,
    /// What waits to be written.
    pub writer: Writer,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// What `/debug/state` shows.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    leadership: Leadership,
    problems: Vec<String>,
    write_backlog: usize,
    #[serde(flatten)]
    report: Report,
}

impl Served {
    /// Everything that keeps the operator from being ready; empty if it is.
    ///
    /// An interrupted watch does not: what was seen before stays, and another replica would not see more.
    fn unreadiness(&self) -> Vec<String> {
        if let Some(problem) = self.definitions.borrow().clone() {
            return vec![problem];
        }
        let missing = &self.report.borrow().missing;
        let interruptions = self.interruptions.current();
        let tell = |kind: &Kind| match interruptions.get(kind) {
            Some(problem) => format!("cannot watch objects of the kind {}: {problem}", kind.as_str()),
            None => format!("objects of the kind {} have not been listed yet", kind.as_str()),
        };
        missing.iter().map(tell).collect()
    }

    fn shown(&self) -> Shown {
        let problems = self.unreadiness();
        let interruptions = self.interruptions.current();
        let told = |kind: &Kind| self.report.borrow().missing.contains(kind);
        let interrupted = interruptions.into_iter().filter(|(kind, _)| !told(kind));
        let interrupted =
            interrupted.map(|(kind, problem)| format!("the watch of {} is interrupted: {problem}", kind.as_str()));
        Shown {
            leadership: self.leadership.borrow().clone(),
            problems: problems.into_iter().chain(interrupted).collect(),
            write_backlog: self.writer.backlog(),
            report: self.report.borrow().clone(),
        }
    }
}

/// Serves, for ever.
pub async fn serve(listener: TcpListener, served: Arc<Served>) {
    let router = Router::new()
        .route("/livez", get(async || "ok\n"))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/debug/state", get(async |State(served): State<Arc<Served>>| Json(served.shown())))
        .with_state(served);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, router.clone());
                tokio::spawn(async move {
                    // A client that is cut off can come again.
                    let _ = timeout(CONNECTION_LIMIT, connection).await;
                    drop(place);
                });
            }
            Err(error) => {
                warn!(%error, "cannot accept an HTTP connection");
                sleep(BREATHER).await;
            }
        }
    }
}

async fn serve_connection(stream: TcpStream, router: Router) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Err(error) = connection.await {
        debug!(%error, "an HTTP connection failed");
    }
}

async fn readyz(State(served): State<Arc<Served>>) -> Response {
    let reasons = served.unreadiness();
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
}

async fn metrics(State(served): State<Arc<Served>>) -> Response {
    let report = served.report.borrow().clone();
    let leads = served.leadership.borrow().leads;
    match served.metrics.render(&report, leads, served.writer.backlog()) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::clock::Clock;

    /// What the other end of each channel is.
    struct Told {
        definitions: watch::Sender<Option<String>>,
        report: watch::Sender<Report>,
        leadership: watch::Sender<Leadership>,
    }

    async fn start() -> (std::net::SocketAddr, Told) {
        let (problem, definitions) = watch::channel(None);
        let (report, reported) = watch::channel(Report::default());
        let (leader, leadership) = watch::channel(Leadership::default());
        let served = Served {
            definitions,
            report: reported,
            leadership,
            interruptions: Interruptions::default(),
            writer: Writer::new(Clock::start()),
            metrics: Arc::new(Metrics::new()),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, Arc::new(served)));
        (address, Told { definitions: problem, report, leadership: leader })
    }

    async fn ask(address: std::net::SocketAddr, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    #[tokio::test]
    async fn an_operator_in_order_is_alive_and_ready_whether_or_not_it_leads() {
        let (address, told) = start().await;
        for leads in [false, true] {
            told.leadership.send_replace(Leadership { leads, leader: Some("a".to_owned()) });
            assert_eq!(ask(address, "/livez").await, (200, "ok\n".to_owned()));
            assert_eq!(ask(address, "/readyz").await, (200, "ok\n".to_owned()));
            let metrics = ask(address, "/metrics").await.1;
            assert!(metrics.contains(&format!("holdfast_operator_leader {}", u8::from(leads))), "{metrics}");
            let state = ask(address, "/debug/state").await.1;
            assert!(state.contains(&format!(r#""leadership":{{"leads":{leads},"leader":"a"}}"#)), "{state}");
        }
        assert_eq!(ask(address, "/elsewhere").await.0, 404);
    }

    #[tokio::test]
    async fn what_is_missing_is_told_and_kills_nobody() {
        let (address, told) = start().await;
        told.report.send_replace(Report { missing: vec![Kind::Node], ..Report::default() });
        let expected = "objects of the kind Node have not been listed yet\n".to_owned();
        assert_eq!(ask(address, "/readyz").await, (503, expected));
        told.definitions.send_replace(Some("no such kinds".to_owned()));
        assert_eq!(ask(address, "/readyz").await, (503, "no such kinds\n".to_owned()));
        assert_eq!(ask(address, "/livez").await.0, 200);
    }

    #[tokio::test]
    async fn a_watch_that_is_interrupted_later_is_told_and_makes_nobody_unready() {
        let interruptions = Interruptions::default();
        assert!(interruptions.begin(Kind::Node, "410 Gone".to_owned()));
        let (_problem, definitions) = watch::channel(None);
        let (_report, report) = watch::channel(Report::default());
        let (_leader, leadership) = watch::channel(Leadership::default());
        let writer = Writer::new(Clock::start());
        let metrics = Arc::new(Metrics::new());
        let served = Served { definitions, report, leadership, interruptions, writer, metrics };
        assert_eq!(served.unreadiness(), Vec::<String>::new());
        assert_eq!(served.shown().problems, ["the watch of Node is interrupted: 410 Gone"]);
    }
}
