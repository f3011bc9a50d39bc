//! The table of the node's interfaces as the kernel tells it, and which of them a virtual router runs on.
//!
//! Values only: netlink messages come in as [`NetworkChange`], questions are answered from memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::net::IpAddr;

use holdfast_vrrp::Family;
use holdfast_vrrp::wire::MacAddress;

use super::ownership::MARK;
use crate::desired::InterfaceChoice;
use crate::subnet::Subnet;

/// The kernel's number for an interface. A re-created interface has another one, a renamed one has not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InterfaceIndex(u32);

/// An interface without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its number.
    pub index: InterfaceIndex,
    /// Its name.
    pub name: String,
    /// Its Ethernet address; none for a tunnel.
    pub mac: Option<MacAddress>,
    /// `IFF_UP`: an administrator wants it up.
    pub enabled: bool,
    /// `IFF_RUNNING`: it has a carrier, and its operational state is up or unknown.
    pub running: bool,
    /// The interface below a VLAN or macvlan, if it is in the same network namespace.
    pub parent: Option<InterfaceIndex>,
}

/// An address on an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InterfaceAddress {
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_length: u8,
    /// `IFA_F_SECONDARY` of IPv4: there was an address of the same subnet before it.
    pub secondary: bool,
    /// `IFA_F_TENTATIVE` or `IFA_F_DADFAILED`: not usable, or not yet.
    pub tentative: bool,
    /// `IFA_F_DEPRECATED`: not to be used as a source.
    pub deprecated: bool,
    /// `IFA_PROTO`: what added it, where the kernel keeps that.
    pub protocol: Option<u8>,
}

impl From<&InterfaceAddress> for Subnet {
    fn from(InterfaceAddress { address, prefix_length, .. }: &InterfaceAddress) -> Self {
        Self { address: *address, prefix_length: *prefix_length }
    }
}

/// An address and where it is: what the kernel adds, renews and removes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Placement {
    /// The interface.
    pub interface: InterfaceIndex,
    /// The address.
    pub address: IpAddr,
    /// Its prefix length.
    pub prefix_length: u8,
}

/// Something that netlink reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NetworkChange {
    /// An interface is there, or is different.
    LinkSet(Link),
    /// An interface is gone.
    LinkGone(InterfaceIndex),
    /// An address is there, or is different.
    AddressSet(InterfaceIndex, InterfaceAddress),
    /// An address is gone.
    AddressGone {
        /// The address and where it was.
        placement: Placement,
        /// The netlink port of the program that removed it; zero is the kernel.
        port: u32,
    },
}

/// An interface with its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Everything but the addresses.
    pub link: Link,
    /// The addresses in the order in which they were added. Our own additions are not told, so those are missing.
    pub addresses: Vec<InterfaceAddress>,
}

/// The interfaces of the node.
#[derive(Clone, Debug, Default)]
pub struct InterfaceTable {
    interfaces: BTreeMap<InterfaceIndex, Interface>,
    by_name: HashMap<String, InterfaceIndex>,
}

// === impl InterfaceIndex ===

impl InterfaceIndex {
    /// The interface with this number.
    pub const fn new(index: u32) -> Self {
        Self(index)
    }

    /// The number.
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl fmt::Display for InterfaceIndex {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

// === impl InterfaceAddress ===

impl InterfaceAddress {
    /// An address without any flag.
    pub const fn new(address: IpAddr, prefix_length: u8) -> Self {
        Self { address, prefix_length, secondary: false, tentative: false, deprecated: false, protocol: None }
    }

    /// Whether an agent of this kind, not necessarily this one, put it there.
    pub fn is_virtual(&self) -> bool {
        self.protocol == Some(MARK)
    }

    /// Whether `other` is in the subnet of this address.
    pub fn is_subnet_of(&self, other: IpAddr) -> bool {
        match (self.address, other) {
            (IpAddr::V4(own), IpAddr::V4(other)) => {
                let mask = u32::MAX.checked_shl(32_u32.saturating_sub(self.prefix_length.into())).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            (IpAddr::V6(own), IpAddr::V6(other)) => {
                let mask = u128::MAX.checked_shl(128_u32.saturating_sub(self.prefix_length.into())).unwrap_or(0);
                (own.to_bits() ^ other.to_bits()) & mask == 0
            }
            _ => false,
        }
    }
}

// === impl Interface ===

impl Interface {
    /// The address that adverts of a family leave with, `None` while there is none that works.
    ///
    /// IPv4: the first primary address. IPv6: the first link-local address, or for peers beyond the link (`routed`) the
    /// first global one. Virtual addresses (`is_virtual`) do not count: they may be another node's in a moment.
    pub fn source(&self, family: Family, routed: bool, is_virtual: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let usable = |candidate: &&InterfaceAddress| {
            let fits = match candidate.address {
                IpAddr::V4(_) => family == Family::Ipv4 && !candidate.secondary,
                IpAddr::V6(address) => {
                    let link_local = address.is_unicast_link_local();
                    family == Family::Ipv6 && link_local != routed && (link_local || !candidate.deprecated)
                }
            };
            fits && !candidate.tentative && !candidate.is_virtual() && !is_virtual(candidate.address)
        };
        self.addresses.iter().find(usable).map(|candidate| candidate.address)
    }

    fn set_address(&mut self, new: InterfaceAddress) -> bool {
        let same = |old: &&mut InterfaceAddress| old.address == new.address && old.prefix_length == new.prefix_length;
        match self.addresses.iter_mut().find(same) {
            Some(old) if *old == new => false,
            Some(old) => {
                *old = new;
                true
            }
            None => {
                self.addresses.push(new);
                true
            }
        }
    }
}

// === impl InterfaceTable ===

impl InterfaceTable {
    /// Takes in a change; returns whether it made a difference.
    pub fn apply(&mut self, change: NetworkChange) -> bool {
        match change {
            NetworkChange::LinkSet(link) => self.set_link(link),
            NetworkChange::LinkGone(index) => self.remove_link(index),
            NetworkChange::AddressSet(index, address) => {
                self.interfaces.get_mut(&index).is_some_and(|interface| interface.set_address(address))
            }
            NetworkChange::AddressGone { placement, .. } => self.remove_address(&placement),
        }
    }

    fn set_link(&mut self, link: Link) -> bool {
        let index = link.index;
        let Some(interface) = self.interfaces.get_mut(&index) else {
            self.by_name.insert(link.name.clone(), index);
            self.interfaces.insert(index, Interface { link, addresses: Vec::new() });
            return true;
        };
        if interface.link == link {
            return false;
        }
        let renamed = interface.link.name != link.name;
        let old = std::mem::replace(&mut interface.link, link.clone());
        if renamed {
            self.forget_name(&old.name, index);
            self.by_name.insert(link.name, index);
        }
        true
    }

    fn remove_link(&mut self, index: InterfaceIndex) -> bool {
        let Some(interface) = self.interfaces.remove(&index) else { return false };
        self.forget_name(&interface.link.name, index);
        true
    }

    /// The name may belong to another interface by now.
    fn forget_name(&mut self, name: &str, index: InterfaceIndex) {
        if self.by_name.get(name) == Some(&index) {
            self.by_name.remove(name);
        }
    }

    fn remove_address(&mut self, gone: &Placement) -> bool {
        let Some(interface) = self.interfaces.get_mut(&gone.interface) else { return false };
        let before = interface.addresses.len();
        interface
            .addresses
            .retain(|address| address.address != gone.address || address.prefix_length != gone.prefix_length);
        interface.addresses.len() != before
    }

    /// The interface with this number.
    pub fn get(&self, index: InterfaceIndex) -> Option<&Interface> {
        self.interfaces.get(&index)
    }

    /// The interface with this name.
    pub fn find(&self, name: &str) -> Option<&Interface> {
        self.by_name.get(name).and_then(|index| self.interfaces.get(index))
    }

    /// Every interface, by number.
    pub fn iter(&self) -> impl Iterator<Item = &Interface> {
        self.interfaces.values()
    }

    /// Whether packets can pass: enabled, running, and so is what it stands on.
    ///
    /// A macvlan keeps its carrier when its parent is taken down, hence the second look.
    pub fn is_up(&self, interface: &Interface) -> bool {
        let parent = interface.link.parent.and_then(|parent| self.interfaces.get(&parent));
        interface.link.enabled && interface.link.running && parent.is_none_or(|parent| parent.link.enabled)
    }

    /// Whether this is the Ethernet address of an interface of this node.
    pub fn is_own_mac(&self, mac: MacAddress) -> bool {
        self.interfaces.values().any(|interface| interface.link.mac == Some(mac))
    }

    /// Whether an address that is not one of `ours` is on the interface.
    pub fn holds(&self, index: InterfaceIndex, address: IpAddr) -> bool {
        let interface = self.interfaces.get(&index);
        interface.is_some_and(|interface| interface.addresses.iter().any(|present| present.address == address))
    }

    /// The interface that a virtual router runs on.
    ///
    /// By name, or the one with the longest prefix that holds the address; among equals the one that is up, then the
    /// lowest number. Virtual addresses do not count: they would make an interface choose itself.
    pub fn choose(&self, choice: &InterfaceChoice, is_virtual: impl Fn(IpAddr) -> bool) -> Option<&Interface> {
        let wanted = match choice {
            InterfaceChoice::Named(name) => return self.find(name),
            InterfaceChoice::HoldingSubnetOf(wanted) => *wanted,
        };
        let prefix = |interface: &Interface| {
            let holding = interface.addresses.iter().filter(|present| {
                !present.is_virtual() && !is_virtual(present.address) && present.is_subnet_of(wanted)
            });
            holding.map(|present| present.prefix_length).max()
        };
        let candidates = self.interfaces.values().rev().filter_map(|interface| Some((prefix(interface)?, interface)));
        candidates.max_by_key(|(length, interface)| (*length, self.is_up(interface))).map(|(_, interface)| interface)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str) -> Link {
        Link {
            index: InterfaceIndex(index),
            name: name.to_owned(),
            mac: Some(MacAddress([2, 0, 0, 0, 0, 1])),
            enabled: true,
            running: true,
            parent: None,
        }
    }

    fn address(text: &str) -> InterfaceAddress {
        let (address, length) = text.split_once('/').expect("a prefix length");
        InterfaceAddress::new(address.parse().expect("an address"), length.parse().expect("a number"))
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    fn table(interfaces: &[(u32, &str, &[&str])]) -> InterfaceTable {
        let mut table = InterfaceTable::default();
        for (index, name, addresses) in interfaces {
            table.apply(NetworkChange::LinkSet(link(*index, name)));
            for text in *addresses {
                table.apply(NetworkChange::AddressSet(InterfaceIndex(*index), address(text)));
            }
        }
        table
    }

    fn chosen(table: &InterfaceTable, choice: &InterfaceChoice) -> Option<u32> {
        table.choose(choice, |_| false).map(|interface| interface.link.index.get())
    }

    #[test]
    fn a_name_finds_its_interface_through_renaming_deletion_and_recreation() {
        let eth0 = InterfaceChoice::Named("eth0".to_owned());
        let mut table = table(&[(2, "eth0", &[])]);
        assert_eq!(chosen(&table, &eth0), Some(2));
        table.apply(NetworkChange::LinkSet(link(2, "uplink")));
        assert_eq!(chosen(&table, &eth0), None);
        table.apply(NetworkChange::LinkSet(link(7, "eth0")));
        assert_eq!(chosen(&table, &eth0), Some(7));
        table.apply(NetworkChange::LinkGone(InterfaceIndex(7)));
        assert_eq!(chosen(&table, &eth0), None);
        assert_eq!(chosen(&table, &InterfaceChoice::Named("uplink".to_owned())), Some(2));
    }

    #[test]
    fn names_may_change_hands_in_any_order() {
        let mut table = table(&[(2, "eth0", &[]), (3, "eth1", &[])]);
        table.apply(NetworkChange::LinkSet(link(3, "eth0")));
        table.apply(NetworkChange::LinkSet(link(2, "eth1")));
        assert_eq!(chosen(&table, &InterfaceChoice::Named("eth0".to_owned())), Some(3));
        assert_eq!(chosen(&table, &InterfaceChoice::Named("eth1".to_owned())), Some(2));
    }

    #[test]
    fn the_longest_prefix_that_holds_the_address_wins() {
        let table = table(&[
            (1, "lo", &["127.0.0.1/8", "::1/128"]),
            (2, "eth0", &["10.0.0.1/8"]),
            (3, "eth1", &["10.1.0.1/16", "fd00::1/64"]),
            (4, "eth2", &["192.0.2.1/24"]),
        ]);
        let cases = [
            ("10.1.2.3", Some(3)),
            ("10.2.2.3", Some(2)),
            ("192.0.2.200", Some(4)),
            ("198.51.100.1", None),
            ("fd00::99", Some(3)),
            ("fd01::99", None),
        ];
        for (wanted, index) in cases {
            assert_eq!(chosen(&table, &InterfaceChoice::HoldingSubnetOf(ip(wanted))), index, "{wanted}");
        }
    }

    #[test]
    fn among_equal_prefixes_an_interface_that_is_up_wins_then_the_lowest_number() {
        let mut table = table(&[(2, "eth0", &["10.0.0.1/24"]), (3, "eth1", &["10.0.0.2/24"])]);
        let choice = InterfaceChoice::HoldingSubnetOf(ip("10.0.0.100"));
        assert_eq!(chosen(&table, &choice), Some(2));
        table.apply(NetworkChange::LinkSet(Link { running: false, ..link(2, "eth0") }));
        assert_eq!(chosen(&table, &choice), Some(3));
    }

    #[test]
    fn a_virtual_address_does_not_choose_its_own_interface() {
        let mut table = table(&[(2, "eth0", &["10.0.0.100/24"])]);
        let choice = InterfaceChoice::HoldingSubnetOf(ip("10.0.0.100"));
        assert!(table.choose(&choice, |address| address == ip("10.0.0.100")).is_none());
        let marked = InterfaceAddress { protocol: Some(MARK), ..address("10.0.0.200/24") };
        table.apply(NetworkChange::AddressSet(InterfaceIndex(2), marked));
        assert!(table.choose(&choice, |address| address == ip("10.0.0.100")).is_none());
    }

    #[test]
    fn the_source_is_the_first_address_that_works() {
        let flagged = |text: &str, set: fn(&mut InterfaceAddress)| {
            let mut address = address(text);
            set(&mut address);
            address
        };
        let interface = Interface {
            link: link(2, "eth0"),
            addresses: vec![
                flagged("10.0.0.100/32", |address| address.protocol = Some(MARK)),
                flagged("10.0.0.9/24", |address| address.secondary = true),
                address("10.0.0.50/32"),
                address("10.0.0.1/24"),
                flagged("fe80::9/64", |address| address.tentative = true),
                address("fe80::1/64"),
                flagged("fd00::9/64", |address| address.deprecated = true),
                address("fd00::1/64"),
            ],
        };
        let is_virtual = |address: IpAddr| address == ip("10.0.0.50");
        assert_eq!(interface.source(Family::Ipv4, false, is_virtual), Some(ip("10.0.0.1")));
        assert_eq!(interface.source(Family::Ipv6, false, is_virtual), Some(ip("fe80::1")));
        assert_eq!(interface.source(Family::Ipv6, true, is_virtual), Some(ip("fd00::1")));
    }

    #[test]
    fn an_interface_with_nothing_but_virtual_addresses_has_no_source() {
        let interface = Interface { link: link(2, "eth0"), addresses: vec![address("10.0.0.1/24")] };
        assert_eq!(interface.source(Family::Ipv4, false, |_| true), None);
    }

    #[test]
    fn a_macvlan_is_down_when_its_parent_is_disabled() {
        let mut table = table(&[(2, "eth0", &[])]);
        table.apply(NetworkChange::LinkSet(Link { parent: Some(InterfaceIndex(2)), ..link(3, "vip0") }));
        let is_up = |table: &InterfaceTable| table.find("vip0").is_some_and(|interface| table.is_up(interface));
        assert!(is_up(&table));
        table.apply(NetworkChange::LinkSet(Link { enabled: false, ..link(2, "eth0") }));
        assert!(!is_up(&table));
    }

    #[test]
    fn a_report_that_changes_nothing_is_no_change() {
        let mut table = table(&[(2, "eth0", &["10.0.0.1/24"])]);
        assert!(!table.apply(NetworkChange::LinkSet(link(2, "eth0"))));
        assert!(!table.apply(NetworkChange::AddressSet(InterfaceIndex(2), address("10.0.0.1/24"))));
        assert!(!table.apply(NetworkChange::LinkGone(InterfaceIndex(9))));
        let gone = Placement { interface: InterfaceIndex(2), address: ip("10.0.0.1"), prefix_length: 32 };
        assert!(!table.apply(NetworkChange::AddressGone { placement: gone, port: 0 }), "another prefix length");
    }

    #[test]
    fn a_prefix_length_of_zero_holds_everything_and_a_full_one_only_itself() {
        assert!(address("0.0.0.0/0").is_subnet_of(ip("203.0.113.7")));
        assert!(address("::/0").is_subnet_of(ip("2001:db8::1")));
        assert!(address("10.0.0.1/32").is_subnet_of(ip("10.0.0.1")));
        assert!(!address("10.0.0.1/32").is_subnet_of(ip("10.0.0.2")));
        assert!(!address("fd00::1/128").is_subnet_of(ip("fd00::2")));
    }
}
