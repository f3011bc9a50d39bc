//! The watch of this node's NodeConfig: and of no other object, which RBAC would forbid.
//!
//! It outlives everything: connections that break, answers that never come, a history that is too old (410), tokens that
//! end, a kind that does not exist. Whatever it was, it looks anew, soon after a break and ever more seldom later.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::{Stream, StreamExt};
use kube::Api;
use kube::api::{ListParams, WatchEvent, WatchParams};
use kube::core::ObjectMeta;
use tokio::sync::mpsc::Sender;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::debug;

use super::access::{Access, REQUEST_LIMIT, Reader};
use super::backoff::Backoff;
use super::connection::Connection;
use super::failure::{Failure, FailureKind};
use super::health::Operation;
use super::seen::{Guarded, Seen};

/// After it the API server ends a watch, and a new one continues where it ended.
const WATCH_SECONDS: u32 = 290;

/// A watch that has said nothing for so long may be dead without knowing: a new one continues where it was. The API
/// server sends a bookmark about once a minute.
const SILENCE_LIMIT: Duration = Duration::from_secs(90);

/// Between two watches, should the API server end each at once.
const BREATHER: Duration = Duration::from_millis(100);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Watches the NodeConfig of one node.
#[derive(Clone)]
pub(super) struct Watcher {
    /// The name of the node, which is that of the NodeConfig.
    pub(super) node: String,
    /// Where the clients come from.
    pub(super) access: Arc<Access>,
    /// How the requests do.
    pub(super) connection: Arc<Connection>,
    /// Where what is seen goes.
    pub(super) seen: Sender<Seen>,
    /// A wish to look anew.
    pub(super) look: Arc<Notify>,
}

/// Why nothing is seen.
enum Blind {
    /// A request has failed.
    Failed(Failure),
    /// There is no account to read with.
    NoAccount(Failure),
}

impl From<Failure> for Blind {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Why a watch has ended.
enum Ended {
    /// It continues from this version.
    At(String),
    /// There is reason to list anew.
    LookAnew,
    /// The token is to be replaced.
    TokenDue,
    /// The NodeConfig was deleted, perhaps with its Node: a new token tells, which only a Node that there is gets.
    Deleted,
    /// Nobody listens any more.
    Unheard,
}

impl Watcher {
    /// Watches until nobody listens any more.
    pub(super) async fn run(self) {
        let (mut reader, mut backoff) = (None, Backoff::new(LONGEST_WAIT));
        while !self.seen.is_closed() {
            let (failure, seen): (_, fn(Failure) -> Seen) = match self.look_and_watch(&mut reader, &mut backoff).await {
                Ok(Ended::Deleted) => {
                    reader = None;
                    continue;
                }
                Ok(_) => continue,
                Err(Blind::Failed(failure)) => (failure, Seen::Failed),
                Err(Blind::NoAccount(failure)) => (failure, Seen::Dismissed),
            };
            debug!(error = %failure, kind = failure.kind.as_str(), "the watch of the NodeConfig has failed");
            if failure.kind == FailureKind::Unauthorized {
                reader = None;
            }
            let wait = backoff.next(failure.kind.longest_wait());
            let _ = self.seen.send(seen(failure)).await;
            sleep(wait).await;
        }
    }

    /// Looks once, and follows from there until something breaks, or there is reason to look anew.
    async fn look_and_watch(&self, reader: &mut Option<Reader>, backoff: &mut Backoff) -> Result<Ended, Blind> {
        let Reader { client, renew_at } = match reader {
            Some(reader) if reader.renew_at.is_none_or(|due| Instant::now() < due) => reader,
            _ => reader.insert(self.access.reader(&self.connection).await.map_err(|failure| match failure.kind {
                FailureKind::NotFound => Blind::NoAccount(failure),
                _ => Blind::Failed(failure),
            })?),
        };
        let api: Api<Guarded> = Api::all(client.clone());
        let fields = format!("metadata.name={}", self.node);
        let parameters = ListParams::default().fields(&fields);
        let listed = self.connection.ask(Operation::Read, REQUEST_LIMIT, api.list(&parameters)).await?;
        backoff.reset();
        let mut regained = self.connection.regained();
        let seen = listed.items.into_iter().next().map_or(Seen::Absent, Seen::from);
        // If nobody listens, the loop ends.
        let _ = self.seen.send(seen).await;
        let mut version = listed.metadata.resource_version.unwrap_or_default();
        let parameters = WatchParams::default().fields(&fields).timeout(WATCH_SECONDS);
        loop {
            let request = api.watch(&parameters, &version);
            let stream = self.connection.ask(Operation::Read, REQUEST_LIMIT, request).await?;
            match self.follow(pin!(stream), version, *renew_at, &mut regained).await? {
                Ended::At(last) => version = last,
                ended => return Ok(ended),
            }
            sleep(BREATHER).await;
        }
    }

    /// Hands on what one watch says.
    async fn follow(
        &self,
        mut stream: impl Stream<Item = kube::Result<WatchEvent<Guarded>>> + Unpin,
        mut version: String,
        renew_at: Option<Instant>,
        regained: &mut watch::Receiver<u64>,
    ) -> Result<Ended, Failure> {
        loop {
            let alive = std::time::Instant::now();
            let event = tokio::select! {
                event = timeout(SILENCE_LIMIT, stream.next()) => event,
                // What was lost while the API server was, a connection that survived it may not tell.
                _ = regained.changed() => return Ok(Ended::LookAnew),
                () = self.look.notified() => return Ok(Ended::LookAnew),
                () = sleep_until(renew_at.unwrap_or_else(far_away)) => return Ok(Ended::TokenDue),
            };
            let event = match event {
                Err(_) | Ok(None) => return Ok(Ended::At(version)),
                Ok(Some(Err(error))) => return Err(self.failed(error.into(), alive)),
                Ok(Some(Ok(event))) => event,
            };
            let is_deletion = matches!(event, WatchEvent::Deleted(_));
            let (seen, at) = match event {
                WatchEvent::Added(object) | WatchEvent::Modified(object) => {
                    let at = version_of(kube::Resource::meta(&object));
                    (Some(Seen::from(object)), at)
                }
                WatchEvent::Deleted(object) => (Some(Seen::Absent), version_of(kube::Resource::meta(&object))),
                WatchEvent::Bookmark(bookmark) => (None, Some(bookmark.metadata.resource_version)),
                WatchEvent::Error(status) => return Err(self.failed(Failure::of_status(&status), alive)),
            };
            version = at.unwrap_or(version);
            if let Some(seen) = seen
                && self.seen.send(seen).await.is_err()
            {
                return Ok(Ended::Unheard);
            }
            if is_deletion {
                return Ok(Ended::Deleted);
            }
        }
    }

    fn failed(&self, failure: Failure, alive: std::time::Instant) -> Failure {
        self.connection.fail(Operation::Read, &failure, alive);
        failure
    }
}

fn version_of(metadata: &ObjectMeta) -> Option<String> {
    metadata.resource_version.clone().filter(|version| !version.is_empty())
}

fn far_away() -> Instant {
    Instant::now() + Duration::from_secs(u64::from(u32::MAX))
}
