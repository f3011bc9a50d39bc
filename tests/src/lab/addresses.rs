//! Addresses of a host's interfaces: what is there, and the moment at which one comes or goes, as the kernel tells it.
//! This is the truth about a VIP, whatever the program that set it says.

use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::socket::{
    AddressFamily, NetlinkAddr, SockFlag, SockProtocol, SockType, bind, setsockopt, socket, sockopt,
};
use socket2::Socket;

use super::address_message;
pub use super::address_message::Change;
use super::host::Host;
use super::pace;

/// `RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR`.
const ADDRESS_GROUPS: u32 = 0x10 | 0x100;

/// Room for the notices of thousands of addresses.
const RECEIVE_BUFFER: usize = 8 << 20;

/// How long one receive blocks, so that its thread sees a wish to stop.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(20);

/// One notice.
#[derive(Clone, Copy, Debug)]
pub struct AddressEvent {
    /// When it was read.
    pub at: Instant,
    /// The address.
    pub address: IpAddr,
    /// What happened.
    pub change: Change,
}

/// Listens from the moment that `start` returns.
#[derive(Debug)]
pub struct AddressWatch {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    events: Mutex<Vec<AddressEvent>>,
    grown: Condvar,
    stop: AtomicBool,
}

impl AddressWatch {
    /// Watches all interfaces of `host`.
    pub fn start(host: &Host) -> Result<Self> {
        let socket = host.namespace().run(open)?;
        let shared = Arc::new(Shared::default());
        let listener = Arc::clone(&shared);
        let thread = thread::spawn(move || listener.listen(socket));
        Ok(Self { shared, thread: Some(thread) })
    }

    /// All notices about `address` so far.
    pub fn events(&self, address: IpAddr) -> Vec<AddressEvent> {
        self.shared.lock().iter().filter(|event| event.address == address).copied().collect()
    }

    /// The first notice after `since`, awaited for at most `timeout`, that `address` changed so.
    pub fn wait_for(&self, address: IpAddr, change: Change, since: Instant, timeout: Duration) -> Result<AddressEvent> {
        let wanted = |event: &&AddressEvent| event.address == address && event.change == change && event.at >= since;
        let deadline = Instant::now() + timeout;
        let mut events = self.shared.lock();
        loop {
            if let Some(event) = events.iter().find(wanted) {
                return Ok(*event);
            }
            let remaining = deadline.saturating_duration_since(Instant::now());
            if remaining.is_zero() {
                bail!("waited {timeout:?} in vain: {address} {change:?}");
            }
            events = self.shared.grown.wait_timeout(events, remaining).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

impl Drop for AddressWatch {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        match self.thread.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => println!("a watch on addresses failed: {error:#}"),
            Some(Err(_)) => println!("a watch on addresses panicked"),
            Some(Ok(Ok(()))) | None => {}
        }
    }
}

impl Shared {
    fn listen(&self, mut socket: Socket) -> Result<()> {
        // A notice has no time of its own: it counts from when it is read.
        pace::become_witness();
        let mut buffer = vec![0; 65536];
        while !self.stop.load(Ordering::Relaxed) {
            let length = match socket.read(&mut buffer) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => continue,
                length => length.context("cannot read notices about addresses")?,
            };
            let at = Instant::now();
            let changes = address_message::parse(buffer.get(..length).unwrap_or_default());
            let events = changes.into_iter().map(|(change, address)| AddressEvent { at, address, change });
            self.lock().extend(events);
            self.grown.notify_all();
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<AddressEvent>> {
        self.events.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open() -> Result<Socket> {
    let family = AddressFamily::Netlink;
    let descriptor = socket(family, SockType::Raw, SockFlag::SOCK_CLOEXEC, SockProtocol::NetlinkRoute)
        .context("cannot open a netlink socket")?;
    setsockopt(&descriptor, sockopt::RcvBufForce, &RECEIVE_BUFFER).context("cannot enlarge the receive buffer")?;
    bind(descriptor.as_raw_fd(), &NetlinkAddr::new(0, ADDRESS_GROUPS)).context("cannot subscribe to addresses")?;
    let socket = Socket::from(descriptor);
    socket.set_read_timeout(Some(RECEIVE_TIMEOUT)).context("cannot set a receive timeout")?;
    Ok(socket)
}

/// True if `interface` of `host` has `address` now.
pub fn has(host: &Host, interface: &str, address: IpAddr) -> Result<bool> {
    Ok(list(host, interface)?.contains(&address))
}

/// All addresses of `interface` of `host` now.
pub fn list(host: &Host, interface: &str) -> Result<Vec<IpAddr>> {
    let shown = host.namespace().ip(&format!("-o addr show dev {interface}"))?;
    shown.lines().map(|line| parse_line(line).ok_or_else(|| anyhow!("cannot read: {line}"))).collect()
}

/// `2: eth0    inet 10.77.0.1/24 brd 10.77.0.255 scope global eth0 ..`
fn parse_line(line: &str) -> Option<IpAddr> {
    let (address, _prefix) = line.split_whitespace().nth(3)?.split_once('/')?;
    address.parse().ok()
}
