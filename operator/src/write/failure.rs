//! What a failed write means for the next attempt. Pure.

use std::time::Duration;

use crate::backoff;

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Failure {
    /// The object is gone, or its kind: what is seen next decides.
    Gone,
    /// It has changed meanwhile: what is seen next decides.
    Conflict,
    /// The API server says that this must not be written. The same will not be accepted soon.
    Refused,
    /// The API server has too much to do, or an error of its own.
    Overloaded,
    /// The API server does not answer.
    Unreachable,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Forget it: if it still should be written, that will show.
    Forget,
    /// Try again after so long.
    Retry(Duration),
}

/// What the API server says, as an error of its own, of a field that its definitions do not have.
const OLDER_DEFINITIONS: &str = "field not declared in schema";

/// Between attempts to write what was refused: somebody may mend permissions or policies.
const REFUSED: Duration = Duration::from_secs(30);

impl Failure {
    /// What an error is about.
    pub fn of(error: &kube::Error) -> Self {
        let kube::Error::Api(status) = error else { return Self::Unreachable };
        if status.message.contains(OLDER_DEFINITIONS) {
            return Self::Refused;
        }
        match status.code {
            404 | 410 => Self::Gone,
            409 => Self::Conflict,
            429 | 500..=599 => Self::Overloaded,
            _ => Self::Refused,
        }
    }

    /// What to do after so many failures in a row.
    pub fn next(self, failures: u32, chance: f64) -> Next {
        match self {
            Self::Gone | Self::Conflict => Next::Forget,
            Self::Refused => Next::Retry(REFUSED),
            Self::Overloaded | Self::Unreachable => Next::Retry(backoff::wait(failures, chance)),
        }
    }

    /// The word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Gone => "gone",
            Self::Conflict => "conflict",
            Self::Refused => "refused",
            Self::Overloaded => "overloaded",
            Self::Unreachable => "unreachable",
        }
    }
}

#[cfg(test)]
mod tests {
    use kube::core::Status;

    use super::*;

    #[test]
    fn the_answer_tells_what_to_do() {
        for (code, failure) in [
            (400, Failure::Refused),
            (403, Failure::Refused),
            (404, Failure::Gone),
            (409, Failure::Conflict),
            (410, Failure::Gone),
            (422, Failure::Refused),
            (429, Failure::Overloaded),
            (500, Failure::Overloaded),
            (504, Failure::Overloaded),
        ] {
            let error = kube::Error::Api(Status { code, ..Status::default() }.boxed());
            assert_eq!(Failure::of(&error), failure, "{code}");
        }
        let message = format!("failed to create typed patch object: .spec.new: {OLDER_DEFINITIONS}");
        let older = kube::Error::Api(Status { code: 500, message, ..Status::default() }.boxed());
        assert_eq!(Failure::of(&older), Failure::Refused, "no attempt mends that");
        let unreachable = kube::Error::ReadEvents(std::io::ErrorKind::TimedOut.into());
        assert_eq!(Failure::of(&unreachable), Failure::Unreachable);
    }

    #[test]
    fn what_changed_meanwhile_is_decided_anew_and_the_rest_is_tried_again() {
        assert_eq!(Failure::Gone.next(1, 1.0), Next::Forget);
        assert_eq!(Failure::Conflict.next(1, 1.0), Next::Forget);
        assert_eq!(Failure::Refused.next(1, 1.0), Next::Retry(REFUSED));
        for failure in [Failure::Overloaded, Failure::Unreachable] {
            assert_eq!(failure.next(1, 1.0), Next::Retry(Duration::from_millis(200)));
            assert_eq!(failure.next(9, 1.0), Next::Retry(backoff::LONGEST));
        }
    }
}
