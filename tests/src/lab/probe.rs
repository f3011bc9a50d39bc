//! The client: it asks an address every millisecond and notes who answered, when.
//!
//! Requests leave through an ordinary raw socket, so they go where the client's own neighbour table says, as a user's
//! packets do. Answers are read from the interface, with the kernel's time of arrival.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use socket2::{Domain, Protocol, SockAddr, SockFilter, Socket, Type};

use super::echo::{self, Identifier};
use super::frame::Frame;
use super::host::Host;
use super::pace::{self, Pace};
use super::packet_filter::PacketFilter;
use super::packet_socket::PacketSocket;
use super::probe_report::{Answer, Probe, ProbeReport, TOO_LATE};
use super::wait;

/// Time between two probes.
pub const PERIOD: Duration = Duration::from_millis(1);

/// `BPF_RET | BPF_K`: with the constant 0 it drops every packet.
const DROP_ALL: (u16, u32) = (0x06, 0);

/// A running prober. It stops on drop; [`Prober::stop`] also yields its report.
#[derive(Debug)]
pub struct Prober {
    shared: Arc<Shared>,
    counted_from: Instant,
    sender: Option<JoinHandle<bool>>,
    receiver: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug)]
struct Shared {
    target: IpAddr,
    identifier: Identifier,
    probes: Mutex<Vec<Probe>>,
    sending: AtomicBool,
    receiving: AtomicBool,
}

impl Prober {
    /// Starts to probe `target` from `client`'s `eth0`.
    pub fn start(client: &Host, target: IpAddr) -> Result<Self> {
        let (requests, answers) = client.namespace().run(|| Ok((request_socket(target)?, answer_socket(target)?)))?;
        let shared = Arc::new(Shared {
            target,
            identifier: Identifier::unique(),
            probes: Mutex::default(),
            sending: AtomicBool::new(true),
            receiving: AtomicBool::new(true),
        });
        let (for_sender, for_receiver) = (Arc::clone(&shared), Arc::clone(&shared));
        let receiver = thread::spawn(move || for_receiver.receive(&answers));
        let sender = thread::spawn(move || for_sender.send(&requests));
        Ok(Self { shared, counted_from: Instant::now(), sender: Some(sender), receiver: Some(receiver) })
    }

    /// Starts to probe and waits until `node` answers. The report begins there.
    pub fn start_at(client: &Host, target: IpAddr, node: &Host, timeout: Duration) -> Result<Self> {
        let mut prober = Self::start(client, target)?;
        prober.wait_for_answer_of(node, prober.counted_from, timeout)?;
        // What was lost before is not a loss but the time that the first resolution of the address took.
        prober.counted_from = Instant::now();
        Ok(prober)
    }

    /// Starts to probe and waits until anybody answers. The report begins there.
    pub fn start_answered(client: &Host, target: IpAddr, timeout: Duration) -> Result<Self> {
        let mut prober = Self::start(client, target)?;
        wait::until(&format!("somebody answers for {target}"), timeout, || {
            Ok(prober.shared.lock().iter().rev().any(|probe| probe.in_time().is_some()))
        })?;
        prober.counted_from = Instant::now();
        Ok(prober)
    }

    /// Waits until `node` has answered a probe that was sent after `since`.
    pub fn wait_for_answer_of(&self, node: &Host, since: Instant, timeout: Duration) -> Result<()> {
        let what = format!("{} answers for {}", node.name(), self.shared.target);
        wait::until(&what, timeout, || {
            let probes = self.shared.lock();
            Ok(probes.iter().rev().take_while(|probe| probe.sent >= since).any(|probe| probe.is_answered_by(node)))
        })
    }

    /// The address that is probed.
    pub fn target(&self) -> IpAddr {
        self.shared.target
    }

    /// Stops, waits for answers that may still come in time, and reports.
    pub fn stop(mut self) -> Result<ProbeReport> {
        let realtime = self.stop_sending()?;
        self.stop_receiving()?;
        let mut probes = std::mem::take(&mut *self.shared.lock());
        probes.retain(|probe| probe.sent >= self.counted_from);
        Ok(ProbeReport::new(probes, realtime))
    }

    fn stop_sending(&mut self) -> Result<bool> {
        self.shared.sending.store(false, Ordering::Relaxed);
        self.sender.take().map_or(Ok(false), |sender| sender.join().map_err(|_| anyhow!("a prober's sender panicked")))
    }

    fn stop_receiving(&mut self) -> Result<()> {
        let last_sent = self.shared.lock().last().map(|probe| probe.sent);
        if let Some(rest) = last_sent.and_then(|sent| (sent + TOO_LATE).checked_duration_since(Instant::now())) {
            thread::sleep(rest);
        }
        self.shared.receiving.store(false, Ordering::Relaxed);
        let receiver = self.receiver.take();
        receiver.map_or(Ok(()), |receiver| receiver.join().map_err(|_| anyhow!("a prober's receiver panicked"))?)
    }
}

impl Drop for Prober {
    fn drop(&mut self) {
        if let Err(error) = self.stop_sending().and_then(|_| self.stop_receiving()) {
            println!("a prober did not stop well: {error:#}");
        }
    }
}

impl Shared {
    /// Sends until told to stop; returns whether it had real-time scheduling.
    fn send(&self, socket: &Socket) -> bool {
        let realtime = pace::become_realtime();
        let destination = SockAddr::from(SocketAddr::new(self.target, 0));
        let mut pace = Pace::every(PERIOD);
        let mut number = 0;
        while self.sending.load(Ordering::Relaxed) {
            pace.wait();
            let request = echo::request(self.target, self.identifier, number);
            self.lock().push(Probe { sent: Instant::now(), answer: None });
            // A request that the kernel refuses (no neighbour, no route) is a probe without an answer.
            let _ = socket.send_to(&request, &destination);
            number += 1;
        }
        realtime
    }

    fn receive(&self, socket: &PacketSocket) -> Result<()> {
        while self.receiving.load(Ordering::Relaxed) {
            if let Some(received) = socket.receive()? {
                self.note(&received.frame);
            }
        }
        Ok(())
    }

    fn note(&self, frame: &Frame) {
        let Some(number) = echo::answered(frame, self.target, self.identifier) else { return };
        let (Some(packet), Some(mac)) = (frame.packet(), frame.source()) else { return };
        let answer = Answer { at: frame.at, time_to_live: packet.time_to_live, mac };
        let mut probes = self.lock();
        let probe = usize::try_from(number).ok().and_then(|index| probes.get_mut(index));
        // The first answer counts; a second one comes from a second holder.
        if let Some(probe) = probe.filter(|probe| probe.answer.is_none()) {
            probe.answer = Some(answer);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Probe>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn answer_socket(target: IpAddr) -> Result<PacketSocket> {
    PacketSocket::open_filtered("eth0", &PacketFilter::from(target))
}

fn request_socket(target: IpAddr) -> Result<Socket> {
    let (domain, protocol) =
        if target.is_ipv4() { (Domain::IPV4, Protocol::ICMPV4) } else { (Domain::IPV6, Protocol::ICMPV6) };
    let socket = Socket::new(domain, Type::RAW, Some(protocol)).context("cannot open a socket for echo requests")?;
    let (code, constant) = DROP_ALL;
    // Answers are read elsewhere; here they would only fill a buffer.
    socket.attach_filter(&[SockFilter::new(code, 0, 0, constant)]).context("cannot attach a filter")?;
    socket.set_nonblocking(true).context("cannot make a socket non-blocking")?;
    Ok(socket)
}
