//! Carries writes out, several at a time, as long as this process leads.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::Client;
use tokio::sync::{Notify, mpsc};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{sleep_until, timeout};
use tracing::{debug, info, warn};

use super::failure::Failure;
use super::queue::Queue;
use super::rate::{Limit, Rate};
use super::request::{self, WriteError};
use super::{Target, Write, Written};
use crate::backoff;
use crate::clock::Clock;
use crate::explain::explain;
use crate::leader::Tenure;
use crate::metrics::Metrics;

/// So many writes are under way at most. A failover of hundreds of `VirtualIPs` takes a moment, and the API server serves
/// others beside it.
const CONCURRENCY: usize = 16;

/// An API server that needs longer does not answer. Large objects take seconds.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long to wait while it is in doubt whether this process leads.
const DOUBT: Duration = Duration::from_millis(100);

/// Failures in a row that are no hiccup any more.
const PERSISTENT: u32 = 5;

/// A write that was carried out.
pub type WriterReport = Write;

/// The queue of writes, shared by those who decide and the one who writes.
#[derive(Clone, Debug)]
pub struct Writer {
    queue: Arc<Mutex<Queue>>,
    changed: Arc<Notify>,
    clock: Clock,
}

/// What a writer needs.
pub struct Means {
    /// The client.
    pub client: Client,
    /// The namespace of leases and service accounts.
    pub namespace: String,
    /// Whether this process may write.
    pub tenure: Tenure,
    /// How many writes a second, in the long run.
    pub rate: u32,
    /// Where writes and failures are counted.
    pub metrics: Arc<Metrics>,
    /// Who hears of what was written.
    pub reports: mpsc::UnboundedSender<WriterReport>,
}

impl Writer {
    /// An empty queue.
    pub fn new(clock: Clock) -> Self {
        Self { queue: Arc::default(), changed: Arc::default(), clock }
    }

    /// See [`Queue::replace`].
    pub fn replace(&self, kinds: &[Written], writes: impl IntoIterator<Item = Write>) {
        self.queue().replace(kinds, writes, self.clock.now());
        self.changed.notify_one();
    }

    /// How many writes wait or are under way.
    pub fn backlog(&self) -> usize {
        self.queue().len()
    }

    /// Writes, for ever. What is under way when it is dropped may or may not be carried out.
    pub async fn run(self, means: Means) {
        let means = Arc::new(means);
        let limit = Limit::per_second(means.rate);
        let mut rate = Rate::default();
        let mut under_way = JoinSet::new();
        loop {
            let now = self.clock.now();
            let free = under_way.len() < CONCURRENCY;
            let allowed = rate.next(limit);
            if free && allowed <= now && means.tenure.is_valid() {
                let next = self.queue().take(now);
                if let Some(write) = next {
                    rate.spend(limit, now);
                    under_way.spawn(carry_out(Arc::clone(&means), write));
                    continue;
                }
            }
            // Never in circles, should something be due that may not be taken.
            let breather = now + if means.tenure.is_valid() { Duration::from_millis(1) } else { DOUBT };
            let due = self.queue().next_due().filter(|_| free).map(|due| due.max(allowed).max(breather));
            tokio::select! {
                Some(done) = under_way.join_next() => self.note(&means, done),
                () = self.changed.notified() => {}
                () = sleep_until(self.clock.instant(due.unwrap_or_default())), if due.is_some() => {}
            }
        }
    }

    fn note(&self, means: &Means, done: Result<(Write, Result<Option<String>, Problem>), JoinError>) {
        let (write, result) = match done {
            Ok(done) => done,
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        };
        let now = self.clock.now();
        match result {
            Ok(version) => {
                means.metrics.written(write.target.kind);
                debug!(target = %write.target, "written");
                self.queue().succeeded(&write, version, now);
                // Nobody listens any more when the process ends.
                let _ = means.reports.send(write);
            }
            Err(problem) => {
                means.metrics.not_written(write.target.kind, problem.failure);
                let target = write.target.clone();
                let failures = self.queue().failed(write, problem.failure, backoff::chance(), now);
                problem.log(&target, failures);
            }
        }
    }

    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn carry_out(means: Arc<Means>, write: Write) -> (Write, Result<Option<String>, Problem>) {
    let sent = timeout(PATIENCE, request::send(&means.client, &means.namespace, &write)).await;
    let result = match sent {
        Ok(Ok(version)) => Ok(version),
        Ok(Err(WriteError::Request(error))) => Err(Problem { failure: Failure::of(&error), message: explain(&error) }),
        Ok(Err(WriteError::Overtaken)) => {
            Err(Problem { failure: Failure::Conflict, message: "it is not wanted any more".to_owned() })
        }
        Err(_) => Err(Problem { failure: Failure::Unreachable, message: format!("no answer within {PATIENCE:?}") }),
    };
    (write, result)
}

/// Why a write was not carried out.
struct Problem {
    failure: Failure,
    message: String,
}

impl Problem {
    /// The first failure of an object, and when it goes on; not every attempt of an outage.
    fn log(&self, target: &Target, failures: u32) {
        let error = &self.message;
        match (self.failure, failures) {
            (Failure::Gone | Failure::Conflict, _) => debug!(%target, error, "not written; what is seen next decides"),
            (Failure::Refused, 1) => warn!(%target, error, event = "write_refused", "the API server refuses a write"),
            (Failure::Overloaded | Failure::Unreachable, 1) => {
                info!(%target, error, event = "write_failed", "not written; tried again");
            }
            (_, PERSISTENT) => {
                warn!(%target, error, failures, event = "write_failing", "still not written; tried again");
            }
            _ => debug!(%target, error, failures, "still not written"),
        }
    }
}
