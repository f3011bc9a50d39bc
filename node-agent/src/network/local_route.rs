//! When an IPv6 address really answers.
//!
//! The kernel acknowledges an address before it has installed the local route of it, up to 16 ms before on a busy machine
//! (Linux 6.18; the route is installed by a work queue). Whoever is told to send packets here meanwhile loses them. Only
//! the route tells: as the source of connections, the address is chosen at once.

use std::io;
use std::net::Ipv6Addr;
use std::thread;
use std::time::{Duration, Instant};

use netlink_packet_core::{NLM_F_REQUEST, NetlinkMessage};
use netlink_packet_route::route::{RouteAddress, RouteAttribute, RouteMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use nix::libc;

use super::interfaces::InterfaceIndex;

/// The route comes within this time, or the address has gone again. A master that yields answers until it hears the
/// announcement, but no longer than 50 ms after our advert: to wait for as long would lose more than it saves.
const PATIENCE: Duration = Duration::from_millis(40);

/// Between two looks.
const PAUSE: Duration = Duration::from_micros(100);

const RTM_NEWROUTE: u16 = 24;
const RTN_LOCAL: u8 = 2;

/// Waits until the kernel delivers packets for `address` that come in on `interface` to this machine, but no longer than
/// 40 ms. Blocks.
pub(super) fn wait(address: Ipv6Addr, interface: InterfaceIndex) {
    let Ok(socket) = open() else { return };
    let question = question(address, interface);
    let deadline = Instant::now() + PATIENCE;
    while !leads_here(&socket, &question) && Instant::now() < deadline {
        thread::sleep(PAUSE);
    }
}

fn open() -> io::Result<Socket> {
    let socket = Socket::new(NETLINK_ROUTE)?;
    socket.connect(&SocketAddr::new(0, 0))?;
    Ok(socket)
}

/// `ip route get ADDRESS oif INTERFACE`; without the interface, a link-local address has no route.
fn question(address: Ipv6Addr, interface: InterfaceIndex) -> Vec<u8> {
    let mut message = RouteMessage::default();
    message.header.address_family = AddressFamily::Inet6;
    message.header.destination_prefix_length = 128;
    message.attributes.push(RouteAttribute::Destination(RouteAddress::Inet6(address)));
    message.attributes.push(RouteAttribute::Oif(interface.get()));
    let mut message = NetlinkMessage::from(RouteNetlinkMessage::GetRoute(message));
    message.header.flags = NLM_F_REQUEST;
    message.finalize();
    let mut question = vec![0; message.buffer_len()];
    message.serialize(&mut question);
    question
}

fn leads_here(socket: &Socket, question: &[u8]) -> bool {
    let mut answer = [0; 1024];
    // The kernel has answered when the send returns.
    let length = socket.send(question, 0).and_then(|_| socket.recv(&mut answer.as_mut_slice(), libc::MSG_DONTWAIT));
    length.is_ok_and(|length| answer.get(..length).is_some_and(is_local))
}

/// ```text
///  0               1               2               3
/// +---------------------------------------------------------------+
/// |                       length, with header                     |
/// +-------------------------------+-------------------------------+
/// |             type              |             flags             |
/// +-------------------------------+-------------------------------+
/// |                           sequence                            |
/// +---------------------------------------------------------------+
/// |                             port                              |
/// +---------------+---------------+---------------+---------------+
/// |    family     |  dst. length  |  src. length  |      TOS      |
/// +---------------+---------------+---------------+---------------+
/// |     table     |   protocol    |     scope     | type of route |
/// +---------------+---------------+---------------+---------------+
/// ```
fn is_local(answer: &[u8]) -> bool {
    let message_type = answer.get(4..6).and_then(|bytes| bytes.first_chunk().copied()).map(u16::from_ne_bytes);
    message_type == Some(RTM_NEWROUTE) && answer.get(23) == Some(&RTN_LOCAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOOPBACK: u32 = 1;

    #[test]
    fn only_an_address_of_this_machine_leads_here() {
        let loopback = InterfaceIndex::new(LOOPBACK);
        let socket = open().expect("a socket");
        assert!(leads_here(&socket, &question(Ipv6Addr::LOCALHOST, loopback)));
        assert!(!leads_here(&socket, &question("2001:db8::1".parse().expect("an address"), loopback)));
    }

    #[test]
    fn an_address_that_is_not_there_is_not_waited_for_long() {
        let began = Instant::now();
        wait("2001:db8::1".parse().expect("an address"), InterfaceIndex::new(LOOPBACK));
        assert!(began.elapsed() >= PATIENCE && began.elapsed() < Duration::from_secs(1));
    }
}
