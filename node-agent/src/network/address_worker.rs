//! Programs addresses on a thread of its own, one order after the other.
//!
//! Each request takes the kernel's one lock for network configuration, which others on a busy node hold for hundreds of
//! milliseconds: pods come and go. Adverts must not wait for it, so the election thread gives orders and hears of their
//! outcomes later. Orders are carried out strictly in order, so a renewal can never put back what was removed after it
//! was ordered. The thread does nothing of its own accord: once the election thread is dead or stuck, nothing is
//! renewed.

use std::io;
use std::net::{IpAddr, Ipv6Addr};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use nix::sys::eventfd::{EfdFlags, EventFd};

use super::interfaces::{InterfaceIndex, Placement};
use super::local_route;
use super::netlink::{AddressCommands, AddressRequest, Outcome};
use crate::system;

/// After how many addresses the outcomes are told: so that the first can be announced while others are yet to come.
const REQUESTS_AT_ONCE: usize = 64;

/// The election thread's side. Its descriptor is readable when something is completed.
pub struct AddressWorker {
    /// None once it was stopped.
    orders: Option<Sender<Order>>,
    thread: Option<JoinHandle<()>>,
    completed: Receiver<Completed>,
    shared: Arc<Shared>,
    port: u32,
}

/// Something that has been done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completed {
    /// The outcomes of the next requests, in the order in which they were ordered.
    Programmed(Vec<Outcome>),
    /// A renewal, with the numbers of addresses that the kernel renewed and for which it refused.
    Renewed {
        /// How many were renewed.
        renewed: usize,
        /// How many were refused.
        refused: usize,
    },
}

enum Order {
    Program(Vec<AddressRequest>),
    Renew(Vec<Placement>),
}

struct Shared {
    wake: EventFd,
    stopped: AtomicBool,
}

impl AddressWorker {
    /// Starts the thread, which ends with the value, after what was ordered. It gets the real-time priority, if there is one: the election
    /// thread waits for its work.
    pub fn start(realtime_priority: Option<i32>) -> io::Result<Self> {
        let commands = AddressCommands::open()?;
        let port = commands.port();
        let wake = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)?;
        let shared = Arc::new(Shared { wake, stopped: AtomicBool::new(false) });
        let (orders, inbox) = channel();
        let (outbox, completed) = channel();
        let worker = Worker { commands, orders: inbox, completed: outbox, shared: Arc::clone(&shared) };
        let thread = thread::Builder::new().name("addresses".to_owned()).spawn(move || {
            if let Some(priority) = realtime_priority {
                // The election thread tells when it is refused; one complaint is enough.
                let _ = system::schedule_in_real_time(priority);
            }
            worker.work();
        })?;
        Ok(Self { orders: Some(orders), thread: Some(thread), completed, shared, port })
    }

    /// The netlink port that all requests come from.
    pub fn port(&self) -> u32 {
        self.port
    }

    /// Orders requests to be carried out.
    pub fn program(&self, requests: Vec<AddressRequest>) {
        self.order(Order::Program(requests));
    }

    /// Orders a renewal. What is ordered after it has to wait for it, so it should not be of too many at once.
    pub fn renew(&self, placements: Vec<Placement>) {
        self.order(Order::Renew(placements));
    }

    fn order(&self, order: Order) {
        if let Some(orders) = &self.orders {
            // The thread ends only when this side hangs up.
            let _ = orders.send(order);
        }
    }

    /// What has been completed since the last call.
    pub fn take_completed(&self) -> impl Iterator<Item = Completed> + '_ {
        let _ = self.shared.wake.read();
        self.completed.try_iter()
    }

    /// Drops all orders that are not yet begun, and waits for the end of the one that is. Nothing is done any more when
    /// this returns.
    pub fn stop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // If it has panicked it does nothing any more either.
            let _ = thread.join();
        }
    }
}

impl AsFd for AddressWorker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.shared.wake.as_fd()
    }
}

/// The thread's side.
struct Worker {
    commands: AddressCommands,
    orders: Receiver<Order>,
    completed: Sender<Completed>,
    shared: Arc<Shared>,
}

impl Worker {
    fn work(mut self) {
        while let Ok(order) = self.orders.recv() {
            match order {
                Order::Program(requests) => {
                    for chunk in requests.chunks(REQUESTS_AT_ONCE) {
                        self.program(chunk);
                    }
                }
                Order::Renew(placements) => self.renew(&placements),
            }
        }
    }

    fn program(&mut self, requests: &[AddressRequest]) {
        if !self.shared.stopped.load(Ordering::Relaxed) {
            let mut outcomes = Vec::with_capacity(requests.len());
            self.commands.execute(requests, &mut outcomes);
            if let Some((first, last)) = new_ipv6(requests, &outcomes) {
                // What comes before need not wait.
                let rest = outcomes.split_off(first);
                self.tell(Completed::Programmed(std::mem::replace(&mut outcomes, rest)));
                local_route::wait(last.0, last.1);
            }
            self.tell(Completed::Programmed(outcomes));
        }
    }

    fn renew(&mut self, placements: &[Placement]) {
        if !self.shared.stopped.load(Ordering::Relaxed) {
            let mut refused = Vec::new();
            self.commands.renew(placements, &mut refused);
            let renewed = placements.len().saturating_sub(refused.len());
            self.tell(Completed::Renewed { renewed, refused: refused.len() });
        }
    }

    fn tell(&self, completed: Completed) {
        // Nobody is left to tell when the election thread has ended.
        if self.completed.send(completed).is_ok() {
            let _ = self.shared.wake.write(1);
        }
    }
}

/// The place of the first IPv6 address that was added, and the last one with its interface. The kernel installs the routes
/// of a batch in its order, so the last one speaks for all.
fn new_ipv6(requests: &[AddressRequest], outcomes: &[Outcome]) -> Option<(usize, (Ipv6Addr, InterfaceIndex))> {
    let added = |(request, outcome): (&AddressRequest, &Outcome)| match (request, outcome) {
        (AddressRequest::Add(placement) | AddressRequest::Restore(placement), Ok(())) => match placement.address {
            IpAddr::V6(address) => Some((address, placement.interface)),
            IpAddr::V4(_) => None,
        },
        _ => None,
    };
    let first = requests.iter().zip(outcomes).position(|pair| added(pair).is_some())?;
    Some((first, requests.iter().zip(outcomes).rev().find_map(added)?))
}

#[cfg(test)]
mod tests {
    use nix::errno::Errno;

    use super::*;

    #[test]
    fn only_added_ipv6_addresses_are_waited_for() {
        const ETH0: InterfaceIndex = InterfaceIndex::new(2);
        let place = |address: &str| Placement {
            interface: ETH0,
            address: address.parse().expect("an address"),
            prefix_length: 64,
        };
        let [ipv4, first, last] = ["10.77.0.100", "fd77::100", "fd77::101"].map(place);
        let added = [AddressRequest::Add(ipv4), AddressRequest::Restore(first), AddressRequest::Add(last)];
        let removed = [AddressRequest::Remove(first), AddressRequest::Renew(last)];
        let refused = Err(Errno::EEXIST);
        let waited = |place: usize, address: &str| Some((place, (address.parse().expect("an address"), ETH0)));
        assert_eq!(new_ipv6(&added, &[Ok(()), Ok(()), Ok(())]), waited(1, "fd77::101"));
        assert_eq!(new_ipv6(&added, &[Ok(()), Ok(()), refused]), waited(1, "fd77::100"));
        assert_eq!(new_ipv6(&added, &[Ok(()), refused, refused]), None);
        assert_eq!(new_ipv6(&removed, &[Ok(()), Ok(())]), None);
    }
}
