//! The metrics of keepalived's exporter, under its names and with its labels, so that its dashboards and alerts go on.
//!
//! `keepalived_vrrp_excluded_state` is missing: it is about addresses that are held and not advertised, and there are
//! none.

use std::collections::BTreeMap;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::{Counters, Extras, Gauges, Labels, count, set};
use crate::desired::Desired;
use crate::snapshot::{AgentStatus, RouterSnapshot, RouterState};

/// What a virtual router counts: name, help, and which of our counters add up to it.
const COUNTERS: [(&str, &str, &[&str]); 14] = [
    ("advertisements_received", "Advertisements received", &["adverts_received"]),
    ("advertisements_sent", "Advertisements sent", &["adverts_sent", "releases_sent"]),
    ("become_master", "Transitions to master", &["became_master"]),
    ("release_master", "Transitions from master", &["released_master"]),
    ("priority_zero_received", "Advertisements with priority 0 received", &["releases_received"]),
    ("priority_zero_sent", "Advertisements with priority 0 sent", &["releases_sent"]),
    ("packet_length_errors", "Adverts of a wrong length", &["rejected_truncated", "rejected_trailing_bytes"]),
    (
        "advertisements_interval_errors",
        "Adverts with a wrong interval",
        &["rejected_interval_mismatch", "rejected_interval_zero"],
    ),
    ("ip_ttl_errors", "Adverts with a TTL other than 255", &["rejected_hop_limit"]),
    ("invalid_type_received", "VRRP messages that are no adverts", &["rejected_type"]),
    (
        "address_list_errors",
        "Adverts with another list of addresses",
        &["address_list_differs", "rejected_address_count"],
    ),
    (
        "authentication_invalid",
        "Adverts whose authentication was refused",
        &["rejected_authentication_type", "rejected_authentication_data"],
    ),
    ("authentication_mismatch", "Adverts with another authentication type", &["rejected_authentication_type"]),
    ("authentication_failure", "Adverts with a wrong password", &["rejected_authentication_data"]),
];

pub(super) fn register(registry: &mut Registry, status: &AgentStatus, extras: &Extras) {
    let registry = registry.sub_registry_with_prefix("keepalived");
    let up = Gauge::<i64>::default();
    up.set(1);
    registry.register("up", "Whether the agent answers", up);
    register_states(registry, &status.snapshot.virtual_routers);
    register_counters(registry, &status.snapshot.virtual_routers);
    register_announcement_delay(registry, &status.snapshot.virtual_routers, &extras.desired);
    register_scripts(registry, status);
}

fn register_states(registry: &mut Registry, routers: &[RouterSnapshot]) {
    let (states, checks) = (Gauges::default(), Gauges::default());
    for router in routers {
        for address in &router.addresses {
            let labels = [labels(router), vec![("ip_address", address.to_string())]].concat();
            set(&states, &labels, number(router.state));
            let in_order = match router.state {
                RouterState::Master => router.held.contains(address),
                RouterState::Backup => !router.held.contains(address),
                RouterState::Init | RouterState::Fault => false,
            };
            set(&checks, &labels, i64::from(in_order));
        }
    }
    registry.register("vrrp_state", "State of the virtual router: 0 init, 1 backup, 2 master, 3 fault", states);
    registry.register(
        "exporter_check_script_status",
        "Whether the address is where it should be: on the interface of a master, and of nobody else",
        checks,
    );
}

fn register_counters(registry: &mut Registry, routers: &[RouterSnapshot]) {
    for (name, help, sources) in COUNTERS {
        let counters = Counters::default();
        for router in routers {
            let sum = sources.iter().filter_map(|source| router.counters.get(*source)).sum();
            count(&counters, &labels(router), sum);
        }
        registry.register(name, help, counters);
    }
}

/// No count, whatever its name says: the exporter shows the configured `garp_master_delay` under it.
fn register_announcement_delay(registry: &mut Registry, routers: &[RouterSnapshot], desired: &Desired) {
    let delays: BTreeMap<&str, u64> = desired
        .groups
        .iter()
        .flat_map(|group| group.routers.iter().zip(group.config.members()))
        .map(|(router, member)| (router.name.as_str(), member.announcements.delay.as_secs()))
        .collect();
    let counters = Counters::default();
    for router in routers {
        if let Some(seconds) = delays.get(router.name.as_str()) {
            count(&counters, &labels(router), *seconds);
        }
    }
    registry.register("gratuitous_arp_delay", "Configured delay of the last announcement, in seconds", counters);
}

/// Health checks are what scripts are to keepalived.
fn register_scripts(registry: &mut Registry, status: &AgentStatus) {
    let (passing, known) = (Gauges::default(), Gauges::default());
    for check in &status.health_checks {
        let labels = vec![("name", check.name.clone())];
        set(&passing, &labels, i64::from(check.passing == Some(true)));
        set(&known, &labels, i64::from(check.passing.is_some()));
    }
    registry.register("script_status", "Whether the health check passes", passing);
    registry.register("script_state", "Whether the health check has a result", known);
}

/// keepalived's numbers.
fn number(state: RouterState) -> i64 {
    match state {
        RouterState::Init => 0,
        RouterState::Backup => 1,
        RouterState::Master => 2,
        RouterState::Fault => 3,
    }
}

fn labels(router: &RouterSnapshot) -> Labels {
    vec![
        ("iname", router.name.clone()),
        ("intf", router.interface.clone().unwrap_or_default()),
        ("vrid", router.virtual_router_id.to_string()),
    ]
}
