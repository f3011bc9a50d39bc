//! Metrics: the agent's own, and those that people who come from keepalived already graph.
//!
//! Made from the status on every scrape, so nothing is counted twice. Labels are bounded by the configuration: a node may
//! have thousands of interfaces, and a flood of packets may come from as many senders.

mod api;
mod holdfast;
mod keepalived;
mod per_router;

use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

use crate::desired::Desired;
use crate::snapshot::AgentStatus;

/// What metrics show beside the status.
#[derive(Clone, Debug)]
pub struct Extras {
    /// What the election thread was told to run.
    pub desired: Arc<Desired>,
    /// When the agent started.
    pub started: SystemTime,
    /// How often the state folder could not be written.
    pub state_write_failures: u64,
    /// How often a fault of the agent kept it from following its configuration.
    pub configuration_faults: u64,
}

type Labels = Vec<(&'static str, String)>;

/// A number for each set of labels. Those that are not set stay away.
type Gauges = Family<Labels, Gauge>;

/// As [`Gauges`], for what only grows.
type Counters = Family<Labels, Counter>;

/// All metrics in the text format of `OpenMetrics`.
pub fn render(status: AgentStatus, extras: &Extras) -> Result<String, fmt::Error> {
    let (status, mut registry) = (Arc::new(status), Registry::default());
    keepalived::register(&mut registry, &status, extras);
    holdfast::register(&mut registry, &status, extras);
    if let Some(api) = &status.api {
        api::register(&mut registry, api);
    }
    let mut text = String::new();
    encode(&mut text, &registry)?;
    Ok(text)
}

fn set(gauges: &Gauges, labels: &Labels, value: impl TryInto<i64>) {
    gauges.get_or_create(labels).set(value.try_into().unwrap_or(i64::MAX));
}

fn count(counters: &Counters, labels: &Labels, count: u64) {
    counters.get_or_create(labels).inc_by(count);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use holdfast_vrrp::{
        AdvertInterval, Announcements, Family, GroupConfig, Ipv4Checksum, MemberConfig, Preemption, Priority, Protocol,
        Transport, VirtualRouterId,
    };

    use super::*;
    use crate::desired::{DesiredAddress, DesiredGroup, DesiredRouter, Fencing, InterfaceChoice, TrackerSource};
    use crate::snapshot::{CheckSnapshot, CounterName, InterfaceSnapshot, RouterSnapshot, RouterState, Snapshot};

    const VIP: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn router(counters: &[(&str, u64)]) -> RouterSnapshot {
        RouterSnapshot {
            name: "web".to_owned(),
            virtual_ip: "web".to_owned(),
            group: "web".to_owned(),
            state: RouterState::Master,
            priority: 100,
            virtual_router_id: 51,
            interface: Some("eth0".to_owned()),
            family: "IPv4".to_owned(),
            addresses: vec![VIP],
            held: vec![VIP],
            since: String::new(),
            reason: String::new(),
            message: String::new(),
            transitions: 3,
            master_address: None,
            fencing: Some(Fencing::default()),
            fence_unavailable: false,
            obstacle: None,
            occupied: Vec::new(),
            foreign_router: None,
            counters: counters.iter().map(|(name, count)| (CounterName::from((*name).to_owned()), *count)).collect(),
        }
    }

    fn interface(name: &str) -> InterfaceSnapshot {
        let counters = BTreeMap::from([("receive_drops".to_owned(), 6)]);
        InterfaceSnapshot { name: name.to_owned(), up: true, addresses: Vec::new(), counters }
    }

    fn status() -> AgentStatus {
        let counters = [
            ("adverts_sent", 7),
            ("releases_sent", 1),
            ("rejected_truncated", 2),
            ("rejected_trailing_bytes", 3),
            ("rejected_authentication_data", 4),
            ("stalls", 1),
        ];
        AgentStatus {
            node: "a".to_owned(),
            version: "0".to_owned(),
            snapshot: Snapshot {
                virtual_routers: vec![router(&counters)],
                interfaces: vec![interface("eth0"), interface("eth1"), interface("veth17")],
                counters: [("netlink_overruns".to_owned(), 4)].into(),
            },
            health_checks: vec![CheckSnapshot {
                name: "nginx".to_owned(),
                passing: Some(true),
                message: String::new(),
                since: None,
            }],
            configuration_errors: vec!["one".to_owned()],
            api: None,
        }
    }

    fn extras() -> Extras {
        let member = MemberConfig {
            virtual_router_id: VirtualRouterId::new(51).expect("an ID"),
            family: Family::Ipv4,
            protocol: Protocol::V3 { checksum: Ipv4Checksum::default() },
            interval: AdvertInterval::v3(Duration::from_millis(200)).expect("an interval"),
            priority: Priority::new(100).expect("a priority"),
            addresses: vec![VIP],
            transport: Transport::Multicast,
            known_peers: None,
            rival: None,
            announcements: Announcements::default(),
        };
        let preemption = Preemption::Preempt { delay: Duration::ZERO };
        let group = DesiredGroup {
            name: "web".to_owned(),
            routers: vec![DesiredRouter {
                name: "web".to_owned(),
                virtual_ip: "web".to_owned(),
                family: Family::Ipv4,
                interface: InterfaceChoice::Named("eth0".to_owned()),
                addresses: vec![DesiredAddress { address: VIP, prefix_length: 32 }],
                fencing: Fencing::default(),
            }],
            config: GroupConfig::new(vec![member], preemption, Vec::new()).expect("a group"),
            trackers: vec![TrackerSource::Interface("eth1".to_owned())],
        };
        Extras {
            desired: Arc::new(Desired { groups: vec![group.into()] }),
            started: SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000),
            state_write_failures: 5,
            configuration_faults: 2,
        }
    }

    fn assert_has(text: &str, lines: &[String]) {
        for line in lines {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
    }

    #[test]
    fn dashboards_for_keepalived_find_their_names() {
        let text = render(status(), &extras()).expect("text");
        let labels = "{iname=\"web\",intf=\"eth0\",vrid=\"51\"";
        let counts = [
            ("advertisements_sent", 8),
            ("advertisements_received", 0),
            ("become_master", 0),
            ("release_master", 0),
            ("priority_zero_received", 0),
            ("priority_zero_sent", 1),
            ("packet_length_errors", 5),
            ("advertisements_interval_errors", 0),
            ("ip_ttl_errors", 0),
            ("invalid_type_received", 0),
            ("address_list_errors", 0),
            ("authentication_invalid", 4),
            ("authentication_mismatch", 0),
            ("authentication_failure", 4),
            ("gratuitous_arp_delay", 5),
        ];
        let lines = counts.map(|(name, count)| format!("keepalived_{name}_total{labels}}} {count}"));
        assert_has(&text, &lines);
        let lines = [
            "keepalived_up 1".to_owned(),
            format!("keepalived_vrrp_state{labels},ip_address=\"192.0.2.1\"}} 2"),
            format!("keepalived_exporter_check_script_status{labels},ip_address=\"192.0.2.1\"}} 1"),
            "keepalived_script_status{name=\"nginx\"} 1".to_owned(),
            "keepalived_script_state{name=\"nginx\"} 1".to_owned(),
        ];
        assert_has(&text, &lines);
    }

    #[test]
    fn the_agent_tells_about_itself() {
        let text = render(status(), &extras()).expect("text");
        let labels = "{virtual_router=\"web\",virtual_ip=\"web\",interface=\"eth0\",vrid=\"51\",family=\"IPv4\"";
        let lines = [
            format!("holdfast_virtual_router_state{labels},state=\"MASTER\"}} 1"),
            format!("holdfast_virtual_router_state{labels},state=\"BACKUP\"}} 0"),
            format!("holdfast_virtual_router_priority{labels}}} 100"),
            format!("holdfast_virtual_router_held_addresses{labels}}} 1"),
            format!("holdfast_virtual_router_transitions_total{labels}}} 3"),
            format!("holdfast_virtual_router_events_total{labels},event=\"stalls\"}} 1"),
            format!("holdfast_virtual_router_rejected_adverts_total{labels},check=\"truncated\"}} 2"),
            "holdfast_configuration_errors 1".to_owned(),
            "holdfast_state_write_failures_total 5".to_owned(),
            "holdfast_configuration_faults_total 2".to_owned(),
            "holdfast_health_check_passing{health_check=\"nginx\"} 1".to_owned(),
            "holdfast_agent_events_total{event=\"netlink_overruns\"} 4".to_owned(),
            "holdfast_build_info{version=\"0\",node=\"a\"} 1".to_owned(),
            "process_start_time_seconds 1700000000".to_owned(),
        ];
        assert_has(&text, &lines);
    }

    #[test]
    fn of_interfaces_only_those_in_use_are_shown() {
        let text = render(status(), &extras()).expect("text");
        for used in ["eth0", "eth1"] {
            let lines = [
                format!("holdfast_interface_up{{interface=\"{used}\"}} 1"),
                format!("holdfast_interface_events_total{{interface=\"{used}\",event=\"receive_drops\"}} 6"),
            ];
            assert_has(&text, &lines);
        }
        assert!(!text.contains("veth17"), "{text}");
    }

    #[test]
    fn an_address_that_a_master_lacks_is_not_in_order() {
        let mut status = status();
        status.snapshot.virtual_routers[0].held.clear();
        let text = render(status, &extras()).expect("text");
        let name = "keepalived_exporter_check_script_status";
        let line = text.lines().find(|line| line.starts_with(name)).expect("a line");
        assert!(line.ends_with(" 0"), "{line}");
    }
}
