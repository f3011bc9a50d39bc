//! A client that asks a web server for a page many times a second, each time by a new connection, and notes what became of it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::host::Host;

/// Time between two requests.
pub const PERIOD: Duration = Duration::from_millis(5);

/// A user gives a request up after this time. Shorter than the second after which the kernel repeats the first packet of a
/// connection: who lost that one has lost the request.
pub const TOO_LATE: Duration = Duration::from_millis(500);

/// One request.
#[derive(Clone, Debug)]
pub struct Request {
    /// When it was sent.
    pub sent: Instant,
    /// The page, or why there was none.
    pub answer: Result<String, String>,
}

/// A running client. It stops on drop.
#[derive(Debug)]
pub struct HttpProber {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    server: SocketAddr,
    requests: Mutex<Vec<Request>>,
    running: AtomicBool,
}

impl HttpProber {
    /// Starts to ask `server` for `/` from `client`.
    pub fn start(client: &Host, server: SocketAddr) -> Result<Self> {
        let shared = Arc::new(Shared { server, requests: Mutex::default(), running: AtomicBool::new(true) });
        let asking = Arc::clone(&shared);
        let thread = client.namespace().spawn_thread(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.context("cannot make a runtime")?.block_on(asking.ask())
        })?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Stops and reports.
    pub fn stop(mut self) -> Result<HttpReport> {
        self.join()?;
        Ok(HttpReport::new(std::mem::take(&mut *self.shared.lock())))
    }

    fn join(&mut self) -> Result<()> {
        self.shared.running.store(false, Ordering::Relaxed);
        let thread = self.thread.take();
        thread.map_or(Ok(()), |thread| thread.join().map_err(|_| anyhow!("a client of a web server panicked"))?)
    }
}

impl Drop for HttpProber {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            println!("a client of a web server did not stop well: {error:#}");
        }
    }
}

impl Shared {
    async fn ask(self: Arc<Self>) -> Result<()> {
        let mut beat = interval(PERIOD);
        // Catching up would ask several at one moment.
        beat.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut open = JoinSet::new();
        while self.running.load(Ordering::Relaxed) {
            beat.tick().await;
            open.spawn(Arc::clone(&self).ask_once());
            while open.try_join_next().is_some() {}
        }
        // Each ends in time by itself.
        open.join_all().await;
        Ok(())
    }

    async fn ask_once(self: Arc<Self>) {
        let sent = Instant::now();
        let answer = match timeout(TOO_LATE, exchange(self.server)).await {
            Ok(Ok(page)) => Ok(page),
            Ok(Err(error)) => Err(format!("{error:#}")),
            Err(_) => Err(format!("no answer within {TOO_LATE:?}")),
        };
        self.lock().push(Request { sent, answer });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn exchange(server: SocketAddr) -> Result<String> {
    let mut stream = TcpStream::connect(server).await.context("cannot connect")?;
    // HTTP/1.0: the end of the answer is the end of the connection.
    stream.write_all(b"GET / HTTP/1.0\r\nHost: lab\r\n\r\n").await.context("cannot send a request")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await.context("cannot read an answer")?;
    let (head, body) = text.split_once("\r\n\r\n").context("the answer was cut off")?;
    let status = head.split_whitespace().nth(1).unwrap_or("nothing");
    if status == "200" { Ok(body.trim().to_owned()) } else { Err(anyhow!("the answer was {status}")) }
}

/// What a client saw. Pure: it is given times and answers, and computes.
#[derive(Clone, Debug)]
pub struct HttpReport {
    requests: Vec<Request>,
}

impl HttpReport {
    /// Of requests in any order.
    pub fn new(mut requests: Vec<Request>) -> Self {
        requests.sort_by_key(|request| request.sent);
        Self { requests }
    }

    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.requests.len()
    }

    /// Those without a page.
    pub fn failed(&self) -> impl Iterator<Item = &Request> {
        self.requests.iter().filter(|request| request.answer.is_err())
    }

    /// The longest time without service: from the sending of the first failed request of a run to that of the next one that
    /// was answered (or of the last one, if none was).
    pub fn longest_gap(&self) -> Duration {
        let mut longest = Duration::ZERO;
        let mut began = None;
        for request in &self.requests {
            if request.answer.is_err() {
                began.get_or_insert(request.sent);
            }
            if let Some(began) = began {
                longest = longest.max(request.sent.saturating_duration_since(began));
            }
            if request.answer.is_ok() {
                began = None;
            }
        }
        longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_reaches_from_the_first_failure_of_a_run_to_the_next_page() {
        let start = Instant::now();
        let request = |(index, page): (usize, &bool)| Request {
            sent: start + PERIOD * u32::try_from(index).unwrap(),
            answer: if *page { Ok("node-1".to_owned()) } else { Err("refused".to_owned()) },
        };
        let table: [(&[bool], usize, u32); 4] = [
            (&[true, true], 0, 0),
            (&[true, false, true], 1, 1),
            (&[false, true, false, false, true], 3, 2),
            (&[true, false, false, false], 3, 2),
        ];
        for (pages, failed, gap) in table {
            let report = HttpReport::new(pages.iter().enumerate().map(request).rev().collect());
            assert_eq!((report.failed().count(), report.longest_gap()), (failed, PERIOD * gap), "{pages:?}");
        }
    }
}
