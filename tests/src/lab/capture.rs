//! Records frames on an interface, from the moment that `start` returns until the capture is dropped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, bail};

use super::frame::{ARP, Frame, ICMPV6, VRRP};
use super::namespace::Namespace;
use super::packet_filter::PacketFilter;
use super::packet_socket::PacketSocket;

/// A running capture.
#[derive(Debug)]
pub struct Capture {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    record: Mutex<Record>,
    grown: Condvar,
    stop: AtomicBool,
}

#[derive(Debug, Default)]
struct Record {
    frames: Vec<Frame>,
    dropped: u32,
    failure: Option<String>,
}

impl Capture {
    /// Records what an election is made of: VRRP, ARP, and `ICMPv6` other than echoes.
    pub fn start(namespace: &Namespace, interface: &str) -> Result<Self> {
        Self::with_filter(namespace, interface, belongs_to_an_election)
    }

    /// Records the frames that `wanted` picks.
    pub fn with_filter(namespace: &Namespace, interface: &str, wanted: fn(&Frame) -> bool) -> Result<Self> {
        let socket = namespace.run(|| PacketSocket::open(interface))?;
        Ok(Self::of_socket(socket, wanted))
    }

    /// Records VRRP, ARP and neighbour discovery, and is not woken up by anything else.
    pub fn of_election(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = namespace.run(|| PacketSocket::open_filtered(interface, &PacketFilter::election()))?;
        Ok(Self::of_socket(socket, belongs_to_an_election))
    }

    /// Records ARP that arrives, and disturbs nobody where thousands of other frames pass.
    pub fn of_arp(namespace: &Namespace, interface: &str) -> Result<Self> {
        let socket = namespace.run(|| PacketSocket::open_for(interface, ARP))?;
        Ok(Self::of_socket(socket, |_| true))
    }

    fn of_socket(socket: PacketSocket, wanted: fn(&Frame) -> bool) -> Self {
        let shared = Arc::new(Shared::default());
        let recorder = Arc::clone(&shared);
        let thread = thread::spawn(move || recorder.record(&socket, wanted));
        Self { shared, thread: Some(thread) }
    }

    /// All frames so far. Fails if any was lost: a test must not conclude from an incomplete record.
    pub fn frames(&self) -> Result<Vec<Frame>> {
        let record = self.shared.lock();
        record.check()?;
        Ok(record.frames.clone())
    }

    /// Frames so far that satisfy `wanted`.
    pub fn matching(&self, wanted: impl Fn(&Frame) -> bool) -> Result<Vec<Frame>> {
        let record = self.shared.lock();
        record.check()?;
        Ok(record.frames.iter().filter(|frame| wanted(frame)).cloned().collect())
    }

    /// The first frame, past or future, that satisfies `wanted`. `what` names it in the error after `timeout`.
    pub fn wait_for(&self, what: &str, timeout: Duration, wanted: impl Fn(&Frame) -> bool) -> Result<Frame> {
        self.wait_for_count(what, 1, timeout, wanted)?.pop().ok_or_else(|| anyhow!("no frame: {what}"))
    }

    /// The first `count` frames, past or future, that satisfy `wanted`.
    pub fn wait_for_count(
        &self,
        what: &str,
        count: usize,
        timeout: Duration,
        wanted: impl Fn(&Frame) -> bool,
    ) -> Result<Vec<Frame>> {
        let deadline = Instant::now() + timeout;
        let (mut found, mut looked_at) = (Vec::new(), 0);
        let mut record = self.shared.lock();
        loop {
            record.check()?;
            let new = record.frames.iter().skip(looked_at).filter(|frame| wanted(frame));
            found.extend(new.take(count - found.len()).cloned());
            looked_at = record.frames.len();
            let remaining = deadline.saturating_duration_since(Instant::now());
            if found.len() == count {
                return Ok(found);
            }
            if remaining.is_zero() {
                bail!("waited {timeout:?} in vain for {count} frame(s), saw {}: {what}", found.len());
            }
            record = self.shared.grown.wait_timeout(record, remaining).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            println!("the thread of a capture panicked");
        }
    }
}

impl Shared {
    fn record(&self, socket: &PacketSocket, wanted: fn(&Frame) -> bool) {
        while !self.stop.load(Ordering::Relaxed) {
            match socket.receive() {
                Ok(None) => {}
                Ok(Some(received)) => {
                    let mut record = self.lock();
                    record.dropped = record.dropped.max(received.dropped);
                    if wanted(&received.frame) {
                        record.frames.push(received.frame);
                        self.grown.notify_all();
                    }
                }
                Err(error) => {
                    self.lock().failure = Some(format!("{error:#}"));
                    self.grown.notify_all();
                    return;
                }
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Record {
    fn check(&self) -> Result<()> {
        if let Some(failure) = &self.failure {
            bail!("the capture failed: {failure}");
        }
        if self.dropped > 0 {
            bail!("the capture lost {} frames", self.dropped);
        }
        Ok(())
    }
}

fn belongs_to_an_election(frame: &Frame) -> bool {
    match frame.packet() {
        Some(packet) if packet.protocol == VRRP => true,
        // 128 and 129 are the echoes of the prober.
        Some(packet) if packet.protocol == ICMPV6 => !matches!(packet.payload.first(), Some(128 | 129)),
        Some(_) => false,
        None => frame.ether_type() == Some(ARP),
    }
}
