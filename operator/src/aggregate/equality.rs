//! Whether a status says anything new.

use holdfast_crds::{HealthCheckResult, HealthCheckStatus, VirtualIPGroupStatus, VirtualIPNodeStatus, VirtualIPStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};

/// A status that the operator writes.
pub trait OwnStatus {
    /// See [`equal_but_for_timestamps`].
    fn says_the_same(&self, other: &Self) -> bool;
}

/// Whether two statuses are the same, but for when conditions changed and for what the operator does not write.
///
/// Since when a node is in its state is something that people read, so it counts, in whole seconds as the API has it.
pub fn equal_but_for_timestamps<S: OwnStatus>(old: &S, new: &S) -> bool {
    old.says_the_same(new)
}

impl OwnStatus for VirtualIPStatus {
    fn says_the_same(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.virtual_router_id == other.virtual_router_id
            && self.transitions == other.transitions
            && self.summary == other.summary
            && same_items(&self.conditions, &other.conditions, |condition| &condition.type_, same_condition)
            && same_items(&self.nodes, &other.nodes, |node| &node.name, same_node)
    }
}

impl OwnStatus for HealthCheckStatus {
    fn says_the_same(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.summary == other.summary
            && same_items(&self.conditions, &other.conditions, |condition| &condition.type_, same_condition)
            && same_items(&self.nodes, &other.nodes, |node| &node.name, same_result)
    }
}

impl OwnStatus for VirtualIPGroupStatus {
    fn says_the_same(&self, other: &Self) -> bool {
        self.observed_generation == other.observed_generation
            && self.master == other.master
            && self.summary == other.summary
            && same_items(&self.conditions, &other.conditions, |condition| &condition.type_, same_condition)
    }
}

/// The lists are maps: their order has no meaning.
fn same_items<T>(one: &[T], other: &[T], key: impl Fn(&T) -> &String, same: impl Fn(&T, &T) -> bool) -> bool {
    if one.len() != other.len() {
        return false;
    }
    if one.iter().zip(other).all(|(one, other)| same(one, other)) {
        return true;
    }
    let sorted = |items: &[T]| {
        let mut places: Vec<usize> = (0..items.len()).collect();
        places.sort_by_key(|place| items.get(*place).map(|item| key(item).clone()));
        places
    };
    let pairs = sorted(one).into_iter().zip(sorted(other));
    let mut pairs = pairs.map(|(left, right)| one.get(left).zip(other.get(right)));
    pairs.all(|pair| pair.is_some_and(|(one, other)| same(one, other)))
}

fn same_condition(one: &Condition, other: &Condition) -> bool {
    one.type_ == other.type_
        && one.status == other.status
        && one.reason == other.reason
        && one.message == other.message
        && one.observed_generation == other.observed_generation
}

fn same_node(one: &VirtualIPNodeStatus, other: &VirtualIPNodeStatus) -> bool {
    one.name == other.name
        && one.state == other.state
        && one.priority == other.priority
        && one.interface == other.interface
        && one.reason == other.reason
        && same_second(one.since.as_ref(), other.since.as_ref())
}

fn same_result(one: &HealthCheckResult, other: &HealthCheckResult) -> bool {
    one.name == other.name
        && one.passing == other.passing
        && one.message == other.message
        && same_second(one.since.as_ref(), other.since.as_ref())
}

fn same_second(one: Option<&Time>, other: Option<&Time>) -> bool {
    one.map(|time| time.0.as_second()) == other.map(|time| time.0.as_second())
}
