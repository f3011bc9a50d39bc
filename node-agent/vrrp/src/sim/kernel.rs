//! The kernel of a simulated node: its interface, the addresses on it, and the queue of its socket.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::clock::Time;
use super::fence::LastAdvert;
use super::frame::Frame;
use super::step::{Refusal, RouterPlace};

/// What an agent would find in the kernel.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    /// Whether the interface is up.
    pub(super) up: bool,
    refusals: [bool; 3],
    addresses: Vec<Held>,
    /// Addresses whose removal was refused: they stay until their lease ends.
    stuck: Vec<IpAddr>,
    adverts: BTreeMap<RouterPlace, LastAdvert>,
    received: VecDeque<Frame>,
    capacity: usize,
    /// How many packets found no room in the socket.
    pub(super) overflows: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    address: IpAddr,
    lease_ends: Time,
}

/// The kernel refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Refused;

impl Kernel {
    /// A kernel with an interface that is up, and a socket that holds so many packets.
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            up: true,
            refusals: [false; 3],
            addresses: Vec::new(),
            stuck: Vec::new(),
            adverts: BTreeMap::new(),
            received: VecDeque::new(),
            capacity,
            overflows: 0,
        }
    }

    /// Makes the kernel refuse something, or not.
    pub(super) fn refuse(&mut self, what: Refusal, on: bool) {
        if let Some(refusal) = self.refusals.get_mut(what as usize) {
            *refusal = on;
        }
    }

    fn allows(&self, what: Refusal) -> Result<(), Refused> {
        if self.refusals.get(what as usize).is_some_and(|refused| *refused) { Err(Refused) } else { Ok(()) }
    }

    /// Whether packets can be sent, and addresses added and removed.
    pub(super) fn works(&self) -> bool {
        self.up && self.refusals == [false; 3]
    }

    /// Gives the socket room for at least so many packets.
    pub(super) fn enlarge_socket(&mut self, capacity: usize) {
        self.capacity = self.capacity.max(capacity);
    }

    /// Puts a packet into the queue of the socket; `false` if there is no room for it.
    pub(super) fn receive(&mut self, frame: Frame) -> bool {
        let room = self.received.len() < self.capacity;
        if room {
            self.received.push_back(frame);
        } else {
            self.overflows += 1;
        }
        room
    }

    /// Takes the oldest packet out of the socket.
    pub(super) fn next_received(&mut self) -> Option<Frame> {
        self.received.pop_front()
    }

    /// What waits in the socket.
    pub(super) fn unread(&self) -> impl Iterator<Item = &Frame> {
        self.received.iter()
    }

    /// The socket is closed: what it held is lost.
    pub(super) fn close_socket(&mut self) {
        self.received.clear();
    }

    /// Sends a packet.
    pub(super) fn send(&self) -> Result<(), Refused> {
        if self.up { self.allows(Refusal::Send) } else { Err(Refused) }
    }

    /// An advert has left that claims a virtual router.
    pub(super) fn note_advert(&mut self, router: RouterPlace, advert: LastAdvert) {
        self.adverts.insert(router, advert);
    }

    /// The last one that has.
    pub(super) fn last_advert(&self, router: RouterPlace) -> Option<LastAdvert> {
        self.adverts.get(&router).copied()
    }

    /// Puts an address on the interface until its lease ends. It may be there already.
    pub(super) fn add(&mut self, address: IpAddr, lease_ends: Time) -> Result<(), Refused> {
        self.allows(Refusal::Add)?;
        self.forget(address);
        self.addresses.push(Held { address, lease_ends });
        Ok(())
    }

    /// Takes an address off the interface. It may be gone already.
    pub(super) fn remove(&mut self, address: IpAddr) -> Result<(), Refused> {
        let allowed = self.allows(Refusal::Remove);
        if allowed.is_ok() {
            self.forget(address);
        } else {
            self.stuck.push(address);
        }
        allowed
    }

    /// Whether an address is there only because its removal was refused.
    pub(super) fn is_stuck(&self, address: IpAddr) -> bool {
        self.stuck.contains(&address)
    }

    /// An address vanishes without the agent's doing; returns whether it was there.
    pub(super) fn forget(&mut self, address: IpAddr) -> bool {
        let before = self.addresses.len();
        self.stuck.retain(|stuck| *stuck != address);
        self.addresses.retain(|held| held.address != address);
        self.addresses.len() < before
    }

    /// The lease of an address ends later.
    pub(super) fn renew(&mut self, address: IpAddr, lease_ends: Time) {
        for held in self.addresses.iter_mut().filter(|held| held.address == address) {
            held.lease_ends = lease_ends;
        }
    }

    /// Whether an address is on the interface.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.addresses.iter().any(|held| held.address == address)
    }

    /// The addresses on the interface.
    pub(super) fn addresses(&self) -> impl Iterator<Item = IpAddr> {
        self.addresses.iter().map(|held| held.address)
    }

    /// Removes an address whose lease has ended.
    pub(super) fn expire_one(&mut self, now: Time) -> Option<IpAddr> {
        let place = self.addresses.iter().position(|held| held.lease_ends <= now)?;
        let address = self.addresses.get(place)?.address;
        self.forget(address);
        Some(address)
    }

    /// When the first lease ends.
    pub(super) fn next_expiry(&self) -> Option<Time> {
        self.addresses.iter().map(|held| held.lease_ends).min()
    }

    /// The node dies: nothing is left.
    pub(super) fn power_off(&mut self) {
        self.addresses.clear();
        self.adverts.clear();
        self.received.clear();
    }
}

/// How long before the end of a lease the agent renews it.
pub(super) fn renewal_after(lease: Duration) -> Duration {
    lease / 2
}
