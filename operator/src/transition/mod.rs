//! What there is to tell when a status changes: Events as values, by nothing but the status before and the status now. Pure.
//!
//! Only changes are told. A status that is written again says nothing, however often, and what holds when an operator starts
//! was told by the one before it.

mod group;
mod health_check;
mod virtual_ip;

use holdfast_crds::condition::{ConditionStatus, ConditionType, find_condition};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::events::Severity;

/// Something that has happened to an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transition {
    /// How bad it is.
    pub severity: Severity,
    /// A word: what has happened.
    pub reason: &'static str,
    /// A word: what was done about it, or by what it was found.
    pub action: &'static str,
    /// Sentences: from where, to where, why. At most about 2,000 characters: a few messages of conditions.
    pub note: String,
}

/// A status whose changes are told.
pub trait HasTransitions {
    /// See [`transitions`].
    fn transitions_to(&self, new: &Self) -> Vec<Transition>;
}

/// What has happened between two statuses of one object. A new object had the default status before.
pub fn transitions<S: HasTransitions>(old: &S, new: &S) -> Vec<Transition> {
    old.transitions_to(new)
}

impl Transition {
    fn normal(reason: &'static str, action: &'static str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Normal, reason, action, note: note.into() }
    }

    fn warning(reason: &'static str, action: &'static str, note: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, reason, action, note: note.into() }
    }
}

/// A reason of a condition by its word.
fn reason_of<R: holdfast_crds::condition::ConditionReason>(conditions: &[Condition], all: &[R]) -> Option<R> {
    let condition = find_condition(conditions, R::TYPE)?;
    all.iter().copied().find(|reason| reason.as_str() == condition.reason)
}

fn message_of(conditions: &[Condition], condition_type: ConditionType) -> &str {
    find_condition(conditions, condition_type).map_or("", |condition| condition.message.as_str())
}

/// What is to be told of the condition `Accepted`.
fn accepted<R: holdfast_crds::condition::ConditionReason + PartialEq>(
    old: &[Condition],
    new: &[Condition],
    all: &[R],
) -> Option<Transition> {
    let now = reason_of(new, all)?;
    if reason_of(old, all) == Some(now) {
        return None;
    }
    let message = message_of(new, ConditionType::Accepted);
    Some(if now.status() == ConditionStatus::True {
        Transition::normal(now.as_str(), "Validate", message)
    } else {
        Transition::warning(now.as_str(), "Validate", message)
    })
}
