//! The objects of one kind as last seen, by name. Pure: it is told what a watch saw.
//!
//! An object that cannot be read any more keeps its last readable version, beside what is wrong with it: nobody loses an
//! address because of a typo that slipped through, or of an object that an older version stored.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::BitOrAssign;

use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};

/// What a change of an object concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Difference {
    /// The plan may come out differently.
    pub plan: bool,
    /// The statuses may come out differently.
    pub status: bool,
}

impl Difference {
    /// Nobody cares.
    pub const NONE: Self = Self { plan: false, status: false };
    /// The statuses, but not the plan.
    pub const STATUS: Self = Self { plan: false, status: true };
    /// Both.
    pub const ALL: Self = Self { plan: true, status: true };
}

impl BitOrAssign for Difference {
    fn bitor_assign(&mut self, other: Self) {
        self.plan |= other.plan;
        self.status |= other.status;
    }
}

/// A kind of objects that is kept.
pub trait Cached: Resource<DynamicType = ()> + Clone {
    /// Removes what nobody reads, so that it takes no memory and its changes go unnoticed.
    fn trim(&mut self);

    /// What the change from an earlier version concerns. Both are trimmed.
    fn difference(&self, earlier: &Self) -> Difference;
}

/// An object that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// What is wrong with it.
    pub error: String,
    /// Which object it is.
    pub uid: Option<String>,
    /// The generation of its spec.
    pub generation: Option<i64>,
    /// The version that cannot be read.
    pub resource_version: Option<String>,
}

/// The objects of one kind.
#[derive(Debug)]
pub struct Store<K> {
    objects: Vec<K>,
    places: BTreeMap<String, usize>,
    unreadable: BTreeMap<String, Unreadable>,
    /// While the objects are listed: those that were met.
    listed: Option<BTreeSet<String>>,
    complete: bool,
}

impl<K> Default for Store<K> {
    fn default() -> Self {
        Self {
            objects: Vec::new(),
            places: BTreeMap::new(),
            unreadable: BTreeMap::new(),
            listed: None,
            complete: false,
        }
    }
}

impl<K: Cached> Store<K> {
    /// Takes note of what the watch saw.
    ///
    /// While a watch lists anew, what is there stays until the list is complete.
    pub fn apply(&mut self, event: Event<DeserializeGuard<K>>) -> Difference {
        match event {
            Event::Init => {
                self.listed = Some(BTreeSet::new());
                Difference::NONE
            }
            Event::InitApply(object) => {
                if let Some(listed) = &mut self.listed {
                    listed.insert(object.name_any());
                }
                self.put(object)
            }
            Event::InitDone => self.end_list(),
            Event::Apply(object) => self.put(object),
            Event::Delete(object) => self.remove(&object.name_any()),
        }
    }

    /// The readable objects, in no particular order.
    pub fn objects(&self) -> &[K] {
        &self.objects
    }

    /// The object of a name: the last version that could be read.
    pub fn get(&self, name: &str) -> Option<&K> {
        self.objects.get(*self.places.get(name)?)
    }

    /// Whether there is an object of that name, readable or not.
    pub fn contains(&self, name: &str) -> bool {
        self.places.contains_key(name) || self.unreadable.contains_key(name)
    }

    /// The objects whose newest version cannot be read, by name. Some have an older version among the [`Self::objects`].
    pub fn unreadable(&self) -> &BTreeMap<String, Unreadable> {
        &self.unreadable
    }

    /// Whether all objects have been listed at least once.
    pub fn is_complete(&self) -> bool {
        self.complete
    }

    fn put(&mut self, object: DeserializeGuard<K>) -> Difference {
        let name = object.name_any();
        match object.0 {
            Ok(mut object) => {
                object.trim();
                let mended = self.unreadable.remove(&name).is_some();
                let mut difference = self.put_readable(name, object);
                if mended {
                    difference |= Difference::ALL;
                }
                difference
            }
            Err(invalid) => {
                let unreadable = Unreadable {
                    error: invalid.error,
                    uid: invalid.metadata.uid,
                    generation: invalid.metadata.generation,
                    resource_version: invalid.metadata.resource_version,
                };
                let earlier = self.unreadable.insert(name, unreadable.clone());
                if earlier.as_ref() == Some(&unreadable) { Difference::NONE } else { Difference::ALL }
            }
        }
    }

    fn put_readable(&mut self, name: String, object: K) -> Difference {
        let place = self.places.get(&name).copied();
        let Some(earlier) = place.and_then(|place| self.objects.get_mut(place)) else {
            self.places.insert(name, self.objects.len());
            self.objects.push(object);
            return Difference::ALL;
        };
        let recreated = earlier.meta().uid != object.meta().uid;
        let difference = if recreated { Difference::ALL } else { object.difference(earlier) };
        *earlier = object;
        difference
    }

    fn remove(&mut self, name: &str) -> Difference {
        let unreadable = self.unreadable.remove(name).is_some();
        let readable = self.places.remove(name).is_some_and(|place| {
            self.objects.swap_remove(place);
            // The last object has taken its place.
            if let Some(moved) = self.objects.get(place) {
                self.places.insert(moved.name_any(), place);
            }
            true
        });
        if unreadable || readable { Difference::ALL } else { Difference::NONE }
    }

    fn end_list(&mut self) -> Difference {
        let listed = self.listed.take().unwrap_or_default();
        let known = self.places.keys().chain(self.unreadable.keys());
        let gone: BTreeSet<String> = known.filter(|name| !listed.contains(*name)).cloned().collect();
        let mut difference = if self.complete { Difference::NONE } else { Difference::ALL };
        for name in gone {
            difference |= self.remove(&name);
        }
        self.complete = true;
        difference
    }
}

#[cfg(test)]
mod tests {
    use holdfast_crds::HealthCheck;
    use serde_json::{Value, json};

    use super::*;

    fn object(name: &str, port: &Value) -> DeserializeGuard<HealthCheck> {
        serde_json::from_value(json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "HealthCheck",
            "metadata": { "name": name, "uid": "1" }, "spec": { "tcp": { "port": port } },
        }))
        .unwrap()
    }

    fn good(name: &str, port: u16) -> DeserializeGuard<HealthCheck> {
        let object = object(name, &json!(port));
        assert!(object.0.is_ok(), "{object:?}");
        object
    }

    fn bad(name: &str) -> DeserializeGuard<HealthCheck> {
        object(name, &json!("eighty"))
    }

    fn listed(objects: impl IntoIterator<Item = DeserializeGuard<HealthCheck>>) -> Store<HealthCheck> {
        let mut store = Store::default();
        relist(&mut store, objects);
        store
    }

    fn relist(store: &mut Store<HealthCheck>, objects: impl IntoIterator<Item = DeserializeGuard<HealthCheck>>) {
        store.apply(Event::Init);
        for object in objects {
            store.apply(Event::InitApply(object));
        }
        store.apply(Event::InitDone);
    }

    fn names(store: &Store<HealthCheck>) -> Vec<String> {
        let mut names: Vec<String> = store.objects().iter().map(ResourceExt::name_any).collect();
        names.sort();
        names
    }

    #[test]
    fn it_is_complete_once_everything_was_listed() {
        let mut store = Store::default();
        store.apply(Event::Init);
        store.apply(Event::InitApply(good("a", 80)));
        assert!(!store.is_complete());
        assert_eq!(store.apply(Event::InitDone), Difference::ALL);
        assert!(store.is_complete());
    }

    #[test]
    fn objects_come_change_and_go() {
        let mut store = listed([good("a", 80), good("b", 80), good("c", 80)]);
        assert_eq!(store.apply(Event::Apply(good("b", 81))), Difference::ALL);
        assert_eq!(store.apply(Event::Apply(good("b", 81))), Difference::NONE);
        assert_eq!(store.apply(Event::Delete(good("a", 80))), Difference::ALL);
        assert_eq!(names(&store), ["b", "c"]);
        for name in ["b", "c"] {
            assert_eq!(store.get(name).unwrap().name_any(), name);
        }
        assert!(store.get("a").is_none());
        assert_eq!(store.apply(Event::Delete(good("a", 80))), Difference::NONE);
    }

    #[test]
    fn what_a_new_list_lacks_is_gone_once_the_list_is_complete() {
        let mut store = listed([good("a", 80), good("b", 80), bad("c")]);
        store.apply(Event::Init);
        store.apply(Event::InitApply(good("b", 80)));
        assert_eq!(names(&store), ["a", "b"]);
        assert_eq!(store.apply(Event::InitDone), Difference::ALL);
        assert_eq!(names(&store), ["b"]);
        assert!(store.unreadable().is_empty());
    }

    #[test]
    fn a_list_that_is_begun_anew_forgets_what_it_met_before() {
        let mut store = listed([good("a", 80)]);
        store.apply(Event::Init);
        store.apply(Event::InitApply(good("a", 80)));
        relist(&mut store, [good("b", 80)]);
        assert_eq!(names(&store), ["b"]);
    }

    #[test]
    fn a_list_that_brings_nothing_new_changes_nothing() {
        let mut store = listed([good("a", 80), bad("b")]);
        store.apply(Event::Init);
        assert_eq!(store.apply(Event::InitApply(good("a", 80))), Difference::NONE);
        assert_eq!(store.apply(Event::InitApply(bad("b"))), Difference::NONE);
        assert_eq!(store.apply(Event::InitDone), Difference::NONE);
    }

    #[test]
    fn an_object_that_cannot_be_read_keeps_its_last_readable_version() {
        let mut store = listed([good("a", 80)]);
        assert_eq!(store.apply(Event::Apply(bad("a"))), Difference::ALL);
        assert_eq!(names(&store), ["a"]);
        assert!(store.unreadable().contains_key("a"));

        assert_eq!(store.apply(Event::Apply(good("a", 80))), Difference::ALL, "the status must lose its complaint");
        assert!(store.unreadable().is_empty());
    }

    #[test]
    fn an_object_that_was_never_readable_is_known_all_the_same() {
        let mut store = listed([bad("a")]);
        assert!(names(&store).is_empty());
        assert!(store.contains("a"));
        store.apply(Event::Delete(bad("a")));
        assert!(!store.contains("a"));
    }
}
