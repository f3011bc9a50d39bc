//! A client that asks many addresses in turn, again and again, and counts what each of them lost. A prober asks one address
//! every millisecond; thousands of those would measure themselves.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv, setsockopt, sockopt};
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use super::echo::{self, Identifier};
use super::host::Host;
use super::pace::{self, Pace};
use super::probe_report::TOO_LATE;

/// Room for the answers of a round while the reading thread waits for a processor.
const RECEIVE_BUFFER: usize = 8 << 20;

/// How long one receive blocks, so that its thread sees a wish to stop.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(20);

/// A running sweep.
#[derive(Debug)]
pub struct EchoSweep {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<()>>>,
}

/// What a sweep saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SweepReport {
    /// Requests sent.
    pub sent: usize,
    /// Lost requests of every address that lost any.
    pub lost: BTreeMap<Ipv4Addr, usize>,
    /// How many of the lost ones were answered, but too late.
    pub late: usize,
}

#[derive(Debug)]
struct Shared {
    socket: Socket,
    identifier: Identifier,
    targets: Vec<Ipv4Addr>,
    requests: Mutex<Vec<Request>>,
    sending: AtomicBool,
    receiving: AtomicBool,
}

#[derive(Clone, Copy, Debug)]
struct Request {
    target: Ipv4Addr,
    sent: Instant,
    answered: Option<Instant>,
}

impl EchoSweep {
    /// Asks each of `targets` once in a `period`, from `client`.
    pub fn start(client: &Host, targets: Vec<Ipv4Addr>, period: Duration) -> Result<Self> {
        let socket = client.namespace().run(open)?;
        let shared = Arc::new(Shared {
            socket,
            identifier: Identifier::unique(),
            targets,
            requests: Mutex::default(),
            sending: AtomicBool::new(true),
            receiving: AtomicBool::new(true),
        });
        let (sender, receiver) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![
            thread::spawn(move || {
                sender.send(period);
                Ok(())
            }),
            thread::spawn(move || receiver.receive()),
        ];
        Ok(Self { shared, threads })
    }

    /// Stops, waits for answers that may still come in time, and reports what was sent after `since`.
    pub fn stop(mut self, since: Instant) -> Result<SweepReport> {
        self.shared.sending.store(false, Ordering::Relaxed);
        thread::sleep(TOO_LATE + RECEIVE_TIMEOUT);
        self.join()?;
        let requests = self.shared.lock();
        Ok(report(requests.iter().filter(|request| request.sent >= since)))
    }

    fn join(&mut self) -> Result<()> {
        self.shared.sending.store(false, Ordering::Relaxed);
        self.shared.receiving.store(false, Ordering::Relaxed);
        self.threads
            .drain(..)
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread of an echo sweep panicked"))?)
    }
}

impl Drop for EchoSweep {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            println!("an echo sweep did not stop well: {error:#}");
        }
    }
}

impl Shared {
    /// One request a beat; the beats of all targets fill the period.
    fn send(&self, period: Duration) {
        pace::become_realtime();
        let beats = u32::try_from(self.targets.len().max(1)).unwrap_or(u32::MAX);
        let mut pace = Pace::every(period / beats);
        for (number, target) in (0..).zip(self.targets.iter().cycle()) {
            if !self.sending.load(Ordering::Relaxed) {
                return;
            }
            pace.wait();
            let request = echo::request(IpAddr::V4(*target), self.identifier, number);
            self.lock().push(Request { target: *target, sent: Instant::now(), answered: None });
            // A request that the kernel refuses (no neighbour, no route) has no answer.
            let _ = self.socket.send_to(&request, &SockAddr::from(SocketAddr::new(IpAddr::V4(*target), 0)));
        }
    }

    fn receive(&self) -> Result<()> {
        let mut bytes = [0; 256];
        while self.receiving.load(Ordering::Relaxed) {
            let length = match recv(self.socket.as_raw_fd(), &mut bytes, MsgFlags::empty()) {
                Err(Errno::EAGAIN | Errno::EINTR) => continue,
                length => length.context("cannot receive an echo")?,
            };
            let at = Instant::now();
            if let Some(number) = bytes.get(..length).and_then(|packet| echo::number_of(packet, self.identifier)) {
                self.note(number, at);
            }
        }
        Ok(())
    }

    fn note(&self, number: u64, at: Instant) {
        let mut requests = self.lock();
        let request = usize::try_from(number).ok().and_then(|index| requests.get_mut(index));
        if let Some(request) = request.filter(|request| request.answered.is_none()) {
            request.answered = Some(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Request>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SweepReport {
    /// Lost requests of all addresses together.
    pub fn lost_in_all(&self) -> usize {
        self.lost.values().sum()
    }
}

fn report<'a>(requests: impl Iterator<Item = &'a Request>) -> SweepReport {
    let mut report = SweepReport { sent: 0, lost: BTreeMap::new(), late: 0 };
    for request in requests {
        report.sent += 1;
        let in_time = |at: Instant| at.saturating_duration_since(request.sent) <= TOO_LATE;
        if !request.answered.is_some_and(in_time) {
            *report.lost.entry(request.target).or_default() += 1;
            report.late += usize::from(request.answered.is_some());
        }
    }
    report
}

fn open() -> Result<Socket> {
    let socket =
        Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::ICMPV4)).context("cannot open a socket for echoes")?;
    setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BUFFER).context("cannot enlarge the receive buffer")?;
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).context("cannot set a receive timeout")?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_or_never_answered_is_lost_by_its_address() {
        let sent = Instant::now();
        let one = Ipv4Addr::new(10, 90, 0, 1);
        let other = Ipv4Addr::new(10, 90, 0, 2);
        let request = |target, answered: Option<u64>| Request {
            target,
            sent,
            answered: answered.map(|delay| sent + Duration::from_millis(delay)),
        };
        let requests = [request(one, Some(1)), request(other, Some(51)), request(one, Some(50)), request(other, None)];
        let report = report(requests.iter());
        assert_eq!(report, SweepReport { sent: 4, lost: BTreeMap::from([(other, 2)]), late: 1 });
        assert_eq!(report.lost_in_all(), 2);
    }
}
