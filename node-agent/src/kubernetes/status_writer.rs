//! Keeps the status of the NodeConfig true: the whole of it, in one request, when it has changed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use holdfast_crds::{NodeConfig, NodeConfigStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use k8s_openapi::jiff::Timestamp;
use kube::{Client, Resource};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{sleep, sleep_until, timeout};
use tracing::debug;

use super::access::REQUEST_LIMIT;
use super::backoff::Backoff;
use super::connection::Connection;
use super::health::Operation;
use super::news::{Ending, News, changed};
use super::pace::{Difference, Pace};
use super::programmed::Programmed;
use super::requests::apply_status;
use super::seen::Identity;
use super::status::{Observed, status, without_messages};
use crate::app::PATIENCE;
use crate::checks::Supervisor;
use crate::election::ElectionHandle;
use crate::snapshot::Snapshot;

/// The field manager of everything that this agent alone writes.
pub(super) const MANAGER: &str = "holdfast-agent";

/// Between two looks without news: addresses of interfaces change without any.
const LOOK: Duration = Duration::from_secs(2);

/// Between two looks with news.
const BREATHER: Duration = Duration::from_millis(10);

/// How long the first status waits for the NodeConfig to be read: before that it could not say which version is in force.
const FIRST: Duration = Duration::from_secs(3);

/// The longest wait between two attempts.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Writes the status of one NodeConfig.
#[derive(Clone)]
pub(super) struct StatusWriter {
    /// The name of the node.
    pub(super) node: String,
    /// The client.
    pub(super) client: Client,
    /// How the requests do.
    pub(super) connection: Arc<Connection>,
    /// The states of the virtual routers.
    pub(super) election: ElectionHandle,
    /// The results of the health checks.
    pub(super) checks: Arc<Supervisor>,
    /// What is carried out.
    pub(super) programmed: watch::Receiver<Programmed>,
    /// The conditions that the status had when it was seen first.
    pub(super) conditions: watch::Receiver<Vec<Condition>>,
    /// That something has happened, and strangers.
    pub(super) news: News,
    /// That the agent leaves.
    pub(super) ending: Ending,
}

/// What was written, and when to write again.
struct Progress {
    started: Instant,
    written: Option<NodeConfigStatus>,
    object: Option<Identity>,
    last: Snapshot,
    pace: Pace,
    backoff: Backoff,
}

impl StatusWriter {
    /// Writes until the agent leaves, and then once more.
    pub(super) async fn run(mut self) {
        let mut progress = Progress::new();
        let mut regained = self.connection.regained();
        while !self.ending.has_come() {
            let wanted = self.look(&mut progress, false).await;
            let difference = difference(progress.written.as_ref(), &wanted);
            let now = Instant::now();
            progress.pace.note(difference, now);
            let due = progress.pace.due(difference).map(|due| due.max(self.first_at(&progress)));
            if due.is_some_and(|due| due <= now) {
                self.write(wanted, &mut progress).await;
                continue;
            }
            tokio::select! {
                // News come in crowds, and one look sees them all.
                () = self.news.next() => sleep(BREATHER).await,
                () = changed(&mut self.programmed) => progress.pace.encourage(),
                () = changed(&mut regained) => progress.pace.encourage(),
                () = self.ending.wait() => {}
                () = sleep(LOOK) => {}
                () = sleep_until(due.unwrap_or(now + LOOK).into()) => {}
            }
        }
        let last = self.look(&mut progress, true).await;
        if difference(progress.written.as_ref(), &last) != Difference::None {
            self.write(last, &mut progress).await;
        }
    }

    /// The status as it should be. An election thread that has ended has left nothing.
    async fn look(&mut self, progress: &mut Progress, leaving: bool) -> NodeConfigStatus {
        // What is carried out first: the answer of the election thread then knows of it.
        let programmed = self.programmed.borrow_and_update().clone();
        match timeout(PATIENCE, self.election.snapshot()).await {
            Ok(Some(snapshot)) => progress.last = snapshot,
            Ok(None) => progress.last.virtual_routers.clear(),
            Err(_) => {}
        }
        let object = programmed.identity.clone();
        if object.as_ref().map(|object| &object.uid) != progress.object.as_ref().map(|object| &object.uid) {
            progress.written = None;
        }
        progress.object = object;
        let now = Instant::now();
        let sightings = self.news.look(&progress.last.virtual_routers, now);
        let conditions = match &progress.written {
            Some(written) => written.conditions.clone(),
            None => self.conditions.borrow().clone(),
        };
        status(&Observed {
            snapshot: &progress.last,
            checks: &self.checks.snapshot(),
            programmed: &programmed,
            sightings: &sightings,
            conditions: &conditions,
            leaving,
            now,
            clock: Timestamp::now(),
        })
    }

    fn first_at(&self, progress: &Progress) -> Instant {
        let read = self.programmed.borrow().identity.is_some();
        if read { progress.started } else { progress.started + FIRST }
    }

    async fn write(&self, wanted: NodeConfigStatus, progress: &mut Progress) {
        progress.pace.attempt(Instant::now());
        let object = json!({
            "apiVersion": NodeConfig::api_version(&()),
            "kind": NodeConfig::kind(&()),
            "metadata": { "name": self.node },
            "status": wanted,
        });
        let request = apply_status::<NodeConfig>(&self.client, &self.node, MANAGER, &object);
        match self.connection.ask(Operation::Status, REQUEST_LIMIT, request).await {
            Ok(()) => {
                progress.written = Some(wanted);
                progress.backoff.reset();
            }
            Err(failure) => {
                debug!(error = %failure, kind = failure.kind.as_str(), "cannot write the status of the NodeConfig");
                progress.pace.put_off(Instant::now() + progress.backoff.next(failure.kind.longest_wait()));
            }
        }
    }
}

impl Progress {
    fn new() -> Self {
        Self {
            started: Instant::now(),
            written: None,
            object: None,
            last: Snapshot::default(),
            pace: Pace::default(),
            backoff: Backoff::new(LONGEST_WAIT),
        }
    }
}

fn difference(written: Option<&NodeConfigStatus>, wanted: &NodeConfigStatus) -> Difference {
    match written {
        Some(written) if written == wanted => Difference::None,
        Some(written) if without_messages(written) == without_messages(wanted) => Difference::Words,
        _ => Difference::Substance,
    }
}
