//! From what was seen to the statuses that must be written, and to what is told once they are. Pure; what a status says is
//! decided by [`aggregate`](mod@crate::aggregate), what of it is news by [`transition`](crate::transition).

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_crds::{HealthCheck, VirtualIP, VirtualIPGroup};
use holdfast_plan::Plan;
use jiff::Timestamp;
use kube::{Resource, ResourceExt};

use crate::aggregate::{
    self, Aggregate, Memory, Observed, OwnStatus, Pulse, UnreadableObjects, equal_but_for_timestamps,
};
use crate::drain::Draining;
use crate::events::News;
use crate::status::{self, Reported, Status, StatusWrite, Subject};
use crate::transition::{Transition, transitions};
use crate::world::{Store, World};

/// What is known beside what was seen.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The plan that was made of what was seen.
    pub plan: &'a Plan,
    /// The nodes that are being emptied, and why.
    pub draining: &'a BTreeMap<String, Draining>,
    /// What was remembered the last time.
    pub memory: &'a Memory,
    /// The time for people.
    pub now: Timestamp,
    /// The time for decisions.
    pub monotonic: Duration,
}

/// Puts the statuses together.
pub fn aggregate(world: &World, context: Context<'_>) -> Aggregate {
    let heartbeats = pulses(world, context.monotonic);
    let observed = Observed {
        virtual_ips: world.virtual_ips.objects(),
        health_checks: world.health_checks.objects(),
        groups: world.groups.objects(),
        unreadable: UnreadableObjects {
            virtual_ips: world.virtual_ips.unreadable(),
            health_checks: world.health_checks.unreadable(),
            groups: world.groups.unreadable(),
        },
        nodes: world.nodes.objects(),
        node_configs: world.node_configs.objects(),
        plan: context.plan,
        draining: context.draining,
        heartbeats: &heartbeats,
        now: context.now,
        monotonic: context.monotonic,
    };
    aggregate::aggregate(&observed, context.memory)
}

fn pulses(world: &World, now: Duration) -> BTreeMap<String, Pulse> {
    let pulse = |node: &String| Pulse {
        heartbeat: world.heartbeats.of(node, now),
        renewed: world.heartbeats.last_renewal(node),
    };
    let names = world.nodes.objects().iter().map(ResourceExt::name_any);
    names.map(|name| (name.clone(), pulse(&name))).collect()
}

/// The statuses that say something new.
pub fn writes(world: &World, aggregate: &Aggregate) -> Vec<StatusWrite> {
    let Aggregate { virtual_ips, health_checks, groups, .. } = aggregate;
    let mut writes = status::writes(&world.virtual_ips, virtual_ips, equal_but_for_timestamps);
    writes.extend(status::writes(&world.health_checks, health_checks, equal_but_for_timestamps));
    writes.extend(status::writes(&world.groups, groups, equal_but_for_timestamps));
    writes
}

/// Whether the watch has brought a status back that was written, or there is no such object any more.
pub fn is_seen(world: &World, subject: &Subject, status: &Status) -> bool {
    match status {
        Status::VirtualIP(status) => is_in(&world.virtual_ips, subject, status),
        Status::HealthCheck(status) => is_in(&world.health_checks, subject, status),
        Status::VirtualIPGroup(status) => is_in(&world.groups, subject, status),
    }
}

fn is_in<K: Reported<Status: OwnStatus>>(store: &Store<K>, subject: &Subject, status: &K::Status) -> bool {
    let Some(object) = store.get(&subject.target.name) else { return !store.contains(&subject.target.name) };
    object.uid() != subject.uid || object.status().is_some_and(|seen| equal_but_for_timestamps(seen, status))
}

/// What there is to tell once a status was written over another one.
pub fn news(subject: &Subject, before: &Status, now: &Status) -> Vec<News> {
    let (kind, transitions) = match (before, now) {
        (Status::VirtualIP(before), Status::VirtualIP(now)) => (VirtualIP::kind(&()), transitions(&**before, now)),
        (Status::HealthCheck(before), Status::HealthCheck(now)) => {
            (HealthCheck::kind(&()), transitions(&**before, now))
        }
        (Status::VirtualIPGroup(before), Status::VirtualIPGroup(now)) => {
            (VirtualIPGroup::kind(&()), transitions(&**before, now))
        }
        // The target of a write does not change its kind.
        _ => return Vec::new(),
    };
    let tell = |transition: Transition| News {
        kind: kind.to_string(),
        name: subject.target.name.clone(),
        uid: subject.uid.clone(),
        severity: transition.severity,
        reason: transition.reason,
        action: transition.action,
        note: transition.note,
    };
    transitions.into_iter().map(tell).collect()
}
