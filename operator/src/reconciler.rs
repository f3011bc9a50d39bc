//! The loop of the operator: what is seen goes into the world, and what follows from it goes to the writer.
//!
//! One task owns the world, so everything is decided on one state of it, and nothing is copied. Who does not lead only keeps
//! the world up to date.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use holdfast_plan::Plan;
use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::block_in_place;
use tokio::time::sleep_until;
use tracing::{debug, info};

use crate::aggregate::Memory;
use crate::clock::Clock;
use crate::debounce::Debounce;
use crate::drain::Draining;
use crate::events::{News, Publisher};
use crate::leader::Leadership;
use crate::metrics::Metrics;
use crate::pods::PodWatches;
use crate::report::{Conditions, Report};
use crate::statuses::Context;
use crate::succession::Succession;
use crate::told::Told;
use crate::world::{Difference, Kind, Sighting, World};
use crate::write::{Change, Writer, WriterReport, Written};
use crate::{claim, node_access, node_config, ownership, planning, status, statuses};

/// A plan is made when nothing has changed for this long, and at the latest after the second.
const PLAN: (Duration, Duration) = (Duration::from_millis(100), Duration::from_millis(500));

/// Statuses are put together when nothing has changed for this long, and at the latest after the second.
const STATUS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(200));

/// A plan is made also when nothing has changed for this long: nothing that was overlooked stays so.
const RESYNC: Duration = Duration::from_secs(300);

/// What is taken in between two looks at the time.
const BATCH: usize = 1024;

/// What the loop is told and whom it tells.
pub struct Surroundings {
    /// What was seen.
    pub sightings: mpsc::Receiver<Sighting>,
    /// Who leads.
    pub leadership: watch::Receiver<Leadership>,
    /// Who wants to know that the leader's Lease has changed.
    pub nudge: Arc<Notify>,
    /// Follows the pods of cordoned nodes.
    pub pods: PodWatches,
    /// Carries out what was decided.
    pub writer: Writer,
    /// What it has carried out.
    pub written: mpsc::UnboundedReceiver<WriterReport>,
    /// Tells of transitions.
    pub publisher: Publisher,
    /// Where the state of affairs is shown.
    pub report: watch::Sender<Report>,
    /// Where work is counted.
    pub metrics: Arc<Metrics>,
}

/// What does not change while the operator runs.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The namespace of leases and service accounts.
    pub namespace: String,
    /// The name of the Lease of the leader.
    pub lease: String,
    /// The name of the `ClusterRole` that owns what is made for the agents.
    pub owner: Option<String>,
    /// The keys of the taints that mean that a node is emptied.
    pub drain_taints: BTreeSet<String>,
}

/// The loop.
pub struct Reconciler {
    settings: Settings,
    surroundings: Surroundings,
    clock: Clock,
    world: World,
    plan_due: Debounce,
    plan: Option<Arc<Plan>>,
    planned: Duration,
    draining: BTreeMap<String, Draining>,
    succession: Succession,
    status_due: Debounce,
    /// When the statuses were put together last, and when time alone will change one.
    judged: Duration,
    look_again: Option<Duration>,
    memory: Memory,
    told: Told,
    conditions: Conditions,
    leads: bool,
    /// Whether the report may be out of date, and when it was made.
    changed: bool,
    shown: Duration,
}

impl Reconciler {
    /// Knows nothing yet.
    pub fn new(settings: Settings, surroundings: Surroundings, clock: Clock) -> Self {
        Self {
            settings,
            surroundings,
            clock,
            world: World::default(),
            plan_due: Debounce::new(PLAN.0, PLAN.1),
            plan: None,
            planned: Duration::ZERO,
            draining: BTreeMap::new(),
            succession: Succession::default(),
            status_due: Debounce::new(STATUS.0, STATUS.1),
            judged: Duration::ZERO,
            look_again: None,
            memory: Memory::default(),
            told: Told::default(),
            conditions: Conditions::default(),
            leads: false,
            changed: true,
            shown: Duration::ZERO,
        }
    }

    /// Runs until nobody tells it anything any more.
    pub async fn run(mut self) {
        loop {
            let wake = self.next_work().map(|due| self.clock.instant(due));
            tokio::select! {
                sighting = self.surroundings.sightings.recv() => match sighting {
                    Some(sighting) => self.take_in(sighting),
                    None => return,
                },
                Some(write) = self.surroundings.written.recv() => self.tell(&write),
                Ok(()) = self.surroundings.leadership.changed() => self.take_office(),
                () = sleep_until(wake.unwrap_or_else(|| self.clock.instant(Duration::ZERO))), if wake.is_some() => {}
            }
            if self.may_work() {
                block_in_place(|| self.work());
            }
            self.show();
        }
    }

    /// What was written is a fact, of which people may want to know.
    fn tell(&mut self, write: &WriterReport) {
        let mut news: Vec<News> = node_config::news(write).into_iter().collect();
        if let Change::Status { status, subject, .. } = &write.change
            && let Some(before) = self.told.written(subject, (**status).clone())
        {
            news.extend(statuses::news(subject, &before, status));
        }
        for news in news {
            self.surroundings.publisher.publish(news);
        }
    }

    /// Takes in what was seen, and what has come meanwhile.
    fn take_in(&mut self, first: Sighting) {
        let now = self.clock.now();
        let mut difference = self.apply(first, now);
        for _ in 1..BATCH {
            let Ok(sighting) = self.surroundings.sightings.try_recv() else { break };
            difference |= self.apply(sighting, now);
        }
        if difference.plan {
            self.plan_due.note(now);
            self.surroundings.pods.set(self.world.cordoned().collect());
        }
        if difference.status {
            self.status_due.note(now);
        }
        self.changed |= difference != Difference::NONE;
    }

    fn apply(&mut self, sighting: Sighting, now: Duration) -> Difference {
        if self.is_leaders_lease(&sighting) {
            self.surroundings.nudge.notify_one();
        }
        self.world.apply(sighting, now)
    }

    /// A candidate should look when the leader gives its Lease back, which it renews every other second.
    fn is_leaders_lease(&self, sighting: &Sighting) -> bool {
        use kube::ResourceExt;
        use kube::runtime::watcher::Event;
        let Sighting::Lease(event) = sighting else { return false };
        let (Event::Apply(lease) | Event::Delete(lease)) = &**event else { return false };
        let holder = lease.0.as_ref().ok().and_then(|lease| lease.spec.as_ref()?.holder_identity.as_deref());
        lease.name_any() == self.settings.lease && holder.unwrap_or_default().is_empty()
    }

    fn take_office(&mut self) {
        let leads = self.surroundings.leadership.borrow_and_update().leads;
        if leads && !self.leads {
            self.plan_due.note(self.clock.now());
            self.status_due.note(self.clock.now());
        }
        self.leads = leads;
    }

    /// Nothing is decided before everything was seen: what is not known yet would look as if it were gone.
    fn may_work(&self) -> bool {
        self.leads && self.world.missing().is_empty()
    }

    fn next_work(&self) -> Option<Duration> {
        let shown = self.world.heartbeats.next_late(self.shown);
        if !self.may_work() {
            return shown;
        }
        let plan = self.plan_due.due().unwrap_or_else(|| self.next_plan());
        // Statuses tell of the plan's verdicts: they wait for a plan that is due.
        let status = self.status_due.due().into_iter().chain(self.look_again);
        let status = status.chain(self.world.heartbeats.next_late(self.judged)).min();
        [Some(plan), status.filter(|_| self.plan_due.due().is_none()), shown].into_iter().flatten().min()
    }

    /// When a plan is made although nothing has changed.
    fn next_plan(&self) -> Duration {
        self.succession.due(self.planned).unwrap_or(self.planned + RESYNC)
    }

    fn work(&mut self) {
        let now = self.clock.now();
        if self.plan_due.take(now) || now >= self.next_plan() {
            self.make_plan();
            self.status_due.note(now);
        }
        if self.plan_due.due().is_some() {
            return;
        }
        let is_time = self.look_again.is_some_and(|due| due <= now);
        if self.status_due.take(now) || is_time || self.world.heartbeats.became_late(self.judged, now) {
            self.put_statuses_together();
        }
    }

    fn make_plan(&mut self) {
        let begun = self.clock.now();
        self.planned = begun;
        self.draining = planning::draining(&self.world, &self.settings.drain_taints);
        let plan = Arc::new(planning::plan(&self.world, &self.draining, self.plan.as_deref()));
        let configs = node_config::writes(&self.world.node_configs, &self.world.nodes, &plan, &self.draining);
        let Settings { namespace, lease, owner, .. } = &self.settings;
        let configs = self.succession.admit(configs, &self.world.node_configs, begun);
        let mut access = node_access::writes(&self.world, namespace, owner.as_deref());
        access.extend(ownership::leases(&self.world, namespace, lease, owner.as_deref()));
        debug!(node_configs = configs.len(), access = access.len(), "planned");
        if self.plan.is_none() {
            let nodes = plan.node_configs.len();
            info!(nodes, node_configs_to_write = configs.len(), event = "planned", "the first plan is made");
        }
        self.surroundings.writer.replace(&[Written::NodeConfig], configs);
        self.surroundings.writer.replace(node_access::KINDS, access);
        self.plan = Some(plan);
        self.changed = true;
        self.surroundings.metrics.planned(self.clock.now().saturating_sub(begun));
    }

    fn put_statuses_together(&mut self) {
        let Some(plan) = &self.plan else { return };
        let monotonic = self.clock.now();
        let (draining, memory, now) = (&self.draining, &self.memory, Timestamp::now());
        let aggregate = statuses::aggregate(&self.world, Context { plan, draining, memory, now, monotonic });
        let writes = statuses::writes(&self.world, &aggregate);
        debug!(statuses = writes.len(), "put the statuses together");
        self.told.wait_for(&writes, |subject, status| statuses::is_seen(&self.world, subject, status));
        self.surroundings.writer.replace(status::KINDS, writes.into_iter().map(|write| write.write));
        self.surroundings.writer.replace(claim::KINDS, claim::writes(&self.world, &aggregate.namings));
        self.look_again = aggregate.look_again.map(|due| due.max(monotonic + STATUS.0));
        self.conditions = Conditions::of(&aggregate.virtual_ips);
        self.changed = true;
        self.memory = aggregate.memory;
        self.judged = monotonic;
        self.surroundings.metrics.aggregated(self.clock.now().saturating_sub(monotonic));
    }

    /// Renewals of leases come all the time, and change nothing.
    fn show(&mut self) {
        let now = self.clock.now();
        if !std::mem::take(&mut self.changed) && !self.world.heartbeats.became_late(self.shown, now) {
            return;
        }
        self.shown = now;
        let missing: Vec<Kind> = self.world.missing();
        let report = Report::of(&self.world, missing, &self.draining, &self.conditions, now);
        self.surroundings.report.send_if_modified(|current| {
            let changed = *current != report;
            if changed {
                *current = report;
            }
            changed
        });
    }
}
