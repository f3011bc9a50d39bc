//! The HTTP endpoints: for probes, Prometheus and people.
//!
//! | path | answers |
//! | --- | --- |
//! | `/livez` | 200 while the election thread answers |
//! | `/readyz` | 200 while a configuration is in force and nothing is wrong with it; else 503 and what is wrong |
//! | `/readyz?exclude=configuration` | the same, whatever is wrong with the configuration that is in force |
//! | `/metrics` | metrics in the text format of `OpenMetrics` |
//! | `/debug/state` | everything, as JSON |
//!
//! Nothing here can change anything. Slow and idle clients are cut off, so that they cannot keep others out.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use crate::app::{App, Readiness};
use crate::metrics;

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// More than probes, two Prometheus servers and a person need at a time. Others wait.
const CONNECTIONS: usize = 32;

/// Whoever needs longer for the head of a request means no good.
const HEAD_LIMIT: Duration = Duration::from_secs(5);

/// After it a client has to connect anew.
const CONNECTION_LIMIT: Duration = Duration::from_secs(30);

/// Between two attempts to accept a connection, when descriptors or memory are short.
const BREATHER: Duration = Duration::from_millis(100);

/// The largest head of a request.
const HEAD_SIZE: usize = 16 << 10;

/// Serves the endpoints of an agent, for ever.
pub async fn serve(listener: TcpListener, app: Arc<App>) {
    let router = router(app);
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = serve_connection(stream, router.clone());
                tokio::spawn(async move {
                    // A client that is cut off, or goes away in the middle, can come again.
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
    let service = TowerToHyperService::new(router);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_buf_size(HEAD_SIZE)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = connection.await {
        debug!(%error, "an HTTP connection failed");
    }
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .route("/metrics", get(serve_metrics))
        .route("/debug/state", get(debug_state))
        .with_state(app)
}

async fn livez(State(app): State<Arc<App>>) -> Response {
    if app.is_live().await { "ok\n".into_response() } else { silent() }
}

/// As the API server's own, it leaves out what is asked to be left out.
async fn readyz(State(app): State<Arc<App>>, uri: Uri) -> Response {
    let without_configuration = uri.query() == Some("exclude=configuration");
    let asked = if without_configuration { Readiness::AgentOnly } else { Readiness::Everything };
    let reasons = app.unreadiness(asked).await;
    if reasons.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, reasons.join("\n") + "\n").into_response()
}

async fn serve_metrics(State(app): State<Arc<App>>) -> Response {
    let Some(status) = app.status().await else { return silent() };
    let extras = metrics::Extras {
        desired: Arc::clone(&app.configuration.borrow().desired),
        started: app.started,
        state_write_failures: app.parts.state_write_failures(),
        configuration_faults: app.configuration.borrow().faults,
    };
    match metrics::render(status, &extras) {
        Ok(text) => ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response(),
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response(),
    }
}

async fn debug_state(State(app): State<Arc<App>>) -> Response {
    match app.status().await {
        Some(status) => Json(status).into_response(),
        None => silent(),
    }
}

fn silent() -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, "the election thread does not answer\n").into_response()
}

#[cfg(test)]
mod tests {
    use std::future::{Future, pending, ready};
    use std::net::SocketAddr;
    use std::pin::Pin;
    use std::time::{Instant, SystemTime};

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::watch;

    use super::*;
    use crate::app::{Configuration, Parts};
    use crate::snapshot::{CheckSnapshot, Snapshot};

    /// An election thread as it may be.
    #[derive(Clone, Copy)]
    enum Elections {
        Answering,
        Stuck,
        Ended,
    }

    impl Parts for Elections {
        fn elections(&self) -> Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>> {
            match self {
                Self::Answering => Box::pin(ready(Some(Snapshot::default()))),
                Self::Stuck => Box::pin(pending()),
                Self::Ended => Box::pin(ready(None)),
            }
        }

        fn answers(&self) -> Pin<Box<dyn Future<Output = bool> + Send>> {
            match self {
                Self::Answering => Box::pin(ready(true)),
                Self::Stuck => Box::pin(pending()),
                Self::Ended => Box::pin(ready(false)),
            }
        }

        fn checks(&self) -> Vec<CheckSnapshot> {
            Vec::new()
        }

        fn state_write_failures(&self) -> u64 {
            0
        }
    }

    async fn start(elections: Elections) -> (SocketAddr, watch::Sender<Configuration>) {
        let good = Configuration { loaded: true, ..Configuration::default() };
        let (publish, configuration) = watch::channel(good);
        let app = App { node: "a".to_owned(), started: SystemTime::now(), configuration, parts: Box::new(elections) };
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        tokio::spawn(serve(listener, Arc::new(app)));
        (address, publish)
    }

    /// Sends bytes, and reads until the server closes.
    async fn exchange(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("connected");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        timeout(Duration::from_secs(20), stream.read_to_end(&mut answer)).await.expect("in time").expect("read");
        String::from_utf8(answer).expect("text")
    }

    /// Status and body.
    async fn get(address: SocketAddr, path: &'static str) -> (u16, String) {
        let answer = exchange(address, &format!("GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")).await;
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        (head.split(' ').nth(1).expect("a status").parse().expect("a number"), body.to_owned())
    }

    #[tokio::test]
    async fn an_agent_in_order_is_live_and_ready() {
        let (address, _publish) = start(Elections::Answering).await;
        assert_eq!(get(address, "/livez").await, (200, "ok\n".to_owned()));
        assert_eq!(get(address, "/readyz").await, (200, "ok\n".to_owned()));
        assert!(get(address, "/metrics").await.1.ends_with("# EOF\n"));
        let (status, state) = get(address, "/debug/state").await;
        assert!(status == 200 && state.contains(r#""virtualRouters":[]"#), "{state}");
        assert_eq!(get(address, "/elsewhere").await.0, 404);
    }

    #[tokio::test]
    async fn what_is_wrong_with_the_configuration_is_told_and_kills_nobody() {
        let (address, publish) = start(Elections::Answering).await;
        let cases = [
            (Configuration::default(), "there is no configuration yet\n"),
            (
                Configuration { loaded: true, errors: vec!["one".to_owned(), "two".to_owned()], ..Default::default() },
                "one\ntwo\n",
            ),
            (Configuration { loaded: true, fault: Some("a fault".to_owned()), ..Default::default() }, "a fault\n"),
            (Configuration { loaded: true, leaving: true, ..Default::default() }, "the agent is leaving\n"),
        ];
        for (configuration, reasons) in cases {
            publish.send_replace(configuration);
            assert_eq!(get(address, "/readyz").await, (503, reasons.to_owned()));
            assert_eq!(get(address, "/livez").await.0, 200);
        }
    }

    #[tokio::test]
    async fn whoever_asks_for_the_agent_alone_hears_nothing_of_what_users_have_written() {
        let (address, publish) = start(Elections::Answering).await;
        let errors = vec!["one".to_owned()];
        let cases = [
            (Configuration { loaded: true, errors: errors.clone(), ..Default::default() }, 200),
            (Configuration { loaded: false, errors: errors.clone(), ..Default::default() }, 503),
            (Configuration { loaded: true, fault: Some("a fault".to_owned()), ..Default::default() }, 503),
            (Configuration { loaded: true, leaving: true, ..Default::default() }, 503),
        ];
        for (configuration, expected) in cases {
            publish.send_replace(configuration);
            assert_eq!(get(address, "/readyz?exclude=configuration").await.0, expected);
        }
    }

    #[tokio::test]
    async fn an_election_thread_that_is_stuck_or_dead_is_not_alive() {
        for elections in [Elections::Stuck, Elections::Ended] {
            let (address, _publish) = start(elections).await;
            let paths = ["/livez", "/readyz", "/metrics", "/debug/state"];
            let asked = paths.map(|path| tokio::spawn(get(address, path)));
            for answer in asked {
                let expected = (503, "the election thread does not answer\n".to_owned());
                assert_eq!(answer.await.expect("an answer"), expected);
            }
        }
    }

    #[tokio::test]
    async fn clients_that_say_nothing_do_not_keep_others_out() {
        let (address, _publish) = start(Elections::Answering).await;
        let mut idle = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            stream.write_all(b"GET /livez HTTP/1.1\r\n").await.expect("sent");
            idle.push(stream);
        }
        let asked = Instant::now();
        assert_eq!(get(address, "/livez").await.0, 200);
        assert!(asked.elapsed() >= HEAD_LIMIT / 2, "all places were taken, or this proves nothing");
    }

    #[tokio::test]
    async fn a_request_that_never_ends_is_refused() {
        let (address, _publish) = start(Elections::Answering).await;
        let request = format!("GET /livez HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(2 * HEAD_SIZE));
        let answer = exchange(address, &request).await;
        assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    }
}
