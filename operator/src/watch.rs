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
use tokio::sync::{mpsc, watch as channel};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::backoff;
use crate::explain::{explain, with_causes};
use crate::metrics::Metrics;
use crate::world::{Kind, Seen, Sighting};

/// The leader renews its Lease every 2 s, and each agent one every 5 s. When none of them does, it is the watch that is dead,
/// or all of them.
const SILENCE: Duration = Duration::from_secs(12);
/// A silence that goes on is nothing new.
const LONGEST_SILENCE: Duration = Duration::from_secs(300);
/// An API server that needs longer for a page of a list does not answer.
const LIST_PATIENCE: Duration = Duration::from_secs(30);

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
    pub(crate) fn begin(&self, kind: Kind, problem: String) -> bool {
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
    /// Tells all watches that their connections may be dead: a machine that lost its power says no farewell.
    pub suspicion: channel::Sender<()>,
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

/// Nobody listens any more.
struct Deserted;

/// Why a watch is begun anew.
enum Broken {
    /// It is silent, or another one is.
    Suspicion,
    /// It failed.
    Failure,
}

impl<K> Watch<K>
where
    K: kube::Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + 'static,
{
    /// Follows, until nobody listens any more.
    pub async fn run(self, observers: Observers) {
        let mut suspicion = observers.suspicion.subscribe();
        let mut patience = Patience::new(self.kind);
        let mut failures = 0;
        loop {
            suspicion.mark_unchanged();
            match self.follow(&observers, &mut suspicion, &mut patience, &mut failures).await {
                Err(Deserted) => return,
                Ok(Broken::Suspicion) => {}
                Ok(Broken::Failure) => {
                    if observers.sightings.send(Sighting::Interrupted(self.kind)).await.is_err() {
                        return;
                    }
                    sleep(backoff::wait(failures, backoff::chance())).await;
                }
            }
        }
    }

    /// Lists and watches, until there is reason to begin anew.
    async fn follow(
        &self,
        observers: &Observers,
        suspicion: &mut channel::Receiver<()>,
        patience: &mut Patience,
        failures: &mut u32,
    ) -> Result<Broken, Deserted> {
        let mut events = pin!(watcher(self.api.clone(), self.config.clone()));
        loop {
            let next = tokio::select! {
                next = patience.wait_for(events.next()) => next,
                Ok(()) = suspicion.changed() => return Ok(Broken::Suspicion),
            };
            match next {
                Ok(Some(Ok(event))) => {
                    patience.note(&event);
                    if !matches!(event, Event::Init) {
                        *failures = 0;
                        self.note_success(observers);
                    }
                    observers.sightings.send((self.tell)(event.into())).await.map_err(|_| Deserted)?;
                }
                Ok(Some(Err(error))) => {
                    *failures = failures.saturating_add(1);
                    self.note_failure(observers, &describe(&error));
                    observers.sightings.send(Sighting::Interrupted(self.kind)).await.map_err(|_| Deserted)?;
                    sleep(backoff::wait(*failures, backoff::chance())).await;
                }
                Ok(None) => return Ok(Broken::Suspicion),
                Err(Impatient::Listing) => {
                    *failures = failures.saturating_add(1);
                    self.note_failure(observers, &format!("no answer within {LIST_PATIENCE:?}"));
                    return Ok(Broken::Failure);
                }
                Err(Impatient::Watching { is_news }) => {
                    if is_news {
                        debug!(kind = self.kind.as_str(), "silent for {SILENCE:?}: all watches begin anew");
                        observers.suspicion.send_replace(());
                    }
                    return Ok(Broken::Suspicion);
                }
            }
        }
    }

    fn note_failure(&self, observers: &Observers, problem: &str) {
        observers.metrics.watch_failed(self.kind);
        if observers.interruptions.begin(self.kind, problem.to_owned()) {
            let kind = self.kind.as_str();
            warn!(kind, error = problem, event = "watch_interrupted", "cannot watch; trying again");
        }
    }

    fn note_success(&self, observers: &Observers) {
        if observers.interruptions.end(self.kind) {
            info!(kind = self.kind.as_str(), event = "watch_restored", "watching again");
        }
    }
}

/// How long to wait for the next event of a watch.
struct Patience {
    listing: bool,
    /// While watching; none: for ever, since a kind may not change for days.
    silence: Option<Duration>,
}

/// Nothing came in time.
enum Impatient {
    /// While objects were listed.
    Listing,
    /// While changes were awaited.
    Watching {
        /// Whether it was not as silent before.
        is_news: bool,
    },
}

impl Patience {
    fn new(kind: Kind) -> Self {
        Self { listing: true, silence: (kind == Kind::Lease).then_some(SILENCE) }
    }

    async fn wait_for<T>(&mut self, next: impl Future<Output = T>) -> Result<T, Impatient> {
        let limit = if self.listing { Some(LIST_PATIENCE) } else { self.silence };
        let Some(limit) = limit else { return Ok(next.await) };
        timeout(limit, next).await.map_err(|_| self.lose())
    }

    fn lose(&mut self) -> Impatient {
        if self.listing {
            return Impatient::Listing;
        }
        let is_news = self.silence == Some(SILENCE);
        self.silence = self.silence.map(|silence| silence.saturating_mul(2).min(LONGEST_SILENCE));
        self.listing = true;
        Impatient::Watching { is_news }
    }

    fn note<K>(&mut self, event: &Event<K>) {
        match event {
            Event::Init => self.listing = true,
            Event::InitDone => self.listing = false,
            Event::InitApply(_) => {}
            Event::Apply(_) | Event::Delete(_) => self.silence = self.silence.map(|_| SILENCE),
        }
    }
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    async fn waits(patience: &mut Patience) -> (Duration, Impatient) {
        let begun = tokio::time::Instant::now();
        let Err(impatient) = patience.wait_for(pending::<()>()).await else { panic!() };
        (begun.elapsed(), impatient)
    }

    #[tokio::test(start_paused = true)]
    async fn a_list_has_to_come_in_time_and_changes_may_take_for_ever() {
        let mut patience = Patience::new(Kind::Node);
        assert!(patience.wait_for(ready(())).await.is_ok());
        let (waited, impatient) = waits(&mut patience).await;
        assert!(matches!(impatient, Impatient::Listing) && waited.as_secs() == LIST_PATIENCE.as_secs());
        patience.note(&Event::<()>::InitDone);
        assert!(timeout(Duration::from_secs(86_400), patience.wait_for(pending::<()>())).await.is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn leases_that_are_not_renewed_raise_suspicion_once_until_one_is() {
        let mut patience = Patience::new(Kind::Lease);
        let mut silences = Vec::new();
        for news in [false, false, false, true, false] {
            if news {
                patience.note(&Event::Apply(()));
            }
            patience.note(&Event::<()>::InitDone);
            let (waited, impatient) = waits(&mut patience).await;
            silences.push((waited.as_secs(), matches!(impatient, Impatient::Watching { is_news: true })));
        }
        assert_eq!(silences, [(12, true), (24, false), (48, false), (12, true), (24, false)]);
    }
}
