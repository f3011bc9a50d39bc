//! A second host that asks "who has this address?" fifty times a second and notes every station that answers.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use super::craft;
use super::frame::{Direction, Frame};
use super::holder_report::{HolderReport, Round};
use super::host::Host;
use super::mac::Mac;
use super::pace::{self, Pace};
use super::packet_filter::PacketFilter;
use super::packet_socket::PacketSocket;
use super::wait;

/// Time between two questions.
pub const PERIOD: Duration = Duration::from_millis(20);

/// A running watch.
#[derive(Debug)]
pub struct Holders {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    target: IpAddr,
    socket: PacketSocket,
    rounds: Mutex<Vec<Round>>,
    running: AtomicBool,
}

impl Holders {
    /// Starts to ask for `target` on `eth0` of `host`.
    pub fn watch(host: &Host, target: IpAddr) -> Result<Self> {
        let wanted = PacketFilter::resolution_of(target);
        let socket = host.namespace().run(|| PacketSocket::open_filtered("eth0", &wanted))?;
        let question = question(host, target);
        let running = AtomicBool::new(true);
        let shared = Arc::new(Shared { target, socket, rounds: Mutex::default(), running });
        let (asker, listener) = (Arc::clone(&shared), Arc::clone(&shared));
        let threads = vec![thread::spawn(move || asker.ask(&question)), thread::spawn(move || listener.listen())];
        Ok(Self { shared, threads })
    }

    /// Waits until `mac` has answered a question that was asked after `since`.
    pub fn wait_for(&self, mac: Mac, since: Instant, timeout: Duration) -> Result<()> {
        wait::until(&format!("{mac} answers for {}", self.shared.target), timeout, || {
            let rounds = self.shared.lock();
            Ok(rounds.iter().rev().take_while(|round| round.asked >= since).any(|round| round.holders.contains(&mac)))
        })
    }

    /// Stops and reports.
    pub fn stop(mut self) -> Result<HolderReport> {
        self.join()?;
        let mut rounds = std::mem::take(&mut *self.shared.lock());
        // The last question had less than its time.
        rounds.pop();
        Ok(HolderReport::new(rounds, PERIOD))
    }

    fn join(&mut self) -> Result<()> {
        self.shared.running.store(false, Ordering::Relaxed);
        self.threads
            .drain(..)
            .try_for_each(|thread| thread.join().map_err(|_| anyhow!("a thread of a watch on holders panicked"))?)
    }
}

impl Drop for Holders {
    fn drop(&mut self) {
        if let Err(error) = self.join() {
            println!("a watch on holders did not stop well: {error:#}");
        }
    }
}

impl Shared {
    fn ask(&self, question: &[u8]) -> Result<()> {
        pace::become_realtime();
        let mut pace = Pace::every(PERIOD);
        while self.running.load(Ordering::Relaxed) {
            pace.wait();
            self.lock().push(Round { asked: Instant::now(), holders: BTreeSet::new() });
            self.socket.send(question)?;
        }
        Ok(())
    }

    fn listen(&self) -> Result<()> {
        while self.running.load(Ordering::Relaxed) {
            if let Some(received) = self.socket.receive()? {
                self.note(&received.frame);
            }
        }
        Ok(())
    }

    /// An answer belongs to the last question before it.
    fn note(&self, frame: &Frame) {
        let Some(holder) = self.answering(frame) else { return };
        let mut rounds = self.lock();
        if let Some(round) = rounds.iter_mut().rev().find(|round| round.asked <= frame.at) {
            round.holders.insert(holder);
        }
    }

    /// The station that says in this frame, to us alone, that it has the address.
    fn answering(&self, frame: &Frame) -> Option<Mac> {
        if frame.direction == Direction::Sent {
            return None;
        }
        if let Some(arp) = frame.arp() {
            return (arp.operation == 2 && IpAddr::V4(arp.sender) == self.target).then_some(arp.sender_mac);
        }
        let answer = frame.neighbour_advertisement()?;
        let solicited = answer.flags & 0x40 != 0 && IpAddr::V6(answer.target) == self.target;
        answer.link_layer.or_else(|| frame.source()).filter(|_| solicited)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Round>> {
        self.rounds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn question(host: &Host, target: IpAddr) -> Vec<u8> {
    match target {
        IpAddr::V4(target) => craft::arp_request(host.mac(), host.ipv4(), target),
        IpAddr::V6(target) => craft::neighbour_solicitation(host.mac(), host.ipv6(), target),
    }
}
