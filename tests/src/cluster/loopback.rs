//! Addresses of the loopback interface that nobody else has: 127.0.0.0/8 is wide enough for one address a process, so a
//! server can be started again at its port, and none is ever taken by a stranger.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};

/// Below the ports that the kernel gives to clients.
const FIRST_PORT: u16 = 10_000;

/// The address of this process: 127.128.0.0/9 and the low bits of the process id, of which Linux uses 22 at most.
pub(super) fn address() -> Ipv4Addr {
    let [_, high, middle, low] = std::process::id().to_be_bytes();
    Ipv4Addr::new(127, high | 0x80, middle, low)
}

/// An address and a port that were not given out before in this process.
pub(super) fn socket() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(FIRST_PORT);
    (address(), NEXT.fetch_add(1, Ordering::Relaxed)).into()
}
