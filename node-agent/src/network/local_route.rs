//! When an IPv6 address really answers.
//!
//! The kernel acknowledges an address before it has installed the local route of it, up to 3 ms before on a busy machine
//! (Linux 6.18; the route is installed by a work queue). Whoever is told to send packets here meanwhile loses them.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

/// The route comes within this time, or the address has gone again.
const PATIENCE: Duration = Duration::from_millis(20);

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(100);

/// Waits until the kernel delivers packets for `address` to this machine, but no longer than 20 ms. Blocks.
pub(super) fn wait(address: Ipv6Addr) {
    // A link-local address needs no route of its own kind: the interface would have to be named to ask for it.
    if address.is_unicast_link_local() {
        return;
    }
    let Ok(socket) = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)) else { return };
    let deadline = Instant::now() + PATIENCE;
    while !is_local(&socket, address) && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
}

/// To connect a datagram socket sends nothing; it looks up the route. Only a local one leads from the address to itself.
fn is_local(socket: &UdpSocket, address: Ipv6Addr) -> bool {
    const DISCARD: u16 = 9;
    let own = socket.connect((address, DISCARD)).and_then(|()| socket.local_addr());
    own.is_ok_and(|own| own.ip() == IpAddr::V6(address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_loopback_address_is_local_and_a_foreign_one_is_not_waited_for_long() {
        let socket = UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).expect("a socket");
        assert!(is_local(&socket, Ipv6Addr::LOCALHOST));
        let began = Instant::now();
        wait("2001:db8::1".parse().expect("an address"));
        assert!(began.elapsed() < Duration::from_secs(1));
    }
}
