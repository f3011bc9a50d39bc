//! The metrics of keepalived's exporter, under its names and with its labels, so that its dashboards and alerts go on.
//!
//! `keepalived_vrrp_excluded_state` is missing: it is about addresses that are held and not advertised, and there are
//! none.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use super::per_router::{PerRouter, Samples};
use super::{Extras, Gauges, Labels, set};
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

pub(super) fn register(registry: &mut Registry, status: &Arc<AgentStatus>, extras: &Extras) {
    let registry = registry.sub_registry_with_prefix("keepalived");
    let up = Gauge::<i64>::default();
    up.set(1);
    registry.register("up", "Whether the agent answers", up);
    let mut routers = PerRouter { registry, status };
    register_states(&mut routers);
    register_counters(&mut routers);
    register_announcement_delay(&mut routers, &extras.desired);
    register_scripts(registry, status);
}

fn register_states(routers: &mut PerRouter<'_>) {
    let help = "State of the virtual router: 0 init, 1 backup, 2 master, 3 fault";
    routers.gauge("vrrp_state", help, |router| of_addresses(router, |_| number(router.state)));
    let help = "Whether the address is where it should be: on the interface of a master, and of nobody else";
    routers.gauge("exporter_check_script_status", help, |router| {
        of_addresses(router, |address| match router.state {
            RouterState::Master => u64::from(router.held.contains(&address)),
            RouterState::Backup => u64::from(!router.held.contains(&address)),
            RouterState::Init | RouterState::Fault => 0,
        })
    });
}

fn of_addresses(router: &RouterSnapshot, value: impl Fn(IpAddr) -> u64) -> Samples {
    let labels = |address: &IpAddr| [labels(router), vec![("ip_address", address.to_string())]].concat();
    router.addresses.iter().map(|address| (labels(address), value(*address))).collect()
}

fn register_counters(routers: &mut PerRouter<'_>) {
    for (name, help, sources) in COUNTERS {
        routers.counter(name, help, move |router| {
            vec![(labels(router), sources.iter().filter_map(|source| router.counters.get(*source)).sum())]
        });
    }
}

/// No count, whatever its name says: the exporter shows the configured `garp_master_delay` under it.
fn register_announcement_delay(routers: &mut PerRouter<'_>, desired: &Desired) {
    let delays: BTreeMap<String, u64> = desired
        .groups
        .iter()
        .flat_map(|group| group.routers.iter().zip(group.config.members()))
        .map(|(router, member)| (router.name.clone(), member.announcements.delay.as_secs()))
        .collect();
    let help = "Configured delay of the last announcement, in seconds";
    routers.counter("gratuitous_arp_delay", help, move |router| {
        delays.get(&router.name).map(|seconds| (labels(router), *seconds)).into_iter().collect()
    });
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
fn number(state: RouterState) -> u64 {
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
