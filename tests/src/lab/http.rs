//! A minimal HTTP client for what runs on a host, and a server there that answers as a test wants.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use socket2::Socket;

use super::host::Host;

/// How long one answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// How long an accept blocks, so that its thread sees a wish to stop.
const ACCEPT: Duration = Duration::from_millis(10);

/// Status and body of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// Asks the server at `port` of the host's own 127.0.0.1 for `path`.
pub fn get(host: &Host, port: u16, path: &str) -> Result<Response> {
    get_from(host, (Ipv4Addr::LOCALHOST, port).into(), path)
}

/// Asks `server`, from `host`, for `path`.
pub fn get_from(host: &Host, server: SocketAddr, path: &str) -> Result<Response> {
    let text = host.namespace().run(|| exchange(server, path))?;
    let (head, body) = text.split_once("\r\n\r\n").with_context(|| format!("no end of the head in {text:?}"))?;
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok(Response { status: status.with_context(|| format!("no status in {head:?}"))?, body: body.to_owned() })
}

fn exchange(server: SocketAddr, path: &str) -> Result<String> {
    let mut stream = TcpStream::connect_timeout(&server, ANSWER).context("cannot connect")?;
    stream.set_read_timeout(Some(ANSWER)).context("cannot set a timeout")?;
    // HTTP/1.0: the end of the answer is the end of the connection, and nothing comes in chunks.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: lab\r\n\r\n").context("cannot send a request")?;
    let mut text = String::new();
    stream.read_to_string(&mut text).context("cannot read an answer")?;
    Ok(text)
}

/// What the server does with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Behaviour {
    /// Answers at once.
    Answer(Response),
    /// Accepts the connection and says nothing.
    Hang,
}

impl Behaviour {
    /// An answer with an empty body.
    pub fn status(status: u16) -> Self {
        Self::Answer(Response { status, body: String::new() })
    }
}

/// A running server.
#[derive(Debug)]
pub struct WebServer {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    behaviour: Mutex<Behaviour>,
    requests: Mutex<Vec<Instant>>,
    stop: AtomicBool,
}

impl WebServer {
    /// Listens on `port` of every IPv4 address of `host`.
    pub fn start(host: &Host, port: u16, behaviour: Behaviour) -> Result<Self> {
        let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, port));
        let listener = host.namespace().run(|| TcpListener::bind(address).context("cannot listen"))?;
        let listener = Socket::from(listener);
        listener.set_read_timeout(Some(ACCEPT)).context("cannot set a timeout")?;
        let (requests, stop) = (Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { behaviour: Mutex::new(behaviour), requests, stop });
        let server = Arc::clone(&shared);
        let thread = thread::spawn(move || server.serve(&listener));
        Ok(Self { shared, thread: Some(thread) })
    }

    /// Changes what it does, from the next request on.
    pub fn behave(&self, behaviour: Behaviour) {
        *lock(&self.shared.behaviour) = behaviour;
    }

    /// How many connections were accepted since a moment.
    pub fn requests_since(&self, moment: Instant) -> usize {
        lock(&self.shared.requests).iter().filter(|at| **at >= moment).count()
    }
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        let joined = self.thread.take().map(|thread| thread.join().map_err(|_| anyhow!("it panicked")));
        if let Some(Err(error) | Ok(Err(error))) = joined {
            println!("a web server did not stop well: {error:#}");
        }
    }
}

impl Shared {
    fn serve(&self, listener: &Socket) -> Result<()> {
        let mut hanging = Vec::new();
        while !self.stop.load(Ordering::Relaxed) {
            let (connection, _) = match listener.accept() {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                accepted => accepted.context("cannot accept")?,
            };
            lock(&self.requests).push(Instant::now());
            let behaviour = lock(&self.behaviour).clone();
            match behaviour {
                Behaviour::Hang => hanging.push(connection),
                // A client that has gone away, as a bare TCP check does, is not the server's trouble.
                Behaviour::Answer(response) => drop(answer(connection, &response)),
            }
        }
        Ok(())
    }
}

fn answer(connection: Socket, response: &Response) -> std::io::Result<()> {
    let mut stream = TcpStream::from(connection);
    stream.set_read_timeout(Some(ANSWER))?;
    let mut request = Vec::new();
    let mut part = [0; 1024];
    while !request.windows(4).any(|window| window == b"\r\n\r\n") {
        let length = stream.read(&mut part)?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(part.get(..length).unwrap_or_default());
    }
    let Response { status, body } = response;
    let length = body.len();
    write!(stream, "HTTP/1.1 {status} Lab\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
