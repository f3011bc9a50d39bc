//! The statuses of all `VirtualIPs`, as everybody can see them who asks the API server, and when.
//!
//! They are asked for again and again, not watched: a watch that has broken waits before it tries again, and here the moment
//! counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_crds::{RouterState, VirtualIP, VirtualIPStatus};
use kube::api::ListParams;
use kube::{Api, ResourceExt};
use tokio::time::{sleep, timeout};

use super::{Access, blocking};
use crate::lab::wait;

/// Time between two questions.
const PERIOD: Duration = Duration::from_millis(20);

/// So many times as long as an answer took, nothing is asked after it.
const REST: u32 = 4;

/// An API server that does not answer in this time is asked again.
const ANSWER: Duration = Duration::from_millis(500);

/// What one answer said: the status of each `VirtualIP`, by name.
pub type Statuses = BTreeMap<String, VirtualIPStatus>;

/// One answer, and when it came.
#[derive(Clone, Debug)]
pub struct Sighting {
    /// When it came.
    pub at: Instant,
    /// What it said.
    pub statuses: Arc<Statuses>,
}

/// Asks until it is dropped.
#[derive(Debug)]
pub struct Sightings {
    shared: Arc<Shared>,
    asking: Option<JoinHandle<Result<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    seen: Mutex<Vec<Sighting>>,
    ended: AtomicBool,
}

impl Sightings {
    /// Begins to ask. As long as there is no such kind, nothing is seen.
    pub fn start(access: &Access) -> Self {
        let shared = Arc::new(Shared::default());
        let (access, asking) = (access.clone(), Arc::clone(&shared));
        let asking = thread::spawn(move || blocking::run(async || asking.ask(&access).await));
        Self { shared, asking: Some(asking) }
    }

    /// Waits until the status of this `VirtualIP` was seen as wanted, at or after `since`; returns when that was first.
    pub fn wait_for(
        &self,
        name: &str,
        what: &str,
        since: Instant,
        timeout: Duration,
        wanted: impl Fn(&VirtualIPStatus) -> bool,
    ) -> Result<Instant> {
        self.wait_for_all(what, since, timeout, |statuses| statuses.get(name).is_some_and(&wanted))
    }

    /// The same for what all of them say together.
    pub fn wait_for_all(
        &self,
        what: &str,
        since: Instant,
        timeout: Duration,
        wanted: impl Fn(&Statuses) -> bool,
    ) -> Result<Instant> {
        // Each is looked at once.
        let mut next = self.shared.lock().partition_point(|sighting| sighting.at < since);
        let found = wait::value(what, timeout, || {
            let seen = self.shared.lock();
            let fresh = seen.get(next..).unwrap_or_default();
            next = seen.len();
            Ok(fresh.iter().find(|sighting| wanted(&sighting.statuses)).map(|sighting| sighting.at))
        });
        found.with_context(|| format!("last seen: {}", self.shared.lock().last().map(brief).unwrap_or_default()))
    }

    /// Everything that was seen at or after `since`.
    pub fn since(&self, since: Instant) -> Vec<Sighting> {
        let seen = self.shared.lock();
        seen.iter().skip(seen.partition_point(|sighting| sighting.at < since)).cloned().collect()
    }
}

/// The masters, and what is wrong, in a line.
fn brief(sighting: &Sighting) -> String {
    let line = |(name, status): (&String, &VirtualIPStatus)| {
        let summary = status.summary.as_ref();
        let (backups, reason) =
            (summary.and_then(|it| it.backups.as_deref()), summary.and_then(|it| it.reason.as_deref()));
        let [master, backups, reason] = [status.master.as_deref(), backups, reason].map(|it| it.unwrap_or("-"));
        format!("{name}: {master} {backups} {reason}")
    };
    sighting.statuses.iter().map(line).collect::<Vec<_>>().join("; ")
}

impl Shared {
    async fn ask(&self, access: &Access) -> Result<()> {
        let vips: Api<VirtualIP> = Api::all(access.client()?);
        while !self.ended.load(Ordering::Relaxed) {
            let asked = Instant::now();
            // Without an answer nothing was seen, whatever the reason.
            if let Ok(Ok(list)) = timeout(ANSWER, vips.list(&ListParams::default())).await {
                self.note(list.into_iter().map(|vip| (vip.name_any(), vip.status.unwrap_or_default())).collect());
            }
            // With hundreds of objects it is much to read, and others need the processors.
            sleep(PERIOD.max(asked.elapsed() * REST)).await;
        }
        Ok(())
    }

    fn note(&self, statuses: Statuses) {
        let mut seen = self.lock();
        let same = seen.last().filter(|last| *last.statuses == statuses).map(|last| Arc::clone(&last.statuses));
        seen.push(Sighting { at: Instant::now(), statuses: same.unwrap_or_else(|| Arc::new(statuses)) });
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sighting>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sightings {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        match self.asking.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => println!("asking for the statuses failed: {error:#}"),
            Some(Err(_)) => println!("asking for the statuses panicked"),
            Some(Ok(Ok(()))) | None => {}
        }
    }
}

/// Whether the status tells that `master` holds the addresses, that all is well with that, and that so many others stand by.
pub fn is_whole(status: &VirtualIPStatus, master: &str, backups: usize) -> bool {
    let is = |condition, value| {
        find_condition(&status.conditions, condition).is_some_and(|condition| condition.status == value)
    };
    let in_state = |state| status.nodes.iter().filter(move |node| node.state == state);
    status.master.as_deref() == Some(master)
        && in_state(RouterState::Master).map(|node| node.name.as_str()).eq([master])
        && in_state(RouterState::Backup).count() == backups
        && is(ConditionType::Ready, "True")
        && is(ConditionType::Degraded, "False")
}
