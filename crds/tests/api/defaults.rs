//! Defaults of the schema and of the types are the same, and objects survive being written and read.

use holdfast_crds::UserKind::{self, HealthCheck, VirtualIP, VirtualIPGroup};
use holdfast_crds::{
    DurationString, Family, HealthCheckSpec, Manifest, NodeConfigSpec, NodeConfigStatus, Placement, ProtocolVersion,
    VirtualIPSpec, VirtualIPStatus,
};
use serde_json::{Value, json};

use crate::objects::object;

fn spec(kind: UserKind, spec: &str) -> Value {
    match Manifest::parse(object(kind, spec)).unwrap() {
        Manifest::VirtualIP(object) => serde_json::to_value(object.spec).unwrap(),
        Manifest::HealthCheck(object) => serde_json::to_value(object.spec).unwrap(),
        Manifest::VirtualIPGroup(object) => serde_json::to_value(object.spec).unwrap(),
    }
}

fn virtual_ip(text: &str) -> VirtualIPSpec {
    serde_json::from_value(spec(VirtualIP, text)).unwrap()
}

#[test]
fn a_virtual_ip_needs_its_addresses_only() {
    assert_eq!(
        spec(VirtualIP, "{addresses: [192.0.2.10/24]}"),
        json!({
            "addresses": ["192.0.2.10/24"],
            "protocolVersion": 3,
            "preemption": { "mode": "Preempt", "delay": "0s" },
            "transport": "Multicast",
            "ipv4Checksum": "PseudoHeader",
            "virtualMAC": false,
            "announcements": { "count": 5, "delay": "5s", "refresh": "1m" },
            "fencing": "Overlap",
        })
    );
    assert_eq!(virtual_ip("{addresses: [192.0.2.10/24]}"), VirtualIPSpec::new(["192.0.2.10/24"]));
}

#[test]
fn a_health_check_needs_its_probe_only() {
    assert_eq!(
        spec(HealthCheck, "{http: {port: 80}}"),
        json!({
            "http": {
                "scheme": "HTTP",
                "host": "127.0.0.1",
                "port": 80,
                "path": "/",
                "method": "GET",
                "statusCodes": ["200-399"],
            },
            "interval": "1s",
            "timeout": "1s",
            "rise": 2,
            "fall": 2,
            "weight": 0,
            "initialState": "Unknown",
        })
    );
    let checked: HealthCheckSpec = serde_json::from_value(spec(HealthCheck, "{http: {port: 80}}")).unwrap();
    assert_eq!(checked, HealthCheckSpec { http: checked.http.clone(), ..HealthCheckSpec::default() });
}

#[test]
fn nested_objects_are_filled_in() {
    for (kind, text, pointer, expected) in [
        (HealthCheck, "{process: {name: a}}", "/process", json!({ "name": "a", "minimum": 1 })),
        (HealthCheck, "{file: {path: /a}}", "/file", json!({ "path": "/a", "mode": "Exists" })),
        (HealthCheck, "{grpc: {port: 1}}", "/grpc", json!({ "host": "127.0.0.1", "port": 1 })),
        (
            HealthCheck,
            "{dns: {name: a}}",
            "/dns",
            json!({ "server": "127.0.0.1", "port": 53, "name": "a", "type": "A" }),
        ),
        (HealthCheck, "{udp: {port: 1}}", "/udp", json!({ "host": "127.0.0.1", "port": 1, "requireReply": false })),
        (HealthCheck, "{smtp: {}}", "/smtp", json!({ "host": "127.0.0.1", "port": 25, "helloName": "localhost" })),
        (
            HealthCheck,
            "{kubernetes: {nodeCondition: {}}}",
            "/kubernetes/nodeCondition",
            json!({ "type": "Ready", "status": "True" }),
        ),
        (
            HealthCheck,
            "{icmp: {host: a}, recovery: {command: [b]}}",
            "/recovery",
            json!({ "command": ["b"], "timeout": "10s", "attempts": 1 }),
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], announcements: {count: 1}}",
            "/announcements",
            json!({ "count": 1, "delay": "5s", "refresh": "1m" }),
        ),
        (
            VirtualIPGroup,
            "{members: [a, b], trackInterfaces: [{name: c}]}",
            "/trackInterfaces/0",
            json!({ "name": "c", "weight": 0, "reverse": false }),
        ),
    ] {
        assert_eq!(spec(kind, text).pointer(pointer), Some(&expected), "{text}");
    }
}

#[test]
fn the_interval_follows_the_version_unless_it_is_given() {
    for (text, interval) in [
        ("{addresses: [192.0.2.1]}", DurationString::from_millis(200)),
        ("{addresses: [192.0.2.1], protocolVersion: 2}", DurationString::from_secs(1)),
        ("{addresses: [192.0.2.1], advertisementInterval: 1s500ms}", DurationString::from_millis(1_500)),
    ] {
        assert_eq!(virtual_ip(text).interval(), interval, "{text}");
    }
}

#[test]
fn placement_follows_the_priorities_unless_it_is_given() {
    for (text, placement) in [
        ("{addresses: [192.0.2.1]}", Placement::Spread),
        ("{addresses: [192.0.2.1], priority: 5}", Placement::Priority),
        ("{addresses: [192.0.2.1], nodePriorities: [{nodeName: a, priority: 5}]}", Placement::Priority),
        ("{addresses: [192.0.2.1], placement: Priority}", Placement::Priority),
    ] {
        assert_eq!(virtual_ip(text).placement(), placement, "{text}");
    }
}

#[test]
fn the_first_entry_that_matches_a_node_wins_over_what_holds_for_all() {
    let spec = virtual_ip(
        "{addresses: [192.0.2.1], interface: eth0, priority: 50, \
         nodeInterfaces: [{nodeName: a, interface: eth1}, {nodeSelector: {matchLabels: {rack: r1}}, interface: eth2}], \
         nodePriorities: [{nodeSelector: {matchLabels: {rack: r1}}, priority: 150}, {nodeName: a, priority: 200}]}",
    );
    let rack = [("rack".to_owned(), "r1".to_owned())].into();
    let bare = [].into();
    for (node, labels, interface, priority) in
        [("a", &bare, "eth1", 200), ("a", &rack, "eth1", 150), ("b", &rack, "eth2", 150), ("b", &bare, "eth0", 50)]
    {
        assert_eq!(spec.interface_on(node, labels), Some(interface), "{node}");
        assert_eq!(spec.priority_on(node, labels), priority, "{node}");
    }
    let plain = VirtualIPSpec::new(["192.0.2.1"]);
    assert_eq!((plain.interface_on("a", &bare), plain.priority_on("a", &bare)), (None, 100));
}

#[test]
fn a_dual_stack_virtual_ip_has_both_families() {
    for (text, families) in [
        ("{addresses: [192.0.2.1, 192.0.2.2]}", vec![Family::IPv4]),
        ("{addresses: ['fd00::1', 192.0.2.1]}", vec![Family::IPv4, Family::IPv6]),
    ] {
        assert_eq!(virtual_ip(text).families(), Ok(families), "{text}");
    }
}

#[test]
fn written_objects_read_back_as_the_same() {
    let full = json!({
        "addresses": ["192.0.2.10/24"],
        "interface": "eth0",
        "nodeInterfaces": [{ "nodeName": "a", "interface": "eth1" }],
        "virtualRouterID": 51,
        "protocolVersion": 2,
        "advertisementInterval": "1s",
        "priority": 100,
        "nodePriorities": [{ "nodeSelector": { "matchLabels": { "a": "b" } }, "priority": 150 }],
        "placement": "Priority",
        "nodeSelector": { "matchExpressions": [{ "key": "a", "operator": "In", "values": ["b"] }] },
        "preemption": { "mode": "Preempt", "delay": "1m30s" },
        "transport": "Unicast",
        "externalPeers": [{ "address": "192.0.2.2", "name": "router", "priority": 90 }],
        "authentication": { "passwordKey": "web" },
        "ipv4Checksum": "PseudoHeader",
        "virtualMAC": true,
        "healthChecks": [{ "name": "nginx", "weight": -15, "reverse": false }],
        "trackInterfaces": [{ "name": "eth2", "weight": 0, "reverse": true }],
        "announcements": { "count": 5, "delay": "5s", "refresh": "0s" },
        "fencing": "None",
    });
    assert_eq!(spec(VirtualIP, &full.to_string()), full);
}

#[test]
fn a_status_says_only_what_its_writer_knows() {
    let master = VirtualIPStatus { master: Some("node-1".to_owned()), ..VirtualIPStatus::default() };
    assert_eq!(serde_json::to_value(master).unwrap(), json!({ "master": "node-1" }));
    assert_eq!(serde_json::to_value(NodeConfigStatus::default()).unwrap(), json!({}));
}

#[test]
fn a_node_config_of_a_later_version_can_be_read() {
    let spec: NodeConfigSpec = serde_json::from_value(json!({
        "virtualRouters": [{
            "name": "web",
            "virtualIP": "web",
            "group": "web",
            "family": "IPv4",
            "virtualRouterID": 51,
            "protocolVersion": 3,
            "advertisementInterval": "200ms",
            "priority": 100,
            "addresses": ["192.0.2.10/24"],
            "unheardOf": true,
        }],
        "groups": [{ "name": "web", "virtualIPs": ["web"] }],
        "unheardOf": [],
    }))
    .unwrap();
    assert_eq!(spec.virtual_routers[0].protocol_version, ProtocolVersion::V3);
    assert_eq!(spec.group_of(&spec.virtual_routers[0]).map(|group| group.name.as_str()), Some("web"));
}
