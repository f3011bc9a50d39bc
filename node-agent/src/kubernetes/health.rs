//! How the agent gets on with the API server: counted, told once on losing and once on regaining it (pure).

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde::{Deserialize, Serialize};

use super::failure::{Failure, FailureKind};

/// What the agent asks of the API server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Operation {
    /// A token of this node's ServiceAccount.
    Token,
    /// Its NodeConfig: list and watch.
    Read,
    /// To write the status of its NodeConfig.
    Status,
    /// To write the master of a VirtualIP.
    Claim,
    /// To renew its Lease.
    Heartbeat,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 5] = [Self::Token, Self::Read, Self::Status, Self::Claim, Self::Heartbeat];

    /// The word in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::Read => "read",
            Self::Status => "status",
            Self::Claim => "claim",
            Self::Heartbeat => "heartbeat",
        }
    }

    /// What cannot be done while it fails, for people.
    const fn purpose(self) -> &'static str {
        match self {
            Self::Token => "cannot get the token to read the NodeConfig with",
            Self::Read => "cannot read the NodeConfig",
            Self::Status => "cannot write the status of the NodeConfig",
            Self::Claim => "cannot write the master of a VirtualIP",
            Self::Heartbeat => "cannot renew the Lease",
        }
    }
}

/// A change that people want to read about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// The API server cannot be reached any more, for this reason.
    Lost(String),
    /// It can be again, after this time.
    Regained(Duration),
    /// Something is refused that will not mend itself.
    Refused(String),
    /// It is not refused any more.
    Mended(String),
}

/// What is known of the API server.
#[derive(Clone, Debug)]
pub(super) struct Health {
    reach: Reach,
    last_success: Option<(Instant, SystemTime)>,
    refused: BTreeMap<Operation, String>,
    succeeded: BTreeMap<Operation, u64>,
    failed: BTreeMap<(Operation, FailureKind), u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nobody has been asked yet.
    Unknown,
    Reached,
    LostSince(Instant),
}

/// What `/debug/state` and the metrics show.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ApiSnapshot {
    /// Whether the last request was answered; none before the first.
    pub reachable: Option<bool>,
    /// When a request was answered last: seconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_success: Option<u64>,
    /// What the API server refuses, for people.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<String>,
    /// How many requests there were: by operation, then by result, which is `ok` or the kind of failure.
    pub requests: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            reach: Reach::Unknown,
            last_success: None,
            refused: BTreeMap::new(),
            succeeded: BTreeMap::new(),
            failed: BTreeMap::new(),
        }
    }
}

impl Health {
    /// A request was answered as it should be.
    pub(super) fn succeed(&mut self, operation: Operation, now: Instant, clock: SystemTime) -> Vec<News> {
        *self.succeeded.entry(operation).or_default() += 1;
        let mut news = self.reached(now, clock);
        news.extend(self.refused.remove(&operation).map(News::Mended));
        news
    }

    /// A request that was sent at `sent` has failed.
    pub(super) fn fail(
        &mut self,
        operation: Operation,
        failure: &Failure,
        sent: Instant,
        now: Instant,
        clock: SystemTime,
    ) -> Vec<News> {
        *self.failed.entry((operation, failure.kind)).or_default() += 1;
        if failure.kind.is_outage() {
            return self.unreached(failure, sent, now);
        }
        let mut news = self.reached(now, clock);
        if failure.kind.needs_mending() {
            let message = format!("{}: {failure}", operation.purpose());
            if self.refused.get(&operation) != Some(&message) {
                self.refused.insert(operation, message.clone());
                news.push(News::Refused(message));
            }
        }
        news
    }

    /// One request may break while others succeed: nothing is lost as long as any was answered since it was sent.
    fn unreached(&mut self, failure: &Failure, sent: Instant, now: Instant) -> Vec<News> {
        let answered_since = self.last_success.is_some_and(|(at, _)| at > sent);
        if answered_since || matches!(self.reach, Reach::LostSince(_)) {
            return Vec::new();
        }
        self.reach = Reach::LostSince(now);
        vec![News::Lost(failure.to_string())]
    }

    fn reached(&mut self, now: Instant, clock: SystemTime) -> Vec<News> {
        self.last_success = Some((now, clock));
        match std::mem::replace(&mut self.reach, Reach::Reached) {
            Reach::LostSince(lost) => vec![News::Regained(now.saturating_duration_since(lost))],
            Reach::Unknown | Reach::Reached => Vec::new(),
        }
    }

    /// Whether the API server cannot be reached.
    pub(super) fn is_lost(&self) -> bool {
        matches!(self.reach, Reach::LostSince(_))
    }

    /// What the API server refuses, for people; empty when all is well.
    pub(super) fn refused(&self) -> Vec<String> {
        self.refused.values().cloned().collect()
    }

    /// Everything, for people and metrics.
    pub(super) fn snapshot(&self) -> ApiSnapshot {
        let mut requests: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
        let mut note = |operation: Operation, result: &str, count: u64| {
            requests.entry(operation.as_str().to_owned()).or_default().insert(result.to_owned(), count);
        };
        self.succeeded.iter().for_each(|(operation, count)| note(*operation, "ok", *count));
        self.failed.iter().for_each(|((operation, kind), count)| note(*operation, kind.as_str(), *count));
        let seconds = |clock: SystemTime| clock.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
        ApiSnapshot {
            reachable: match self.reach {
                Reach::Unknown => None,
                Reach::Reached => Some(true),
                Reach::LostSince(_) => Some(false),
            },
            last_success: self.last_success.map(|(_, clock)| seconds(clock)),
            refused: self.refused(),
            requests,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        health: Health,
        start: Instant,
    }

    impl Scene {
        fn new() -> Self {
            Self { health: Health::default(), start: Instant::now() }
        }

        fn at(&self, second: u64) -> Instant {
            self.start + Duration::from_secs(second)
        }

        fn succeed(&mut self, operation: Operation, second: u64) -> Vec<News> {
            let now = self.at(second);
            self.health.succeed(operation, now, SystemTime::UNIX_EPOCH + Duration::from_secs(second))
        }

        fn fail(&mut self, operation: Operation, kind: FailureKind, sent: u64, second: u64) -> Vec<News> {
            let (sent, now) = (self.at(sent), self.at(second));
            let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            self.health.fail(operation, &Failure { kind, message: "no".to_owned() }, sent, now, clock)
        }
    }

    use FailureKind::{Conflict, Forbidden, Timeout, Unreachable};
    use Operation::{Claim, Heartbeat, Read, Status};

    #[test]
    fn losing_and_regaining_the_api_server_is_told_once_each() {
        let mut scene = Scene::new();
        assert_eq!(scene.succeed(Heartbeat, 1), []);
        assert_eq!(scene.fail(Heartbeat, Unreachable, 6, 6), [News::Lost("no".to_owned())]);
        assert_eq!(scene.fail(Read, Timeout, 6, 7), []);
        assert_eq!(scene.fail(Heartbeat, Unreachable, 8, 8), []);
        assert_eq!(scene.succeed(Heartbeat, 36), [News::Regained(Duration::from_secs(30))]);
        assert_eq!(scene.succeed(Read, 36), []);
    }

    #[test]
    fn a_request_that_breaks_while_others_are_answered_is_no_outage() {
        let mut scene = Scene::new();
        scene.succeed(Heartbeat, 5);
        assert_eq!(scene.fail(Read, Unreachable, 1, 6), [], "it was sent before the last answer");
        assert_eq!(scene.health.snapshot().reachable, Some(true));
    }

    #[test]
    fn an_answer_that_says_no_is_an_answer() {
        let mut scene = Scene::new();
        scene.fail(Heartbeat, Unreachable, 1, 1);
        assert_eq!(scene.fail(Claim, Conflict, 2, 2), [News::Regained(Duration::from_secs(1))]);
        assert!(scene.health.refused().is_empty(), "it comes right by itself");
    }

    #[test]
    fn what_somebody_has_to_mend_is_told_until_it_is_mended() {
        let mut scene = Scene::new();
        let message = "cannot write the status of the NodeConfig: no".to_owned();
        assert_eq!(scene.fail(Status, Forbidden, 1, 1), [News::Refused(message.clone())]);
        assert_eq!(scene.fail(Status, Forbidden, 2, 2), [], "once");
        assert_eq!(scene.succeed(Heartbeat, 3), [], "another operation proves nothing");
        assert_eq!(scene.health.refused(), std::slice::from_ref(&message));
        assert_eq!(scene.succeed(Status, 4), [News::Mended(message)]);
        assert!(scene.health.refused().is_empty());
    }

    #[test]
    fn requests_are_counted_by_operation_and_result() {
        let mut scene = Scene::new();
        scene.succeed(Heartbeat, 1);
        scene.succeed(Heartbeat, 6);
        scene.fail(Heartbeat, Timeout, 11, 15);
        let snapshot = scene.health.snapshot();
        let expected = BTreeMap::from([("Timeout".to_owned(), 1), ("ok".to_owned(), 2)]);
        assert_eq!(snapshot.requests, BTreeMap::from([("heartbeat".to_owned(), expected)]));
        assert_eq!((snapshot.reachable, snapshot.last_success), (Some(false), Some(6)));
    }
}
