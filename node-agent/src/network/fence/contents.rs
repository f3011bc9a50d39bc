//! What is in the table, and what must change in it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Family;

use super::message::Batch;
use super::ruleset::{Key, Ruleset};
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
    /// For how long an advert keeps a virtual router alive.
    pub(super) routers: BTreeMap<Key, Duration>,
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
            ruleset.add_guard(batch, key);
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
        let new: Vec<_> = new.map(|((interface, address), key)| (*interface, *address, *key)).collect();
        ruleset.add_addresses(batch, &new);
        for (family, timeout) in before.difference(&after) {
            ruleset.remove_class(batch, *family, *timeout);
        }
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
        self.routers.iter().map(|(key, timeout)| (key.family, *timeout)).collect()
    }
}

fn has<K: Ord, V: PartialEq>(all: &BTreeMap<K, V>, (key, value): &(&K, &V)) -> bool {
    all.get(*key) == Some(*value)
}

/// What is in the first, and not the same in the second.
fn missing<K: Ord + Copy, V: PartialEq + Copy>(first: &BTreeMap<K, V>, second: &BTreeMap<K, V>) -> Vec<(K, V)> {
    first.iter().filter(|entry| !has(second, entry)).map(|(key, value)| (*key, *value)).collect()
}
