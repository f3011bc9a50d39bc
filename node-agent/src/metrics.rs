//! Metrics: the agent's own, and those that people who come from keepalived already graph.
//!
//! Made from the status on every scrape, so nothing is counted twice. Labels are bounded by the configuration.

use std::collections::BTreeMap;
use std::fmt;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::snapshot::{AgentStatus, RouterSnapshot, RouterState};

type Labels = Vec<(&'static str, String)>;

/// What a virtual router counts, by the name that keepalived's exporter gives it: name, help, and which of our counters
/// add up to it.
const KEEPALIVED_COUNTERS: [(&str, &str, &[&str]); 13] = [
    ("advertisements_received", "Advertisements received", &["adverts_received"]),
    ("advertisements_sent", "Advertisements sent", &["adverts_sent"]),
    ("become_master", "Transitions to master", &["became_master"]),
    ("release_master", "Transitions from master", &["released_master"]),
    ("priority_zero_received", "Priority 0 received", &["releases_received"]),
    ("priority_zero_sent", "Priority 0 sent", &["releases_sent"]),
    ("packet_length_errors", "Adverts of a wrong length", &["rejected_truncated", "rejected_trailing_bytes"]),
    (
        "advertisements_interval_errors",
        "Adverts with a wrong interval",
        &["rejected_interval_mismatch", "rejected_interval_zero"],
    ),
    ("ip_ttl_errors", "Adverts with a TTL other than 255", &["rejected_hop_limit"]),
    ("invalid_type_received", "VRRP messages that are no adverts", &["rejected_type"]),
    ("address_list_errors", "Adverts with another list of addresses", &["address_list_differs"]),
    ("authentication_mismatch", "Adverts with another authentication type", &["rejected_authentication_type"]),
    ("authentication_failure", "Adverts with a wrong password", &["rejected_authentication_data"]),
];

/// All metrics in the text format of OpenMetrics. `state_write_failures` counts failed writes of the state folder.
pub fn render(status: &AgentStatus, state_write_failures: u64) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    add_keepalived(&mut registry, status);
    add_routers(&mut registry, status);
    add_agent(&mut registry, status, state_write_failures);
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn add_keepalived(registry: &mut Registry, status: &AgentStatus) {
    let registry = registry.sub_registry_with_prefix("keepalived");
    let up = Gauge::<i64>::default();
    up.set(1);
    registry.register("up", "Whether the agent answers", up);
    let state = Family::<Labels, Gauge>::default();
    for router in &status.snapshot.virtual_routers {
        for address in &router.addresses {
            let mut labels = keepalived_labels(router);
            labels.push(("ip_address", address.to_string()));
            state.get_or_create(&labels).set(keepalived_state(router.state));
        }
    }
    registry.register("vrrp_state", "State of the virtual router: 0 init, 1 backup, 2 master, 3 fault", state);
    for (name, help, sources) in KEEPALIVED_COUNTERS {
        let family = Family::<Labels, Counter>::default();
        for router in &status.snapshot.virtual_routers {
            let sum = sources.iter().filter_map(|source| router.counters.get(*source)).sum();
            family.get_or_create(&keepalived_labels(router)).inc_by(sum);
        }
        registry.register(name, help, family);
    }
    let (script_status, script_state) = (Family::<Labels, Gauge>::default(), Family::<Labels, Gauge>::default());
    for check in &status.health_checks {
        let labels = vec![("name", check.name.clone())];
        script_status.get_or_create(&labels).set(i64::from(check.passing == Some(true)));
        script_state.get_or_create(&labels).set(i64::from(check.passing.is_some()));
    }
    registry.register("script_status", "Whether the health check passes", script_status);
    registry.register("script_state", "Whether the health check has a result", script_state);
}

fn add_routers(registry: &mut Registry, status: &AgentStatus) {
    let registry = registry.sub_registry_with_prefix("holdfast");
    let (state, priority) = (Family::<Labels, Gauge>::default(), Family::<Labels, Gauge>::default());
    let (held, transitions) = (Family::<Labels, Gauge>::default(), Family::<Labels, Counter>::default());
    let (events, rejected) = (Family::<Labels, Counter>::default(), Family::<Labels, Counter>::default());
    for router in &status.snapshot.virtual_routers {
        let labels = router_labels(router);
        let with = |name, value: &str| [labels.clone(), vec![(name, value.to_owned())]].concat();
        for (word, candidate) in STATES {
            state.get_or_create(&with("state", word)).set(i64::from(router.state == candidate));
        }
        priority.get_or_create(&labels).set(i64::from(router.priority));
        held.get_or_create(&labels).set(i64::try_from(router.held.len()).unwrap_or(i64::MAX));
        transitions.get_or_create(&labels).inc_by(router.transitions);
        for (name, count) in &router.counters {
            match name.strip_prefix("rejected_") {
                Some(check) => rejected.get_or_create(&with("check", check)).inc_by(*count),
                None => events.get_or_create(&with("event", name)).inc_by(*count),
            };
        }
    }
    registry.register("virtual_router_state", "1 for the state that the virtual router is in", state);
    registry.register("virtual_router_priority", "Effective priority, tracking included", priority);
    registry.register("virtual_router_held_addresses", "Addresses that this node holds now", held);
    registry.register("virtual_router_transitions", "Changes into and out of MASTER", transitions);
    registry.register("virtual_router_events", "What happened to the virtual router, by event", events);
    registry.register("virtual_router_rejected_adverts", "Adverts that failed a receive check, by check", rejected);
}

fn add_agent(registry: &mut Registry, status: &AgentStatus, state_write_failures: u64) {
    let registry = registry.sub_registry_with_prefix("holdfast");
    let info = Family::<Labels, Gauge>::default();
    info.get_or_create(&vec![("version", status.version.clone()), ("node", status.node.clone())]).set(1);
    registry.register("build_info", "Version of the agent", info);
    let errors = Gauge::<i64>::default();
    errors.set(i64::try_from(status.configuration_errors.len()).unwrap_or(i64::MAX));
    registry.register("configuration_errors", "Problems of the configuration", errors);
    let failures = Counter::<u64>::default();
    failures.inc_by(state_write_failures);
    registry.register("state_write_failures", "Failed writes of the state folder", failures);
    let interfaces = Family::<Labels, Gauge>::default();
    for interface in &status.snapshot.interfaces {
        interfaces.get_or_create(&vec![("interface", interface.name.clone())]).set(i64::from(interface.up));
    }
    registry.register("interface_up", "Whether the interface is up and has a carrier", interfaces);
    let checks = Family::<Labels, Gauge>::default();
    for check in status.health_checks.iter().filter(|check| check.passing.is_some()) {
        checks.get_or_create(&vec![("health_check", check.name.clone())]).set(i64::from(check.passing == Some(true)));
    }
    registry.register(
        "health_check_passing",
        "Whether the health check passes; absent before its first result",
        checks,
    );
    register_events(registry, &status.snapshot.counters);
}

fn register_events(registry: &mut Registry, counters: &BTreeMap<String, u64>) {
    let events = Family::<Labels, Counter>::default();
    for (name, count) in counters {
        events.get_or_create(&vec![("event", name.clone())]).inc_by(*count);
    }
    registry.register("agent_events", "What happened to the agent, by event", events);
}

const STATES: [(&str, RouterState); 4] = [
    ("INIT", RouterState::Init),
    ("FAULT", RouterState::Fault),
    ("BACKUP", RouterState::Backup),
    ("MASTER", RouterState::Master),
];

/// keepalived's numbers.
fn keepalived_state(state: RouterState) -> i64 {
    match state {
        RouterState::Init => 0,
        RouterState::Backup => 1,
        RouterState::Master => 2,
        RouterState::Fault => 3,
    }
}

fn keepalived_labels(router: &RouterSnapshot) -> Labels {
    vec![
        ("iname", router.name.clone()),
        ("intf", router.interface.clone().unwrap_or_default()),
        ("vrid", router.virtual_router_id.to_string()),
    ]
}

fn router_labels(router: &RouterSnapshot) -> Labels {
    vec![
        ("virtual_router", router.name.clone()),
        ("virtual_ip", router.virtual_ip.clone()),
        ("interface", router.interface.clone().unwrap_or_default()),
        ("vrid", router.virtual_router_id.to_string()),
        ("family", router.family.clone()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::{CheckSnapshot, InterfaceSnapshot, Snapshot};

    fn status() -> AgentStatus {
        let counters = [("adverts_sent", 7), ("rejected_truncated", 2), ("rejected_trailing_bytes", 3)];
        let router = RouterSnapshot {
            name: "web".to_owned(),
            virtual_ip: "web".to_owned(),
            group: "web".to_owned(),
            state: RouterState::Master,
            priority: 100,
            virtual_router_id: 51,
            interface: Some("eth0".to_owned()),
            family: "IPv4".to_owned(),
            addresses: vec!["192.0.2.1".parse().expect("an address")],
            held: vec!["192.0.2.1".parse().expect("an address")],
            since: String::new(),
            reason: String::new(),
            message: String::new(),
            transitions: 3,
            master_address: None,
            counters: counters.into_iter().map(|(name, count)| (name.to_owned(), count)).collect(),
        };
        AgentStatus {
            node: "a".to_owned(),
            version: "0".to_owned(),
            snapshot: Snapshot {
                virtual_routers: vec![router],
                interfaces: vec![InterfaceSnapshot {
                    name: "eth0".to_owned(),
                    up: true,
                    addresses: Vec::new(),
                    counters: BTreeMap::new(),
                }],
                counters: [("netlink_overruns".to_owned(), 4)].into(),
            },
            health_checks: vec![CheckSnapshot {
                name: "nginx".to_owned(),
                passing: Some(true),
                message: String::new(),
                since: None,
            }],
            configuration_errors: vec!["one".to_owned()],
        }
    }

    #[test]
    fn dashboards_for_keepalived_find_their_names() {
        let text = render(&status(), 5).expect("text");
        let labels = "{iname=\"web\",intf=\"eth0\",vrid=\"51\"";
        for line in [
            "keepalived_up 1".to_owned(),
            format!("keepalived_vrrp_state{labels},ip_address=\"192.0.2.1\"}} 2"),
            format!("keepalived_advertisements_sent_total{labels}}} 7"),
            format!("keepalived_advertisements_received_total{labels}}} 0"),
            format!("keepalived_become_master_total{labels}}} 0"),
            format!("keepalived_release_master_total{labels}}} 0"),
            format!("keepalived_priority_zero_received_total{labels}}} 0"),
            format!("keepalived_priority_zero_sent_total{labels}}} 0"),
            format!("keepalived_packet_length_errors_total{labels}}} 5"),
            format!("keepalived_advertisements_interval_errors_total{labels}}} 0"),
            format!("keepalived_ip_ttl_errors_total{labels}}} 0"),
            format!("keepalived_invalid_type_received_total{labels}}} 0"),
            format!("keepalived_address_list_errors_total{labels}}} 0"),
            format!("keepalived_authentication_mismatch_total{labels}}} 0"),
            format!("keepalived_authentication_failure_total{labels}}} 0"),
            "keepalived_script_status{name=\"nginx\"} 1".to_owned(),
            "keepalived_script_state{name=\"nginx\"} 1".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn the_agent_tells_about_itself() {
        let text = render(&status(), 5).expect("text");
        let labels = "{virtual_router=\"web\",virtual_ip=\"web\",interface=\"eth0\",vrid=\"51\",family=\"IPv4\"";
        for line in [
            format!("holdfast_virtual_router_state{labels},state=\"MASTER\"}} 1"),
            format!("holdfast_virtual_router_state{labels},state=\"BACKUP\"}} 0"),
            format!("holdfast_virtual_router_priority{labels}}} 100"),
            format!("holdfast_virtual_router_held_addresses{labels}}} 1"),
            format!("holdfast_virtual_router_transitions_total{labels}}} 3"),
            format!("holdfast_virtual_router_events_total{labels},event=\"adverts_sent\"}} 7"),
            format!("holdfast_virtual_router_rejected_adverts_total{labels},check=\"truncated\"}} 2"),
            "holdfast_configuration_errors 1".to_owned(),
            "holdfast_state_write_failures_total 5".to_owned(),
            "holdfast_interface_up{interface=\"eth0\"} 1".to_owned(),
            "holdfast_health_check_passing{health_check=\"nginx\"} 1".to_owned(),
            "holdfast_agent_events_total{event=\"netlink_overruns\"} 4".to_owned(),
            "holdfast_build_info{version=\"0\",node=\"a\"} 1".to_owned(),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }
}
