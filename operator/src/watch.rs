//! Follows objects of the API server: lists, watches, and begins again when that fails.
//!
//! What can go wrong with a watch (410 Gone, a kind that does not exist, an API server that hangs or is away) is told once
//! and tried again; what was seen before stays. What is seen is passed on, decided is elsewhere.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use kube::api::Api;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::{self, Event, watcher};
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::backoff;
use crate::explain::{explain, with_causes};
use crate::metrics::Metrics;
use crate::world::{Kind, Seen, Sighting};

/// Agents renew their leases every 5 s. When none of many does, it is the watch that is dead, or all of them.
const SILENCE: Duration = Duration::from_secs(12);
/// A silence that goes on is nothing new.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);

/// What keeps watches from working, by kind; empty if nothing does.
#[derive(Clone, Debug, Default)]
pub struct Interruptions {
    problems: Arc<Mutex<BTreeMap<Kind, String>>>,
}

impl Interruptions {
    /// What is wrong now.
    pub fn current(&self) -> BTreeMap<Kind, String> {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether this is news.
    fn begin(&self, kind: Kind, problem: String) -> bool {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).insert(kind, problem).is_none()
    }

    /// Whether there was anything to end.
    fn end(&self, kind: Kind) -> bool {
        self.problems.lock().unwrap_or_else(PoisonError::into_inner).remove(&kind).is_some()
    }
}

/// Where watches report to.
#[derive(Clone, Debug)]
pub struct Observers {
    /// What was seen.
    pub sightings: mpsc::Sender<Sighting>,
    /// What does not work.
    pub interruptions: Interruptions,
    /// What does not work, counted.
    pub metrics: Arc<Metrics>,
}

/// A kind to follow.
#[derive(Debug)]
pub struct Watch<K> {
    /// The kind.
    pub kind: Kind,
    /// Where its objects are.
    pub api: Api<DeserializeGuard<K>>,
    /// Which of them.
    pub config: watcher::Config,
    /// How a sighting is told.
    pub tell: fn(Seen<K>) -> Sighting,
}

impl<K> Watch<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Follows, until nobody listens any more.
    pub async fn run(self, observers: Observers) {
        let mut silence = self.longest_silence();
        let mut failures = 0_u32;
        loop {
            let mut events = pin!(watcher(self.api.clone(), self.config.clone()));
            loop {
                let next = match silence {
                    Some(silence) => timeout(silence, events.next()).await,
                    None => Ok(events.next().await),
                };
                match next {
                    Ok(Some(Ok(event))) => {
                        let (begins, lives) = (matches!(event, Event::Init), is_news(&event));
                        if observers.sightings.send((self.tell)(event.into())).await.is_err() {
                            return;
                        }
                        if lives {
                            silence = self.longest_silence();
                        }
                        if !begins {
                            failures = 0;
                            self.note_success(&observers);
                        }
                    }
                    Ok(Some(Err(error))) => {
                        failures = failures.saturating_add(1);
                        self.note_failure(&observers, &error);
                        if observers.sightings.send(Sighting::Interrupted(self.kind)).await.is_err() {
                            return;
                        }
                        sleep(backoff::wait(failures, backoff::chance())).await;
                    }
                    // The stream does not end by itself.
                    Ok(None) => break,
                    Err(_) => {
                        silence = silence.map(|silence| silence.saturating_mul(2).min(LONGEST_SILENCE));
                        break;
                    }
                }
            }
        }
    }

    fn longest_silence(&self) -> Option<Duration> {
        (self.kind == Kind::Lease).then_some(SILENCE)
    }

    fn note_failure(&self, observers: &Observers, error: &watcher::Error) {
        observers.metrics.watch_failed(self.kind);
        let (kind, problem) = (self.kind.as_str(), describe(error));
        if observers.interruptions.begin(self.kind, problem.clone()) {
            warn!(kind, error = problem, event = "watch_interrupted", "cannot watch; trying again");
        }
    }

    fn note_success(&self, observers: &Observers) {
        if observers.interruptions.end(self.kind) {
            info!(kind = self.kind.as_str(), event = "watch_restored", "watching again");
        }
    }
}

/// Whether an event shows that something happens, other than that the watch was begun.
fn is_news<K>(event: &Event<K>) -> bool {
    matches!(event, Event::Apply(_) | Event::Delete(_))
}

fn describe(error: &watcher::Error) -> String {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => explain(error),
        watcher::Error::WatchError(status) => format!("{} {}: {}", status.code, status.reason, status.message),
        other @ watcher::Error::NoResourceVersion => with_causes(other),
    }
}
