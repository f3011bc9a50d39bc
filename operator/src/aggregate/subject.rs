//! An object that gets a status: as it was read last, or not at all.

use std::collections::BTreeMap;

use holdfast_crds::condition::{ConditionReason, ConditionStatus, condition, set_condition};
use holdfast_plan::Verdict;
use jiff::Timestamp;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};

use super::wording::{LONGEST_MESSAGE, shortened};
use crate::world::Unreadable;

/// An object that gets a status.
pub(super) struct Subject<'a, K, S> {
    pub(super) name: &'a str,
    pub(super) uid: Option<&'a str>,
    /// The generation that the status is about.
    pub(super) generation: Option<i64>,
    /// The last version that could be read.
    pub(super) object: Option<&'a K>,
    /// The status before.
    pub(super) before: Option<&'a S>,
    /// Why the newest version cannot be read.
    pub(super) error: Option<&'a str>,
}

/// All objects of a kind, in the order of their names: those that were read, and those that were not.
pub(super) fn subjects<'a, K, S>(
    objects: &'a [K],
    unreadable: &'a BTreeMap<String, Unreadable>,
    unread: &'a BTreeMap<String, S>,
    parts: impl Fn(&'a K) -> (&'a ObjectMeta, Option<&'a S>),
) -> Vec<Subject<'a, K, S>> {
    let read = objects.iter().filter_map(|object| {
        let (metadata, before) = parts(object);
        let name = metadata.name.as_deref()?;
        let subject = Subject {
            name,
            uid: metadata.uid.as_deref(),
            generation: metadata.generation,
            object: Some(object),
            before,
            error: None,
        };
        Some((name, subject))
    });
    let mut subjects: BTreeMap<&str, Subject<'a, K, S>> = read.collect();
    for (name, problem) in unreadable {
        let subject = subjects.entry(name).or_insert_with(|| Subject {
            name,
            uid: None,
            generation: None,
            object: None,
            before: unread.get(name),
            error: None,
        });
        subject.uid = problem.uid.as_deref();
        subject.generation = problem.generation;
        subject.error = Some(&problem.error);
    }
    subjects.into_values().collect()
}

impl<K, S> Subject<'_, K, S> {
    /// Whether it is accepted: what cannot be read is not, whatever the plan says of an earlier version. None if the plan
    /// does not know it.
    pub(super) fn accepted<R: ConditionReason>(
        &self,
        verdict: Option<&Verdict<R>>,
        unreadable: R,
    ) -> Option<(R, String)> {
        let Some(error) = self.error else {
            return verdict.map(|verdict| (verdict.reason, verdict.message.clone()));
        };
        let message = format!(
            "This object cannot be read, so what was in force before stays: {error}. Write it again with the installed \
             version of its definition"
        );
        Some((unreadable, message))
    }
}

/// The conditions of an object: those of the operator that were there, and what is set of them.
pub(super) struct Conditions {
    list: Vec<Condition>,
    generation: Option<i64>,
    now: Timestamp,
}

impl Conditions {
    pub(super) fn new(before: &[Condition], generation: Option<i64>, now: Timestamp) -> Self {
        Self { list: before.to_vec(), generation, now }
    }

    pub(super) fn set<R: ConditionReason>(&mut self, reason: R, message: String) {
        let message = shortened(message, LONGEST_MESSAGE);
        set_condition(&mut self.list, condition(reason, message, self.generation, Time(self.now)));
    }

    /// The conditions of these types only: others are not the operator's.
    pub(super) fn only(mut self, types: &[&str]) -> Vec<Condition> {
        self.list.retain(|condition| types.contains(&condition.type_.as_str()));
        self.list
    }
}

/// Whether a reason says that all is well, for a type of which true is good.
pub(super) fn is_good(reason: impl ConditionReason) -> bool {
    reason.status() == ConditionStatus::True
}
