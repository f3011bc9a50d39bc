//! The status of the `VirtualIP`, as everybody can see it who asks the API server, and when.
//!
//! It is asked for again and again, not watched: a watch that has broken waits before it tries again, and here the moment
//! counts.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_crds::{RouterState, VirtualIP, VirtualIPStatus};
use kube::Api;
use tokio::time::{sleep, timeout};

use crate::cluster::{Access, blocking};
use crate::lab::wait;

/// Time between two questions.
const PERIOD: Duration = Duration::from_millis(20);

/// An API server that does not answer in this time is asked again.
const ANSWER: Duration = Duration::from_millis(500);

/// Asks until it is dropped.
pub(super) struct Sightings {
    shared: Arc<Shared>,
    asking: Option<JoinHandle<Result<()>>>,
}

#[derive(Default)]
struct Shared {
    seen: Mutex<Vec<(Instant, Arc<VirtualIPStatus>)>>,
    ended: AtomicBool,
}

impl Sightings {
    /// Begins to ask for the `VirtualIP` of this name.
    pub(super) fn start(access: &Access, name: &str) -> Self {
        let shared = Arc::new(Shared::default());
        let (access, name, asking) = (access.clone(), name.to_owned(), Arc::clone(&shared));
        let asking = thread::spawn(move || blocking::run(async || asking.ask(&access, &name).await));
        Self { shared, asking: Some(asking) }
    }

    /// Waits until the status was seen as wanted, at or after `since`; returns when that was first.
    pub(super) fn wait_for(
        &self,
        what: &str,
        since: Instant,
        timeout: Duration,
        wanted: impl Fn(&VirtualIPStatus) -> bool,
    ) -> Result<Instant> {
        let found = wait::value(what, timeout, || {
            let seen = self.shared.lock();
            Ok(seen.iter().find(|(at, status)| *at >= since && wanted(status)).map(|(at, _)| *at))
        });
        found.with_context(|| format!("the status was last seen as {:#?}", self.shared.lock().last()))
    }
}

impl Shared {
    async fn ask(&self, access: &Access, name: &str) -> Result<()> {
        let vips: Api<VirtualIP> = Api::all(access.client()?);
        while !self.ended.load(Ordering::Relaxed) {
            // Without an answer nothing was seen, whatever the reason.
            if let Ok(Ok(vip)) = timeout(ANSWER, vips.get(name)).await {
                self.note(vip.status.unwrap_or_default());
            }
            sleep(PERIOD).await;
        }
        Ok(())
    }

    fn note(&self, status: VirtualIPStatus) {
        let mut seen = self.lock();
        let same = seen.last().filter(|(_, last)| **last == status).map(|(_, last)| Arc::clone(last));
        seen.push((Instant::now(), same.unwrap_or_else(|| Arc::new(status))));
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(Instant, Arc<VirtualIPStatus>)>> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sightings {
    fn drop(&mut self) {
        self.shared.ended.store(true, Ordering::Relaxed);
        match self.asking.take().map(JoinHandle::join) {
            Some(Ok(Err(error))) => println!("asking for the status failed: {error:#}"),
            Some(Err(_)) => println!("asking for the status panicked"),
            Some(Ok(Ok(()))) | None => {}
        }
    }
}

/// Whether the status tells that `master` holds the addresses, that all is well with that, and that so many others stand by.
pub(super) fn is_whole(status: &VirtualIPStatus, master: &str, backups: usize) -> bool {
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
