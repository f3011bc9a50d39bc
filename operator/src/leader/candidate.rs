//! Reads and writes the Lease, as [`Election`] says.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::{Notify, watch};
use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use super::election::{Election, Record, Step};
use super::{LEASE_DURATION, RETRY_PERIOD, Tenure};
use crate::backoff;
use crate::clock::Clock;
use crate::explain::explain;

/// How long one request may take: two of them fit into the renew deadline, and a third attempt.
const PATIENCE: Duration = Duration::from_secs(3);

/// The release is a courtesy.
const RELEASE_PATIENCE: Duration = Duration::from_secs(2);

/// This process led, and does not any more.
#[derive(Debug, thiserror::Error)]
#[error("the lease {lease} was lost: another operator leads, or the API server did not answer for too long")]
pub struct Lost {
    /// The name of the Lease.
    pub lease: String,
}

/// Who leads, as seen from here.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Leadership {
    /// Whether this process does.
    pub leads: bool,
    /// Who does.
    pub leader: Option<String>,
}

/// One that wants to lead.
pub struct Candidate {
    api: Api<Lease>,
    name: String,
    identity: String,
    election: Election,
    /// The Lease as last seen: what is written builds on this version.
    lease: Option<Lease>,
    /// How often the last requests have failed in a row.
    failures: u32,
    clock: Clock,
    tenure: Tenure,
    nudge: Arc<Notify>,
}

impl Candidate {
    /// A candidate of this name, which no other process may have at the same time.
    pub fn new(client: Client, namespace: &str, name: &str, identity: &str, tenure: Tenure, clock: Clock) -> Self {
        Self {
            api: Api::namespaced(client, namespace),
            name: name.to_owned(),
            identity: identity.to_owned(),
            election: Election::new(identity),
            lease: None,
            failures: 0,
            clock,
            tenure,
            nudge: Arc::default(),
        }
    }

    /// Makes a candidate look at the Lease at once: somebody saw it change hands.
    pub fn nudge(&self) -> Arc<Notify> {
        Arc::clone(&self.nudge)
    }

    /// Strives to lead, and leads, until the Lease is lost. Returns early only if `told` has no receiver any more.
    pub async fn run(&mut self, told: &watch::Sender<Leadership>) -> Lost {
        loop {
            self.attempt().await;
            let leads = self.election.step(self.clock.now()) == Step::Renew;
            self.tenure.set(self.election.leads_until().filter(|_| leads));
            if self.election.step(self.clock.now()) == Step::Resign {
                return Lost { lease: self.name.clone() };
            }
            self.tell(told, leads);
            tokio::select! {
                () = sleep(self.pause(leads)) => {}
                () = self.nudge.notified(), if !leads => {}
            }
        }
    }

    /// Gives the Lease back, so that another operator leads at once.
    pub async fn release(&mut self) {
        self.tenure.set(None);
        if self.election.step(self.clock.now()) != Step::Renew {
            return;
        }
        let spec = LeaseSpec {
            holder_identity: Some(String::new()),
            lease_duration_seconds: Some(1),
            renew_time: Some(MicroTime(Timestamp::now())),
            ..self.lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default()
        };
        let released = self.lease_with(spec);
        match timeout(RELEASE_PATIENCE, self.api.replace(&self.name, &PostParams::default(), &released)).await {
            Ok(Ok(_)) => info!(lease = self.name, event = "lease_released", "gave the lead back"),
            Ok(Err(error)) => warn!(error = explain(&error), event = "lease_kept", "cannot give the lead back"),
            Err(_) => warn!(event = "lease_kept", "cannot give the lead back: no answer"),
        }
    }

    /// One round: look, unless what was seen is our own last write, and do what is to be done.
    async fn attempt(&mut self) {
        let begun = self.clock.now();
        let round = async {
            // After a failure it is not known what the Lease looks like.
            if self.election.step(begun) != Step::Renew || self.failures > 0 {
                self.look().await?;
            }
            match self.election.step(self.clock.now()) {
                Step::Create => self.create().await,
                Step::Take | Step::Renew => self.hold().await,
                Step::Wait | Step::Resign => Ok(()),
            }
        };
        let error = match timeout(PATIENCE, round).await {
            Ok(Ok(())) => None,
            // Another candidate was quicker, or an answer to an earlier attempt was lost: the next look will tell.
            Ok(Err(kube::Error::Api(status))) if status.code == 409 => Some(None),
            Ok(Err(error)) => Some(Some(explain(&error))),
            Err(_) => Some(Some(format!("no answer within {PATIENCE:?}"))),
        };
        match error {
            None => {
                if self.failures > 1 {
                    info!(lease = self.name, event = "lease_regained", "the lease can be read and written again");
                }
                self.failures = 0;
            }
            Some(message) => {
                self.failures = self.failures.saturating_add(1);
                if let (Some(error), 1) = (message, self.failures) {
                    warn!(lease = self.name, error, event = "lease_failed", "cannot read or renew the lease");
                }
            }
        }
    }

    async fn look(&mut self) -> kube::Result<()> {
        self.lease = self.api.get_opt(&self.name).await?;
        let now = self.clock.now();
        self.election.observe(self.lease.as_ref().map(record), now);
        Ok(())
    }

    async fn create(&mut self) -> kube::Result<()> {
        let begun = self.clock.now();
        self.lease = None;
        let lease = self.lease_with(self.held(begun));
        let created = self.api.create(&PostParams::default(), &lease).await?;
        self.succeeded(created, begun);
        Ok(())
    }

    async fn hold(&mut self) -> kube::Result<()> {
        let begun = self.clock.now();
        let lease = self.lease_with(self.held(begun));
        let replaced = self.api.replace(&self.name, &PostParams::default(), &lease).await?;
        self.succeeded(replaced, begun);
        Ok(())
    }

    fn succeeded(&mut self, lease: Lease, begun: Duration) {
        self.election.succeeded(record(&lease), begun);
        self.lease = Some(lease);
    }

    /// What the Lease says when this process holds it.
    fn held(&self, now: Duration) -> LeaseSpec {
        let earlier = self.lease.as_ref().and_then(|lease| lease.spec.clone()).unwrap_or_default();
        let renewal = self.election.step(now) == Step::Renew;
        let time = MicroTime(Timestamp::now());
        let transitions = earlier.lease_transitions.unwrap_or(0);
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(LEASE_DURATION.as_secs()).ok(),
            acquire_time: if renewal { earlier.acquire_time } else { Some(time.clone()) },
            renew_time: Some(time),
            lease_transitions: Some(if renewal { transitions } else { transitions.saturating_add(1) }),
            ..LeaseSpec::default()
        }
    }

    fn lease_with(&self, spec: LeaseSpec) -> Lease {
        let metadata = self.lease.as_ref().map_or_else(
            || ObjectMeta { name: Some(self.name.clone()), ..ObjectMeta::default() },
            |lease| ObjectMeta { managed_fields: None, ..lease.metadata.clone() },
        );
        Lease { metadata, spec: Some(spec) }
    }

    /// A leader retries more often when a renewal fails; the others spread themselves.
    fn pause(&self, leads: bool) -> Duration {
        if self.failures > 0 {
            return backoff::wait(self.failures, backoff::chance()).min(RETRY_PERIOD);
        }
        if leads { RETRY_PERIOD } else { RETRY_PERIOD.mul_f64(1.0 + 0.2 * backoff::chance()) }
    }

    fn tell(&self, told: &watch::Sender<Leadership>, leads: bool) {
        let leadership = Leadership { leads, leader: self.election.holder().map(str::to_owned) };
        told.send_if_modified(|current| {
            if *current == leadership {
                return false;
            }
            let leader = leadership.leader.as_deref().unwrap_or("nobody");
            info!(lease = self.name, leader, leads, event = "leader_changed", "the leader has changed");
            *current = leadership;
            true
        });
    }
}

fn record(lease: &Lease) -> Record {
    let spec = lease.spec.as_ref();
    let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
    Record {
        holder: spec.and_then(|spec| spec.holder_identity.clone()).filter(|holder| !holder.is_empty()),
        version: lease.metadata.resource_version.clone(),
        duration: seconds.map(Duration::from_secs),
    }
}
