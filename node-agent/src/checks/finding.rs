//! What one probe found.

/// How a probe ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Outcome {
    /// As it should be.
    Passed,
    /// Not as it should be; the next probe may see it otherwise.
    Failed,
    /// Not as it should be, and no doubt about it: the kernel itself says so. A lost packet can fail a probe; a process
    /// that has ended does not run.
    FailedForCertain,
    /// A number, and no doubt about it: 0 is as it should be.
    Measured(i32),
}

/// The end of a probe, with what was found in words for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) outcome: Outcome,
    pub(super) message: String,
}

impl Finding {
    pub(super) fn passed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Passed, message: message.into() }
    }

    pub(super) fn failed(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Failed, message: message.into() }
    }

    pub(super) fn failed_for_certain(message: impl Into<String>) -> Self {
        Self { outcome: Outcome::FailedForCertain, message: message.into() }
    }

    pub(super) fn measured(number: i32, message: impl Into<String>) -> Self {
        Self { outcome: Outcome::Measured(number), message: message.into() }
    }

    pub(super) fn has_passed(&self) -> bool {
        matches!(self.outcome, Outcome::Passed | Outcome::Measured(0))
    }
}
