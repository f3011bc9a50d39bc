//! Whose packet is it: from interface, family and VRID, or from interface and address, to the virtual router.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};

use holdfast_vrrp::{Family, VirtualRouterId};

use super::moves::Moves;
use super::slot::Seat;
use crate::network::interfaces::InterfaceIndex;

/// What tells virtual routers apart (RFC 9568 section 5.2.3: a VRID counts per interface and per family).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RouterKey {
    /// The interface.
    pub(super) interface: InterfaceIndex,
    /// The address family.
    pub(super) family: Family,
    /// The virtual router ID.
    pub(super) vrid: VirtualRouterId,
}

/// Finds virtual routers.
#[derive(Clone, Debug, Default)]
pub(super) struct Demultiplexer {
    routers: HashMap<RouterKey, Seat>,
    addresses: HashMap<(InterfaceIndex, IpAddr), Seat>,
}

impl Demultiplexer {
    /// Who has this key.
    pub(super) fn router(&self, key: RouterKey) -> Option<Seat> {
        self.routers.get(&key).copied()
    }

    /// Whose virtual address this is.
    pub(super) fn address(&self, interface: InterfaceIndex, address: IpAddr) -> Option<Seat> {
        self.addresses.get(&(interface, address)).copied()
    }

    /// Gives a key to a virtual router; fails with the one that has it already.
    pub(super) fn claim(&mut self, key: RouterKey, seat: Seat) -> Result<(), Seat> {
        match self.routers.get(&key) {
            Some(other) if *other != seat => Err(*other),
            _ => {
                self.routers.insert(key, seat);
                Ok(())
            }
        }
    }

    /// Takes the key back, if the virtual router has it.
    pub(super) fn release(&mut self, key: RouterKey, seat: Seat) {
        if self.routers.get(&key) == Some(&seat) {
            self.routers.remove(&key);
        }
    }

    /// Says whose claims to an address concern this virtual router. The last one to ask is told.
    pub(super) fn watch(&mut self, interface: InterfaceIndex, address: IpAddr, seat: Seat) {
        self.addresses.insert((interface, address), seat);
    }

    /// Ends that, if the virtual router is the one that is told.
    pub(super) fn unwatch(&mut self, interface: InterfaceIndex, address: IpAddr, seat: Seat) {
        if self.addresses.get(&(interface, address)) == Some(&seat) {
            self.addresses.remove(&(interface, address));
        }
    }

    /// Virtual routers have moved to other groups.
    pub(super) fn follow(&mut self, moves: &Moves) {
        let seats = self.routers.values_mut().chain(self.addresses.values_mut());
        seats.for_each(|seat| moves.update(seat));
    }

    /// The virtual IPv4 addresses of an interface, sorted.
    pub(super) fn ipv4_addresses(&self, interface: InterfaceIndex) -> Vec<Ipv4Addr> {
        let here = self.addresses.keys().filter(|(index, _)| *index == interface);
        let mut addresses: Vec<_> = here
            .filter_map(|(_, address)| match address {
                IpAddr::V4(address) => Some(*address),
                IpAddr::V6(_) => None,
            })
            .collect();
        addresses.sort_unstable();
        addresses
    }
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::MemberIndex;

    use super::*;
    use crate::election::slot::Slot;

    fn key(interface: u32, family: Family, vrid: u8) -> RouterKey {
        let vrid = VirtualRouterId::new(vrid).expect("not zero");
        RouterKey { interface: InterfaceIndex::new(interface), family, vrid }
    }

    fn seat(slot: usize) -> Seat {
        Seat { slot: Slot::new(slot), member: MemberIndex(0) }
    }

    #[test]
    fn a_vrid_counts_once_per_interface_and_family() {
        let mut demultiplexer = Demultiplexer::default();
        let keys =
            [key(2, Family::Ipv4, 51), key(2, Family::Ipv6, 51), key(3, Family::Ipv4, 51), key(2, Family::Ipv4, 52)];
        for (slot, key) in keys.into_iter().enumerate() {
            assert_eq!(demultiplexer.claim(key, seat(slot)), Ok(()));
        }
        for (slot, key) in keys.iter().enumerate() {
            assert_eq!(demultiplexer.router(*key), Some(seat(slot)));
        }
        assert_eq!(demultiplexer.router(key(3, Family::Ipv6, 51)), None);
    }

    #[test]
    fn a_key_belongs_to_one_until_that_one_releases_it() {
        let mut demultiplexer = Demultiplexer::default();
        let key = key(2, Family::Ipv4, 51);
        assert_eq!(demultiplexer.claim(key, seat(1)), Ok(()));
        assert_eq!(demultiplexer.claim(key, seat(1)), Ok(()), "again");
        assert_eq!(demultiplexer.claim(key, seat(2)), Err(seat(1)));
        demultiplexer.release(key, seat(2));
        assert_eq!(demultiplexer.router(key), Some(seat(1)), "not the other's to release");
        demultiplexer.release(key, seat(1));
        assert_eq!(demultiplexer.claim(key, seat(2)), Ok(()));
    }

    #[test]
    fn an_address_that_moved_to_another_router_stays_with_it() {
        let mut demultiplexer = Demultiplexer::default();
        let (interface, address) = (InterfaceIndex::new(2), "10.0.0.100".parse().expect("an address"));
        demultiplexer.watch(interface, address, seat(1));
        demultiplexer.watch(interface, address, seat(2));
        demultiplexer.unwatch(interface, address, seat(1));
        assert_eq!(demultiplexer.address(interface, address), Some(seat(2)));
        assert_eq!(demultiplexer.ipv4_addresses(interface), [Ipv4Addr::new(10, 0, 0, 100)]);
        demultiplexer.unwatch(interface, address, seat(2));
        assert_eq!(demultiplexer.address(interface, address), None);
    }
}
