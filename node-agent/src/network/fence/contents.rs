//! What is in the table, and what must change in it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Family;

use super::message::Batch;
use super::ruleset::{AddressEntry, Key, Ruleset, Times};
use crate::network::interfaces::InterfaceIndex;

/// An address on an interface.
type Place = (InterfaceIndex, IpAddr);

/// What is in the table, beside what is always there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Contents {
    /// Interfaces that are watched, with their names.
    pub(super) interfaces: BTreeMap<InterfaceIndex, String>,
    /// Virtual routers that have, or once had, addresses: there are few, and their chains cost nothing.
    pub(super) known: BTreeSet<Key>,
    /// For how long adverts keep a virtual router alive.
    pub(super) routers: BTreeMap<Key, Times>,
    /// Which virtual router an address belongs to.
    pub(super) addresses: BTreeMap<Place, Key>,
}

impl Contents {
    /// The whole table.
    pub(super) fn write(&self, ruleset: Ruleset<'_>, batch: &mut Batch) {
        ruleset.create(batch);
        Self::default().change_to(self, ruleset, batch);
    }

    /// From these contents to those.
    pub(super) fn change_to(&self, next: &Self, ruleset: Ruleset<'_>, batch: &mut Batch) {
        for (interface, name) in &next.interfaces {
            if !self.interfaces.contains_key(interface) {
                ruleset.add_interface(batch, *interface, name);
            }
        }
        for key in next.known.difference(&self.known) {
            ruleset.add_guard(batch, *key);
        }
        let (before, after) = (self.classes(), next.classes());
        for (family, timeout) in after.difference(&before) {
            ruleset.add_class(batch, *family, *timeout);
        }
        let gone: Vec<Place> =
            self.addresses.iter().filter(|entry| !has(&next.addresses, entry)).map(|(place, _)| *place).collect();
        ruleset.remove_addresses(batch, &gone);
        ruleset.remove_routers(batch, &missing(&self.routers, &next.routers));
        ruleset.add_routers(batch, &missing(&next.routers, &self.routers));
        let new = next.addresses.iter().filter(|entry| !has(&self.addresses, entry));
        let new: Vec<_> = new.map(|(place, key)| next.entry(*place, *key)).collect();
        ruleset.add_addresses(batch, &new);
        for (family, timeout) in before.difference(&after) {
            ruleset.remove_class(batch, *family, *timeout);
        }
    }

    /// Some addresses are to be remembered for another while. The kernel cannot be told so: each is taken out and put back,
    /// at once.
    pub(super) fn renew(&self, ruleset: Ruleset<'_>, places: impl Iterator<Item = Place>, batch: &mut Batch) {
        let known = places.filter_map(|place| self.addresses.get(&place).map(|key| (place, *key)));
        let (places, entries): (Vec<_>, Vec<_>) = known.map(|(place, key)| (place, self.entry(place, key))).unzip();
        ruleset.remove_addresses(batch, &places);
        ruleset.add_addresses(batch, &entries);
    }

    fn entry(&self, (interface, address): Place, key: Key) -> AddressEntry {
        let timeout = self.routers.get(&key).map(Times::longest).unwrap_or_default();
        AddressEntry { interface, address, key, timeout: super::lifetime(timeout) + super::AFTER_LIFETIME }
    }

    /// Virtual routers without an address need nothing.
    pub(super) fn drop_unused_routers(&mut self) {
        let used: BTreeSet<Key> = self.addresses.values().copied().collect();
        self.routers.retain(|key, _| used.contains(key));
    }

    /// Nothing can be attached to what is not there.
    pub(super) fn forget_missing_interfaces(&mut self, is_there: impl Fn(InterfaceIndex, &str) -> bool) {
        self.interfaces.retain(|interface, name| is_there(*interface, name));
        let interfaces = &self.interfaces;
        self.known.retain(|key| interfaces.contains_key(&key.interface));
        self.routers.retain(|key, _| interfaces.contains_key(&key.interface));
        self.addresses.retain(|(interface, _), _| interfaces.contains_key(interface));
    }

    fn classes(&self) -> BTreeSet<(Family, Duration)> {
        let times = self.routers.iter();
        times.flat_map(|(key, times)| [times.advert, times.release].map(|timeout| (key.family, timeout))).collect()
    }
}

fn has<K: Ord, V: PartialEq>(all: &BTreeMap<K, V>, (key, value): &(&K, &V)) -> bool {
    all.get(*key) == Some(*value)
}

/// What is in the first, and not the same in the second.
fn missing<K: Ord + Copy, V: PartialEq + Copy>(first: &BTreeMap<K, V>, second: &BTreeMap<K, V>) -> Vec<(K, V)> {
    first.iter().filter(|entry| !has(second, entry)).map(|(key, value)| (*key, *value)).collect()
}
