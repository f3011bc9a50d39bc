//! System calls that no safe wrapper covers: batches of packets, packet sockets, real-time scheduling, and what a program
//! is told before it begins.
//!
//! The only file of the agent that may be `unsafe`. Each function is one system call with its arguments checked; no
//! decision is taken here.

#![allow(unsafe_code)]
#![allow(clippy::cast_possible_truncation, reason = "sizes of C structures, and constants, that fit their C types")]

use std::io;
use std::mem::{size_of, zeroed};
use std::net::{IpAddr, Ipv6Addr, SocketAddrV4, SocketAddrV6};
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::ptr;

use nix::libc;
use nix::sys::prctl;
use nix::sys::signal::Signal;
use nix::unistd::{getpid, getppid};
use socket2::SockAddr;

/// How many packets one system call receives or sends at most.
pub const BATCH: usize = 64;

/// The longest packet that is received whole: an advert with 255 IPv6 addresses, and its header, fit.
const PACKET_LENGTH: usize = 4352;

/// Room for the packets of one [`ReceiveBatch::receive`], reused from call to call.
pub struct ReceiveBatch {
    packets: Box<[[u8; PACKET_LENGTH]]>,
    lengths: [usize; BATCH],
    received: usize,
}

/// A packet to send, and where to; without a destination it goes where the socket is bound to.
#[derive(Clone, Copy, Debug)]
pub struct Outgoing<'a> {
    /// What follows the headers that the kernel writes.
    pub bytes: &'a [u8],
    /// The receiver's address, and for an IPv6 link-local one the index of the interface.
    pub destination: Option<(IpAddr, u32)>,
}

// === impl ReceiveBatch ===

impl Default for ReceiveBatch {
    fn default() -> Self {
        Self { packets: vec![[0; PACKET_LENGTH]; BATCH].into_boxed_slice(), lengths: [0; BATCH], received: 0 }
    }
}

impl ReceiveBatch {
    /// Takes up to [`BATCH`] packets that wait in the socket, and returns how many; never blocks.
    ///
    /// Zero packets is no error. A packet that is longer than the room for it is cut off.
    pub fn receive(&mut self, socket: &impl AsFd) -> io::Result<usize> {
        self.received = 0;
        // SAFETY: all zeros is a valid value of these plain C structures.
        let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) =
            unsafe { (zeroed(), zeroed()) };
        for ((packet, vector), header) in self.packets.iter_mut().zip(&mut vectors).zip(&mut headers) {
            vector.iov_base = packet.as_mut_ptr().cast();
            vector.iov_len = PACKET_LENGTH;
            header.msg_hdr.msg_iov = ptr::from_mut(vector);
            header.msg_hdr.msg_iovlen = 1;
        }
        // SAFETY: the headers point to vectors and these to packets that live, unmoved, until the call returns.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_fd().as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            return if error.kind() == io::ErrorKind::WouldBlock { Ok(0) } else { Err(error) };
        };
        for (length, header) in self.lengths.iter_mut().zip(&headers).take(count) {
            *length = (header.msg_len as usize).min(PACKET_LENGTH);
        }
        self.received = count;
        Ok(count)
    }

    /// The packets of the last call, in the order of their arrival.
    pub fn packets(&self) -> impl Iterator<Item = &[u8]> {
        let packets = self.packets.iter().zip(&self.lengths).take(self.received);
        packets.filter_map(|(packet, length)| packet.get(..*length))
    }
}

/// Sends up to [`BATCH`] packets, in order, and returns how many the kernel took; never blocks.
///
/// An error is that of the first packet: where a later one fails, the call returns how many came before it, and the
/// next call, starting with it, says why.
pub fn send_batch<'a>(socket: &impl AsFd, packets: impl Iterator<Item = Outgoing<'a>>) -> io::Result<usize> {
    const NO_ADDRESS: Option<SockAddr> = None;
    let mut addresses = [NO_ADDRESS; BATCH];
    // SAFETY: all zeros is a valid value of these plain C structures.
    let (mut vectors, mut headers): ([libc::iovec; BATCH], [libc::mmsghdr; BATCH]) = unsafe { (zeroed(), zeroed()) };
    let mut count: libc::c_uint = 0;
    for (((packet, vector), header), address) in packets.zip(&mut vectors).zip(&mut headers).zip(&mut addresses) {
        vector.iov_base = packet.bytes.as_ptr().cast_mut().cast();
        vector.iov_len = packet.bytes.len();
        header.msg_hdr.msg_iov = ptr::from_mut(vector);
        header.msg_hdr.msg_iovlen = 1;
        if let Some((destination, scope)) = packet.destination {
            let address = address.insert(socket_address(destination, scope));
            header.msg_hdr.msg_name = address.as_ptr().cast_mut().cast();
            header.msg_hdr.msg_namelen = address.len();
        }
        count += 1;
    }
    if count == 0 {
        return Ok(0);
    }
    // SAFETY: the headers point to vectors, addresses and bytes that live, unmoved, until the call returns; the kernel
    // does not write to any of them.
    let sent = unsafe {
        libc::sendmmsg(socket.as_fd().as_raw_fd(), headers.as_mut_ptr(), count, libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL)
    };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

fn socket_address(address: IpAddr, scope: u32) -> SockAddr {
    match address {
        IpAddr::V4(address) => SocketAddrV4::new(address, 0).into(),
        IpAddr::V6(address) => SocketAddrV6::new(address, 0, 0, scope_of(address, scope)).into(),
    }
}

/// Only link-local addresses are ambiguous without an interface; for others the kernel wants none.
fn scope_of(address: Ipv6Addr, scope: u32) -> u32 {
    if address.is_unicast_link_local() || address.is_multicast() { scope } else { 0 }
}

/// Binds a packet socket to one interface and one Ethernet type; type 0 receives nothing.
///
/// `SO_BINDTODEVICE` does not do this: packet sockets accept it and receive from everywhere nonetheless.
pub fn bind_packet_socket(socket: &impl AsFd, interface: u32, ethernet_type: u16) -> io::Result<()> {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as libc::sa_family_t;
    address.sll_protocol = ethernet_type.to_be();
    address.sll_ifindex = i32::try_from(interface).map_err(|_| io::Error::from_raw_os_error(libc::ENODEV))?;
    let length = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the address is a `sockaddr_ll` of the given length.
    check(unsafe { libc::bind(socket.as_fd().as_raw_fd(), ptr::from_ref(&address).cast(), length) })
}

/// Keeps what this host sends out of a packet socket (Linux 4.20).
pub fn ignore_outgoing(socket: &impl AsFd) -> io::Result<()> {
    let yes: libc::c_int = 1;
    let length = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: the option's value is an `int` of the given length.
    check(unsafe {
        libc::setsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_IGNORE_OUTGOING,
            ptr::from_ref(&yes).cast(),
            length,
        )
    })
}

/// How many packets a packet socket has dropped, for want of room, since the last call.
pub fn packets_dropped(socket: &impl AsFd) -> io::Result<u32> {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut statistics: libc::tpacket_stats = unsafe { zeroed() };
    let mut length = size_of::<libc::tpacket_stats>() as libc::socklen_t;
    // SAFETY: the kernel writes at most `length` bytes to the structure.
    check(unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::SOL_PACKET,
            libc::PACKET_STATISTICS,
            ptr::from_mut(&mut statistics).cast(),
            ptr::from_mut(&mut length),
        )
    })?;
    Ok(statistics.tp_drops)
}

/// Gives the calling thread, and those that it starts from now on, the policy `SCHED_RR` with this priority (1..=99).
///
/// Needs `CAP_SYS_NICE`, and a real-time budget where control groups hand them out.
pub fn schedule_in_real_time(priority: i32) -> io::Result<()> {
    // SAFETY: all zeros is a valid value of this plain C structure.
    let mut parameters: libc::sched_param = unsafe { zeroed() };
    parameters.sched_priority = priority;
    // SAFETY: thread 0 is the calling one, and the parameters outlive the call.
    check(unsafe { libc::sched_setscheduler(0, libc::SCHED_RR, ptr::from_ref(&parameters)) })
}

/// Has the kernel kill the program when the thread that starts it ends (not only the process, prctl(2)), and leaves it no
/// ambient capabilities, which an agent without root's user would hand on to it.
pub fn confine(command: &mut Command) {
    let parent = getpid();
    let before_exec = move || {
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // Who died before this line was not waited for.
        if getppid() != parent {
            return Err(io::Error::from_raw_os_error(libc::ESRCH));
        }
        // SAFETY: the call has no pointers. A kernel that does not know it (before 4.3) has no such capabilities.
        unsafe { libc::prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) };
        Ok(())
    };
    // SAFETY: the closure makes system calls only; it neither allocates nor takes a lock that another thread may have held
    // when the process was copied.
    unsafe { command.pre_exec(before_exec) };
}

/// How large a piece of memory must be to be asked of the kernel by itself, and given back to it by itself.
#[cfg(target_env = "gnu")]
const OWN_MAPPING: libc::c_int = 128 << 10;

/// Has large pieces of memory go back to the kernel when they are freed; glibc would soon keep them too. To be called before the
/// first thread is started.
///
/// Each thread keeps a heap of its own, although one for all would take less: a thread without real-time scheduling that waits
/// for a processor while it holds the lock of the only heap would hold up the election.
pub fn keep_memory_small() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the calls have no pointers; the thresholds are those with which glibc begins.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, OWN_MAPPING);
        libc::mallopt(libc::M_TRIM_THRESHOLD, OWN_MAPPING);
    }
}

/// Gives the kernel back what is free, wherever in the heaps it lies: after what took much for a moment. Whoever wants memory
/// of a heap meanwhile waits.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call has no pointers, and may run beside all others.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn check(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
