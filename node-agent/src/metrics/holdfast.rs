//! The agent's own metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::per_router::PerRouter;
use super::{Counters, Extras, Gauges, Labels, count, set};
use crate::desired::{Desired, Fencing, TrackerSource};
use crate::election::router_counters;
use crate::snapshot::{AgentStatus, RouterSnapshot, RouterState};

const MODES: [(&str, Fencing); 3] =
    [("Overlap", Fencing::Overlap), ("Strict", Fencing::Strict), ("None", Fencing::None)];

const STATES: [(&str, RouterState); 4] = [
    ("INIT", RouterState::Init),
    ("FAULT", RouterState::Fault),
    ("BACKUP", RouterState::Backup),
    ("MASTER", RouterState::Master),
];

pub(super) fn register(registry: &mut Registry, status: &Arc<AgentStatus>, extras: &Extras) {
    register_start(registry, extras.started);
    let registry = registry.sub_registry_with_prefix("holdfast");
    register_routers(&mut PerRouter { registry, status });
    register_interfaces(registry, status, &extras.desired);
    register_checks(registry, status);
    register_agent(registry, status, extras);
}

/// Under the name that every program uses.
fn register_start(registry: &mut Registry, started: SystemTime) {
    let start = Gauge::<i64>::default();
    let seconds = started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
    start.set(i64::try_from(seconds).unwrap_or(i64::MAX));
    registry.register("process_start_time_seconds", "When the agent started, in seconds since 1970", start);
}

fn register_routers(routers: &mut PerRouter<'_>) {
    routers.gauge("virtual_router_state", "1 for the state that the virtual router is in", |router| {
        STATES.map(|(word, state)| (with(router, "state", word), u64::from(router.state == state))).into()
    });
    routers.gauge("virtual_router_fencing", "1 for the fencing that is in force for what is held", |router| {
        MODES.map(|(word, mode)| (with(router, "mode", word), u64::from(router.fencing == Some(mode)))).into()
    });
    routers.gauge("virtual_router_priority", "Effective priority, tracking included", |router| {
        vec![(labels(router), u64::from(router.priority))]
    });
    routers.gauge("virtual_router_held_addresses", "Addresses that this node holds now", |router| {
        vec![(labels(router), u64::try_from(router.held.len()).unwrap_or(u64::MAX))]
    });
    routers.counter("virtual_router_transitions", "Changes into and out of MASTER", |router| {
        vec![(labels(router), router.transitions)]
    });
    let (events, rejected) = events_and_checks();
    routers.counter("virtual_router_events", "What happened to the virtual router, by event", move |router| {
        events.iter().map(|name| (with(router, "event", name), counted(router, name))).collect()
    });
    let help = "Adverts that failed a receive check, by check";
    routers.counter("virtual_router_rejected_adverts", help, move |router| {
        rejected.iter().map(|(name, check)| (with(router, "check", check), counted(router, name))).collect()
    });
}

/// The names of the counters of a virtual router; those of failed receive checks with the check.
fn events_and_checks() -> (Vec<&'static str>, Vec<(&'static str, &'static str)>) {
    let names = router_counters();
    let check = |name: &'static str| name.strip_prefix("rejected_").map(|check| (name, check));
    let events = names.iter().copied().filter(|name| check(name).is_none()).collect();
    (events, names.into_iter().filter_map(check).collect())
}

fn counted(router: &RouterSnapshot, name: &str) -> u64 {
    router.counters.get(name).copied().unwrap_or_default()
}

fn with(router: &RouterSnapshot, name: &'static str, value: &str) -> Labels {
    [labels(router), vec![(name, value.to_owned())]].concat()
}

/// Only those that the configuration uses: a node of a cluster has one more for every pod.
fn register_interfaces(registry: &mut Registry, status: &AgentStatus, desired: &Desired) {
    let (up, events) = (Gauges::default(), Counters::default());
    let used = used_interfaces(status, desired);
    for interface in status.snapshot.interfaces.iter().filter(|interface| used.contains(interface.name.as_str())) {
        let labels = vec![("interface", interface.name.clone())];
        set(&up, &labels, i64::from(interface.up));
        for (name, number) in &interface.counters {
            count(&events, &[labels.clone(), vec![("event", name.clone())]].concat(), *number);
        }
    }
    registry.register("interface_up", "Whether the interface is up and has a carrier", up);
    registry.register("interface_events", "What happened on the interface, by event", events);
}

fn used_interfaces<'a>(status: &'a AgentStatus, desired: &'a Desired) -> BTreeSet<&'a str> {
    let running = status.snapshot.virtual_routers.iter().filter_map(|router| router.interface.as_deref());
    let tracked = desired.groups.iter().flat_map(|group| &group.trackers).filter_map(|source| match source {
        TrackerSource::Interface(name) => Some(name.as_str()),
        TrackerSource::HealthCheck(_) => None,
    });
    running.chain(tracked).collect()
}

fn register_checks(registry: &mut Registry, status: &AgentStatus) {
    let passing = Gauges::default();
    for check in &status.health_checks {
        if let Some(passes) = check.passing {
            set(&passing, &vec![("health_check", check.name.clone())], i64::from(passes));
        }
    }
    let help = "Whether the health check passes; absent before its first result";
    registry.register("health_check_passing", help, passing);
}

fn register_agent(registry: &mut Registry, status: &AgentStatus, extras: &Extras) {
    let info = Gauges::default();
    set(&info, &vec![("version", status.version.clone()), ("node", status.node.clone())], 1);
    registry.register("build_info", "Version of the agent", info);
    let errors = Gauge::<i64>::default();
    errors.set(i64::try_from(status.configuration_errors.len()).unwrap_or(i64::MAX));
    registry.register("configuration_errors", "Problems of the configuration", errors);
    let total = |number| {
        let counter = Counter::<u64>::default();
        counter.inc_by(number);
        counter
    };
    let help = "Faults of the agent that kept it from following its configuration";
    registry.register("configuration_faults", help, total(extras.configuration_faults));
    let help = "Failed attempts to write the state folder";
    registry.register("state_write_failures", help, total(extras.state_write_failures));
    register_events(registry, &status.snapshot.counters);
}

fn register_events(registry: &mut Registry, counted: &BTreeMap<String, u64>) {
    let events = Counters::default();
    for (name, number) in counted {
        count(&events, &vec![("event", name.clone())], *number);
    }
    registry.register("agent_events", "What happened to the agent, by event", events);
}

fn labels(router: &RouterSnapshot) -> Labels {
    vec![
        ("virtual_router", router.name.clone()),
        ("virtual_ip", router.virtual_ip.clone()),
        ("interface", router.interface.clone().unwrap_or_default()),
        ("vrid", router.virtual_router_id.to_string()),
        ("family", router.family.clone()),
    ]
}
