//! The sockets in use: one of each kind per interface, shared by all virtual routers there.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr};

use holdfast_vrrp::Family;
use nix::sys::epoll::{Epoll, EpollEvent, EpollFlags};

use super::advert_socket::AdvertSocket;
use super::announce_socket::AnnounceSocket;
use super::interfaces::InterfaceIndex;
use super::packet_socket::{PacketSocket, Traffic};

/// Names a socket that sends adverts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SenderId(usize);

/// A socket that receives, and from where.
#[derive(Debug)]
pub struct Receiver {
    /// The interface.
    pub interface: InterfaceIndex,
    /// The kind of traffic.
    pub traffic: Traffic,
    /// The socket.
    pub socket: PacketSocket,
}

/// A socket that sends adverts, and where.
#[derive(Debug)]
pub struct Sender {
    /// The interface.
    pub interface: InterfaceIndex,
    /// The source address of its adverts.
    pub source: IpAddr,
    /// The socket.
    pub socket: AdvertSocket,
}

/// All sockets of the election thread. Those that receive report to one epoll set, by their number.
#[derive(Debug, Default)]
pub struct Sockets {
    receivers: Vec<Option<Receiver>>,
    senders: Vec<Option<Sender>>,
    announcers: BTreeMap<InterfaceIndex, AnnounceSocket>,
}

impl Sockets {
    /// Makes sure that traffic of a family is received from an interface, and that announcements can be sent there.
    ///
    /// A socket reports to `epoll` with its number plus `first_token`.
    pub fn listen(
        &mut self,
        interface: InterfaceIndex,
        family: Family,
        epoll: &Epoll,
        first_token: u64,
    ) -> io::Result<()> {
        let kinds: &[Traffic] = match family {
            Family::Ipv4 => &[Traffic::Ipv4, Traffic::Arp],
            Family::Ipv6 => &[Traffic::Ipv6],
        };
        for traffic in kinds {
            if self.receiver_of(interface, *traffic).is_none() {
                self.add_receiver(interface, *traffic, epoll, first_token)?;
            }
        }
        if let Entry::Vacant(entry) = self.announcers.entry(interface) {
            entry.insert(AnnounceSocket::open(interface)?);
        }
        Ok(())
    }

    fn add_receiver(
        &mut self,
        interface: InterfaceIndex,
        traffic: Traffic,
        epoll: &Epoll,
        first_token: u64,
    ) -> io::Result<()> {
        let socket = PacketSocket::open(interface, traffic)?;
        let number = free_place(&mut self.receivers);
        epoll.add(&socket, EpollEvent::new(EpollFlags::EPOLLIN, first_token + number as u64))?;
        if let Some(place) = self.receivers.get_mut(number) {
            *place = Some(Receiver { interface, traffic, socket });
        }
        Ok(())
    }

    /// Makes sure that adverts can be sent from an address, to the VRRP group too if `multicast`.
    ///
    /// The group is joined in any case, as far as the interface can: while the transport is changed node by node, peers
    /// may use the other one.
    pub fn sender(
        &mut self,
        interface: InterfaceIndex,
        interface_name: &str,
        source: IpAddr,
        multicast: bool,
    ) -> io::Result<SenderId> {
        let same = |sender: &Sender| sender.interface == interface && sender.source == source;
        let open = self.senders.iter().position(|sender| sender.as_ref().is_some_and(same));
        let number = match open {
            Some(number) => number,
            None => self.add_sender(interface, interface_name, source)?,
        };
        if let Some(Some(sender)) = self.senders.get_mut(number) {
            sender.socket.join_group().or_else(|error| if multicast { Err(error) } else { Ok(()) })?;
        }
        Ok(SenderId(number))
    }

    fn add_sender(&mut self, interface: InterfaceIndex, interface_name: &str, source: IpAddr) -> io::Result<usize> {
        let socket = AdvertSocket::open(interface, interface_name, source)?;
        let number = free_place(&mut self.senders);
        if let Some(place) = self.senders.get_mut(number) {
            *place = Some(Sender { interface, source, socket });
        }
        Ok(number)
    }

    /// The receiving socket with this number.
    pub fn receiver(&self, number: usize) -> Option<&Receiver> {
        self.receivers.get(number).and_then(Option::as_ref)
    }

    /// All receiving sockets.
    pub fn receivers(&self) -> impl Iterator<Item = &Receiver> {
        self.receivers.iter().flatten()
    }

    fn receiver_of(&self, interface: InterfaceIndex, traffic: Traffic) -> Option<&Receiver> {
        self.receivers().find(|receiver| receiver.interface == interface && receiver.traffic == traffic)
    }

    /// The socket that sends adverts under this name.
    pub fn get_sender(&self, id: SenderId) -> Option<&Sender> {
        self.senders.get(id.0).and_then(Option::as_ref)
    }

    /// The socket that sends announcements on an interface.
    pub fn announcer(&self, interface: InterfaceIndex) -> Option<&AnnounceSocket> {
        self.announcers.get(&interface)
    }

    /// Receives ARP claims to these addresses from now on, and to no others.
    pub fn watch_arp(&self, interface: InterfaceIndex, addresses: &[Ipv4Addr]) -> io::Result<()> {
        self.receiver_of(interface, Traffic::Arp).map_or(Ok(()), |receiver| receiver.socket.watch(addresses))
    }

    /// A name without a socket.
    #[cfg(test)]
    pub(crate) fn first_sender_for_tests() -> SenderId {
        SenderId(0)
    }

    /// Closes what nobody uses any more: senders by name, the others by interface and family.
    pub fn retain(&mut self, senders: &BTreeSet<SenderId>, interfaces: &BTreeSet<(InterfaceIndex, Family)>) {
        for (number, place) in self.senders.iter_mut().enumerate() {
            if !senders.contains(&SenderId(number)) {
                *place = None;
            }
        }
        for place in &mut self.receivers {
            let unused = place.as_ref().is_some_and(|receiver| {
                let family = if receiver.traffic == Traffic::Ipv6 { Family::Ipv6 } else { Family::Ipv4 };
                !interfaces.contains(&(receiver.interface, family))
            });
            if unused {
                // Closing the only descriptor of a socket takes it out of the epoll set.
                *place = None;
            }
        }
        self.announcers.retain(|interface, _| interfaces.iter().any(|(used, _)| used == interface));
    }
}

/// The number of a free place, which is made if there is none.
fn free_place<T>(places: &mut Vec<Option<T>>) -> usize {
    places.iter().position(Option::is_none).unwrap_or_else(|| {
        places.push(None);
        places.len() - 1
    })
}
