//! What the plan says of an object: the reason of its condition `Accepted`, and a message that tells how to mend it.

use holdfast_crds::condition::{AcceptedReason, ConditionReason, ConditionStatus};

/// The verdict on one object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict<R> {
    /// The reason of the condition `Accepted`; it implies the status.
    pub reason: R,
    /// What is wrong, where, and how to mend it.
    pub message: String,
}

/// The verdict on a `VirtualIP`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VirtualIPVerdict {
    /// Whether it is accepted, and why not.
    pub accepted: Verdict<AcceptedReason>,
    /// The virtual router ID, given or allocated; none for a `VirtualIP` that is not accepted.
    pub virtual_router_id: Option<u8>,
}

impl<R: ConditionReason> Verdict<R> {
    /// A verdict with this reason.
    pub fn new(reason: R, message: impl Into<String>) -> Self {
        Self { reason, message: message.into() }
    }

    /// Whether the object is accepted.
    pub fn is_accepted(&self) -> bool {
        self.reason.status() == ConditionStatus::True
    }
}
