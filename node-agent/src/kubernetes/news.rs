//! That something has happened: for those who write to the API server, from the reports of the election thread.
//!
//! News are no queue. Whoever is told looks for himself, and sees everything that has happened until then.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use tokio::sync::mpsc::unbounded_channel;
use tokio::sync::watch;

use super::sightings::Sightings;
use crate::election::{Report, Reports};
use crate::snapshot::RouterSnapshot;

/// Where news come from.
#[derive(Clone)]
pub(super) struct Newsroom {
    happened: watch::Sender<u64>,
    heard: Arc<Mutex<Heard>>,
}

/// One listener's view of what happens.
#[derive(Clone)]
pub(super) struct News {
    happened: watch::Receiver<u64>,
    heard: Arc<Mutex<Heard>>,
}

/// What only a report says.
#[derive(Debug, Default)]
struct Heard {
    sightings: Sightings,
    /// The virtual routers that met another master: two parts of a network are one again.
    met_again: BTreeSet<String>,
}

/// That the agent leaves.
#[derive(Clone)]
pub(super) struct Ending(watch::Receiver<bool>);

// === impl Newsroom ===

impl Newsroom {
    pub(super) fn new() -> (Self, News) {
        let (happened, listener) = watch::channel(0);
        let heard = Arc::new(Mutex::new(Heard::default()));
        (Self { happened, heard: Arc::clone(&heard) }, News { happened: listener, heard })
    }

    /// Listens in on reports, and hands them on as they are.
    pub(super) fn listen(self, mut reports: Reports) -> Reports {
        let (forward, forwarded) = unbounded_channel();
        tokio::spawn(async move {
            while let Some(report) = reports.recv().await {
                self.hear(&report);
                if forward.send(report).is_err() {
                    return;
                }
            }
        });
        forwarded
    }

    fn hear(&self, report: &Report) {
        let mut heard = lock(&self.heard);
        heard.sightings.hear(report);
        if let Report::LowerMasterHeard { router } = report {
            heard.met_again.insert(router.clone());
        }
        drop(heard);
        self.happened.send_modify(|times| *times += 1);
    }
}

// === impl News ===

impl News {
    /// Waits until something has happened since the last wait.
    pub(super) async fn next(&mut self) {
        changed(&mut self.happened).await;
    }

    /// The strangers, after a look at these counters.
    pub(super) fn look(&self, routers: &[RouterSnapshot], now: Instant) -> Sightings {
        let mut heard = lock(&self.heard);
        heard.sightings.look(routers, now);
        heard.sightings.clone()
    }

    /// The virtual routers that met another master since the last call.
    pub(super) fn take_met_again(&self) -> BTreeSet<String> {
        std::mem::take(&mut lock(&self.heard).met_again)
    }
}

/// Waits for a change of a value; for ever if nobody can change it any more.
pub(super) async fn changed<T>(value: &mut watch::Receiver<T>) {
    if value.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

fn lock(heard: &Mutex<Heard>) -> MutexGuard<'_, Heard> {
    // It is only ever left whole.
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

// === impl Ending ===

impl Ending {
    /// What ends, and how to say so.
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (end, ending) = watch::channel(false);
        (end, Self(ending))
    }

    /// Whether it does.
    pub(super) fn has_come(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it does.
    pub(super) async fn wait(&mut self) {
        // If nobody can say so any more, the agent is gone as well.
        let _ = self.0.wait_for(|leaving| *leaving).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn reports_pass_through_in_order_and_wake_every_listener() {
        let (newsroom, mut one) = Newsroom::new();
        let mut other = one.clone();
        let (sender, reports) = unbounded_channel();
        let mut forwarded = newsroom.listen(reports);
        let sent = [Report::NetlinkOverrun, Report::LowerMasterHeard { router: "web".to_owned() }, Report::Finished];
        sent.clone().into_iter().for_each(|report| sender.send(report).expect("listened to"));
        for report in sent {
            assert_eq!(forwarded.recv().await, Some(report));
        }
        for listener in [&mut one, &mut other] {
            timeout(Duration::from_secs(10), listener.next()).await.expect("woken");
        }
        assert_eq!(one.take_met_again(), BTreeSet::from(["web".to_owned()]));
        assert_eq!(one.take_met_again(), BTreeSet::new(), "once");
        drop(sender);
        assert_eq!(forwarded.recv().await, None, "the end of the thread is told too");
    }
}
