//! What can go wrong with a request, in the few kinds that make a difference (pure).

use std::error::Error;
use std::fmt;
use std::time::Duration;

use kube::core::Status;

/// A request that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// What was said, for people.
    pub message: String,
}

/// The kinds of failures. Few, because they are labels of metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FailureKind {
    /// There is no connection.
    Unreachable,
    /// There is no answer in time.
    Timeout,
    /// 401: the token is not valid, or not any more.
    Unauthorized,
    /// 403: the rules of the cluster forbid it.
    Forbidden,
    /// 404: the object, or its kind, does not exist.
    NotFound,
    /// 409: somebody else has changed the object meanwhile.
    Conflict,
    /// 410: what is asked for is too old.
    Gone,
    /// 429: too many requests.
    Throttled,
    /// 5xx: the server has a problem of its own.
    Server,
    /// Another answer that says no, such as 422.
    Refused,
    /// An answer that makes no sense.
    Garbled,
}

impl FailureKind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::Unreachable,
        Self::Timeout,
        Self::Unauthorized,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Gone,
        Self::Throttled,
        Self::Server,
        Self::Refused,
        Self::Garbled,
    ];

    /// The word in metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreachable => "Unreachable",
            Self::Timeout => "Timeout",
            Self::Unauthorized => "Unauthorized",
            Self::Forbidden => "Forbidden",
            Self::NotFound => "NotFound",
            Self::Conflict => "Conflict",
            Self::Gone => "Gone",
            Self::Throttled => "Throttled",
            Self::Server => "Server",
            Self::Refused => "Refused",
            Self::Garbled => "Garbled",
        }
    }

    /// Whether the API server can do nothing for anybody now: the outage that the agent must outlive.
    pub const fn is_outage(self) -> bool {
        matches!(self, Self::Unreachable | Self::Timeout | Self::Server)
    }

    /// Whether it will not pass by itself: somebody has to mend the installation.
    pub const fn needs_mending(self) -> bool {
        matches!(self, Self::Unauthorized | Self::Forbidden | Self::Refused | Self::Garbled)
    }

    /// The longest wait before another attempt. A server that is down is asked often, so that the status is true soon
    /// after it is back; one that says no, or has too much to do, seldom.
    pub const fn longest_wait(self) -> Duration {
        match self {
            Self::Unreachable | Self::Timeout | Self::Gone => Duration::from_secs(2),
            // An API server that starts says these for a moment.
            Self::NotFound | Self::Conflict | Self::Unauthorized | Self::Forbidden | Self::Server => {
                Duration::from_secs(5)
            }
            Self::Throttled | Self::Refused | Self::Garbled => Duration::from_secs(30),
        }
    }

    const fn of_code(code: u16) -> Self {
        match code {
            401 => Self::Unauthorized,
            403 => Self::Forbidden,
            404 => Self::NotFound,
            409 => Self::Conflict,
            410 => Self::Gone,
            429 => Self::Throttled,
            500.. => Self::Server,
            _ => Self::Refused,
        }
    }
}

impl Failure {
    /// There was no answer within `limit`.
    pub fn timeout(limit: Duration) -> Self {
        Self { kind: FailureKind::Timeout, message: format!("no answer within {limit:?}") }
    }

    /// What the server has answered.
    pub fn of_status(status: &Status) -> Self {
        let message =
            if status.message.is_empty() { format!("status {}", status.code) } else { status.message.clone() };
        Self { kind: FailureKind::of_code(status.code), message }
    }
}

impl From<kube::Error> for Failure {
    fn from(error: kube::Error) -> Self {
        match &error {
            kube::Error::Api(status) => Self::of_status(status),
            kube::Error::SerdeError(_)
            | kube::Error::FromUtf8(_)
            | kube::Error::LinesCodecMaxLineLengthExceeded
            | kube::Error::BuildRequest(_)
            | kube::Error::HttpError(_) => Self { kind: FailureKind::Garbled, message: error.to_string() },
            // A connection that fails, breaks or cannot be made; the innermost cause says it best.
            _ => Self { kind: FailureKind::Unreachable, message: innermost(&error) },
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

fn innermost(error: &kube::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(code: u16) -> Failure {
        let status = Status { code, message: "no".to_owned(), ..Status::default() };
        kube::Error::Api(Box::new(status)).into()
    }

    #[test]
    fn answers_of_the_server_are_told_apart_by_their_code() {
        use FailureKind::*;
        let cases = [
            (400, Refused),
            (401, Unauthorized),
            (403, Forbidden),
            (404, NotFound),
            (409, Conflict),
            (410, Gone),
            (422, Refused),
            (429, Throttled),
            (500, Server),
            (503, Server),
        ];
        for (code, kind) in cases {
            assert_eq!(answered(code), Failure { kind, message: "no".to_owned() }, "{code}");
        }
    }

    #[test]
    fn a_connection_that_fails_is_an_outage_and_says_why() {
        let refused = std::io::Error::from(std::io::ErrorKind::ConnectionRefused);
        let failure = Failure::from(kube::Error::Service(Box::new(refused)));
        assert_eq!(failure.kind, FailureKind::Unreachable);
        assert_eq!(failure.to_string(), "connection refused");
    }

    #[test]
    fn an_outage_passes_by_itself() {
        for kind in FailureKind::ALL {
            assert!(!(kind.is_outage() && kind.needs_mending()), "{kind:?}");
        }
    }
}
