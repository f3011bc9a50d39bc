//! What is in the table, and what must change in it. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use holdfast_vrrp::Family;

use super::message::Batch;
use super::ruleset::{AddressEntry, Key, RULES_OF_A_CLASS, RULES_OF_A_GUARD, RULES_OF_AN_INTERFACE, Ruleset, Times};
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
    /// When the kernel forgets an address that is not renewed: one that nobody holds, but that could not be removed.
    forgotten: BTreeMap<Place, Instant>,
}

/// The kernel may take its time, but has certainly forgotten an address by then.
const FORGETTING: Duration = Duration::from_secs(1);

impl Contents {
    /// The whole table. `rest` says for how long a virtual router is alive without another advert.
    pub(super) fn write(&self, ruleset: Ruleset<'_>, rest: impl Fn(Key, Times) -> Option<Duration>, batch: &mut Batch) {
        ruleset.create(batch);
        Self::default().change_to(self, ruleset, rest, batch);
    }

    /// From these contents to those.
    pub(super) fn change_to(
        &self,
        next: &Self,
        ruleset: Ruleset<'_>,
        rest: impl Fn(Key, Times) -> Option<Duration>,
        batch: &mut Batch,
    ) {
        for (interface, _) in missing(&self.interfaces, &next.interfaces) {
            ruleset.remove_interface(batch, interface);
        }
        for (interface, name) in missing(&next.interfaces, &self.interfaces) {
            ruleset.add_interface(batch, interface, &name);
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
        ruleset.set_rests(batch, &self.rests_of(next, rest));
        let new = next.addresses.iter().filter(|entry| !has(&self.addresses, entry));
        let new: Vec<_> = new.map(|(place, key)| next.entry(*place, *key)).collect();
        ruleset.add_addresses(batch, &new);
        for (family, timeout) in before.difference(&after) {
            ruleset.remove_class(batch, *family, *timeout);
        }
        for key in self.known.difference(&next.known) {
            ruleset.remove_guard(batch, *key);
        }
    }

    /// What the last adverts are worth from now on. Where adverts are to count for less, only later ones do: those that keep
    /// the promise of the last one may be on their way yet.
    fn rests_of(&self, next: &Self, rest: impl Fn(Key, Times) -> Option<Duration>) -> Vec<(Key, Option<Duration>)> {
        let counts_for_more = |key: &Key, times: &Times| {
            self.routers.get(key).is_none_or(|before| before.advert < times.advert || before.release < times.release)
        };
        let changed = next.routers.iter().filter(|(key, times)| counts_for_more(key, times));
        changed.map(|(key, times)| (*key, rest(*key, *times))).collect()
    }

    /// How many rules the table has.
    pub(super) fn rules(&self) -> usize {
        self.interfaces.len() * RULES_OF_AN_INTERFACE
            + self.known.len() * RULES_OF_A_GUARD
            + self.classes().len() * RULES_OF_A_CLASS
    }

    /// An address belongs to a virtual router.
    pub(super) fn add(&mut self, place: Place, key: Key, times: Times, now: Instant) {
        self.known.insert(key);
        self.routers.insert(key, times);
        if self.addresses.insert(place, key) != Some(key) {
            self.remember(place, key, now);
        }
    }

    pub(super) fn remove(&mut self, place: &Place) {
        self.addresses.remove(place);
        self.forgotten.remove(place);
    }

    /// Some addresses are to be remembered for another while. The kernel cannot be told so: each is taken out and put back,
    /// at once.
    pub(super) fn renew(
        &mut self,
        ruleset: Ruleset<'_>,
        places: impl Iterator<Item = Place>,
        now: Instant,
        batch: &mut Batch,
    ) {
        let known: Vec<_> =
            places.filter_map(|place| self.addresses.get(&place).map(|key| self.entry(place, *key))).collect();
        for AddressEntry { interface, address, key, .. } in &known {
            self.remember((*interface, *address), *key, now);
        }
        let places: Vec<_> = known.iter().map(|entry| (entry.interface, entry.address)).collect();
        ruleset.remove_addresses(batch, &places);
        ruleset.add_addresses(batch, &known);
    }

    /// Everything has been written anew.
    pub(super) fn remember_all(&mut self, now: Instant) {
        for (place, key) in self.addresses.clone() {
            self.remember(place, key, now);
        }
    }

    fn remember(&mut self, place: Place, key: Key, now: Instant) {
        let timeout = self.entry(place, key).timeout;
        self.forgotten.insert(place, now + timeout);
    }

    /// Forgets what the kernel has forgotten.
    pub(super) fn expire(&mut self, now: Instant) {
        self.forgotten.retain(|_, forgotten| now < *forgotten + FORGETTING);
        let remembered = &self.forgotten;
        self.addresses.retain(|place, _| remembered.contains_key(place));
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

    /// Brings the names of interfaces up to date, and forgets those that are gone with all that was on them: nothing can be
    /// attached to what is not there. Returns whether there was anything to be done.
    pub(super) fn follow_interfaces(&mut self, name: impl Fn(InterfaceIndex) -> Option<String>) -> bool {
        let present: BTreeMap<_, _> =
            self.interfaces.keys().filter_map(|interface| Some((*interface, name(*interface)?))).collect();
        let changed = present != self.interfaces;
        self.interfaces = present;
        self.forget_what_is_nowhere();
        changed
    }

    /// An interface is gone.
    pub(super) fn forget_interface(&mut self, interface: InterfaceIndex) {
        self.interfaces.remove(&interface);
        self.forget_what_is_nowhere();
    }

    fn forget_what_is_nowhere(&mut self) {
        let interfaces = &self.interfaces;
        self.known.retain(|key| interfaces.contains_key(&key.interface));
        self.routers.retain(|key, _| interfaces.contains_key(&key.interface));
        self.addresses.retain(|(interface, _), _| interfaces.contains_key(interface));
        self.forgotten.retain(|(interface, _), _| interfaces.contains_key(interface));
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
fn missing<K: Ord + Copy, V: PartialEq + Clone>(first: &BTreeMap<K, V>, second: &BTreeMap<K, V>) -> Vec<(K, V)> {
    first.iter().filter(|entry| !has(second, entry)).map(|(key, value)| (*key, value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::fence::{AFTER_LIFETIME, BROOM};

    const fn milliseconds(advert: u64, release: u64) -> Times {
        Times { advert: Duration::from_millis(advert), release: Duration::from_millis(release) }
    }

    fn key(interface: u32, virtual_router_id: u8) -> Key {
        Key { interface: InterfaceIndex::new(interface), family: Family::Ipv4, virtual_router_id }
    }

    /// `eth0` and `eth1` (2 and 3) with a virtual router and an address each.
    fn contents() -> Contents {
        contents_since(Instant::now())
    }

    fn contents_since(begun: Instant) -> Contents {
        let mut contents = Contents::default();
        for (interface, name) in [(2, "eth0"), (3, "eth1")] {
            let key = key(interface, 51);
            contents.interfaces.insert(key.interface, name.to_owned());
            contents.add((key.interface, [10, 0, 0, 100].into()), key, milliseconds(440, 500), begun);
        }
        contents
    }

    #[test]
    fn what_is_not_renewed_is_forgotten_when_the_kernel_has_forgotten_it() {
        let begun = Instant::now();
        let mut contents = contents_since(begun);
        let timeout = BROOM + AFTER_LIFETIME;
        let [held, other] = [2, 3].map(|index| (InterfaceIndex::new(index), [10, 0, 0, 100].into()));
        contents.renew(Ruleset { table: "t" }, [held].into_iter(), begun + BROOM, &mut Batch::new());
        contents.add(other, key(3, 51), milliseconds(440, 500), begun + BROOM);
        contents.expire(begun + timeout);
        assert_eq!(contents.addresses.len(), 2);
        contents.expire(begun + timeout + FORGETTING);
        assert_eq!(contents.addresses.keys().collect::<Vec<_>>(), [&held]);
        contents.expire(begun + BROOM + timeout + FORGETTING);
        assert!(contents.addresses.is_empty());
    }

    #[test]
    fn an_interface_that_is_gone_takes_along_what_was_on_it_and_nothing_else() {
        let begun = Instant::now();
        let mut followed = contents_since(begun);
        let changed = followed.follow_interfaces(|index| (index.get() == 3).then(|| "eth1".to_owned()));
        assert!(changed);
        let mut forgotten = contents_since(begun);
        forgotten.forget_interface(InterfaceIndex::new(2));
        assert_eq!(followed, forgotten);
        assert_eq!(followed.addresses.values().collect::<Vec<_>>(), [&key(3, 51)]);
        assert_eq!((followed.known.len(), followed.routers.len()), (1, 1));
    }

    #[test]
    fn a_renamed_interface_keeps_what_is_on_it() {
        let mut contents = contents();
        let name = |index: InterfaceIndex| Some(if index.get() == 2 { "uplink" } else { "eth1" }.to_owned());
        assert!(contents.follow_interfaces(name));
        assert!(!contents.follow_interfaces(name), "that is known by now");
        assert_eq!(contents.addresses.len(), 2);
        assert_eq!(contents.interfaces.get(&InterfaceIndex::new(2)).map(String::as_str), Some("uplink"));
    }

    #[test]
    fn only_what_counts_for_more_than_before_is_set_anew() {
        let before = contents();
        let rests = |times| {
            let mut after = contents();
            after.routers.insert(key(2, 51), times);
            let rests = before.rests_of(&after, |_, times: Times| Some(times.advert));
            rests.first().map(|(key, rest)| (key.interface.get(), *rest))
        };
        assert_eq!(rests(milliseconds(440, 500)), None);
        assert_eq!(rests(milliseconds(4_040, 5_000)), Some((2, Some(Duration::from_millis(4_040)))));
        assert_eq!(rests(milliseconds(250, 500)), None, "the next advert may be due only in the old interval");
        let all = Contents::default().rests_of(&before, |_, _: Times| None);
        assert_eq!(all, [(key(2, 51), None), (key(3, 51), None)]);
    }
}
