//! What the schema alone decides: types, ranges, enums, required and unknown fields, unique entries, defaults.

use holdfast_crds::UserKind::{self, HealthCheck, VirtualIP, VirtualIPGroup};
use holdfast_crds::{Manifest, ParseManifestError, Violation};
use serde_json::{Value, json};

use crate::objects::{object, violations};

fn messages(violations: &[Violation]) -> Vec<String> {
    violations.iter().map(ToString::to_string).collect()
}

#[test]
fn a_message_names_the_field_and_what_is_allowed() {
    for (kind, spec, expected) in [
        (VirtualIP, "{}", "spec.addresses: is required"),
        (VirtualIP, "{addresses: }", "spec.addresses: is required"),
        (VirtualIP, "{addresses: []}", "spec.addresses: must be 1 to 64 entries long, not 0"),
        (VirtualIP, "{addresses: 192.0.2.1}", "spec.addresses: must be a list, not \"192.0.2.1\""),
        (VirtualIP, "{addresses: [192.0.2.1], priority: 0}", "spec.priority: must be 1 to 255, not 0"),
        (VirtualIP, "{addresses: [192.0.2.1], priority: 256}", "spec.priority: must be 1 to 255, not 256"),
        (VirtualIP, "{addresses: [192.0.2.1], priority: 1.5}", "spec.priority: must be a whole number, not 1.5"),
        (VirtualIP, "{addresses: [192.0.2.1], priority: '9'}", "spec.priority: must be a whole number, not \"9\""),
        (VirtualIP, "{addresses: [192.0.2.1], virtualRouterID: 0}", "spec.virtualRouterID: must be 1 to 255, not 0"),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], virtualRouterID: 256}",
            "spec.virtualRouterID: must be 1 to 255, not 256",
        ),
        (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 4}", "spec.protocolVersion: must be one of 2, 3, not 4"),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], transport: unicast}",
            "spec.transport: must be one of Multicast, Unicast, not \"unicast\"",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], interface: enp65s0f1np1.4242}",
            "spec.interface: must be 1 to 15 characters long, not 17",
        ),
        (VirtualIP, "{addresses: [192.0.2.1], virtualMAC: 1}", "spec.virtualMAC: must be true or false, not 1"),
        (VirtualIP, "{addresses: [192.0.2.1], preemption: 5}", "spec.preemption: must be a map of fields, not 5"),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], announcements: {count: 21}}",
            "spec.announcements.count: must be 1 to 20, not 21",
        ),
        (VirtualIP, "{addresses: [192.0.2.1], healthChecks: [{weight: 1}]}", "spec.healthChecks[0].name: is required"),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], healthChecks: [{name: a, weight: 254}]}",
            "spec.healthChecks[0].weight: must be -253 to 253, not 254",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], trackInterfaces: [{name: a, weight: -254}]}",
            "spec.trackInterfaces[0].weight: must be -253 to 253, not -254",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], nodePriorities: [{nodeName: a, priority: 256}]}",
            "spec.nodePriorities[0].priority: must be 1 to 255, not 256",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], externalPeers: [{address: 192.0.2.2, priority: 0}]}",
            "spec.externalPeers[0].priority: must be 1 to 255, not 0",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], nodeSelector: {matchLabels: {a: 1}}}",
            "spec.nodeSelector.matchLabels.a: must be a string, not 1 (put it in quotes)",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], nodeSelector: {matchExpressions: [{key: a, operator: Is, values: [b]}]}}",
            "spec.nodeSelector.matchExpressions[0].operator: must be one of In, NotIn, Exists, DoesNotExist, not \"Is\"",
        ),
        (HealthCheck, "{tcp: {port: 0}}", "spec.tcp.port: must be 1 to 65535, not 0"),
        (HealthCheck, "{tcp: {port: 65536}}", "spec.tcp.port: must be 1 to 65535, not 65536"),
        (HealthCheck, "{tcp: {}}", "spec.tcp.port: is required"),
        (HealthCheck, "{icmp: {host: a}, rise: 0}", "spec.rise: must be 1 to 100, not 0"),
        (HealthCheck, "{icmp: {host: a}, fall: 101}", "spec.fall: must be 1 to 100, not 101"),
        (HealthCheck, "{icmp: {host: a}, weight: -254}", "spec.weight: must be -253 to 253, not -254"),
        (
            HealthCheck,
            "{process: {name: kube-controller-manager}}",
            "spec.process.name: must be 1 to 15 characters long, not 23",
        ),
        (
            HealthCheck,
            "{kubernetes: {nodeCondition: {status: True}}}",
            "spec.kubernetes.nodeCondition.status: must be a string, not true (put it in quotes)",
        ),
        (
            HealthCheck,
            "{icmp: {host: a}, recovery: {command: [a], attempts: 11}}",
            "spec.recovery.attempts: must be 1 to 10, not 11",
        ),
        (VirtualIPGroup, "{members: [one]}", "spec.members: must be 2 to 64 entries long, not 1"),
    ] {
        assert_eq!(messages(&violations(kind, spec)), [expected], "{kind} {spec}");
    }
}

#[test]
fn an_unknown_field_is_refused_wherever_it_stands() {
    for (kind, spec, expected) in [
        (VirtualIP, "{addresses: [192.0.2.1], prority: 100}", "spec.prority: unknown field: did you mean priority?"),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], virtualRouterId: 5}",
            "spec.virtualRouterId: unknown field: did you mean virtualRouterID?",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], preemption: {wait: 5s}}",
            "spec.preemption.wait: unknown field: must be one of delay, mode",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], healthChecks: [{name: a, wieght: 5}]}",
            "spec.healthChecks[0].wieght: unknown field: did you mean weight?",
        ),
        (
            HealthCheck,
            "{http: {port: 80, uri: /}}",
            "spec.http.uri: unknown field: must be one of bodyRegex, headers, host, hostHeader, method, path, port, scheme, statusCodes, tls",
        ),
        (VirtualIPGroup, "{members: [a, b], member: c}", "spec.member: unknown field: did you mean members?"),
    ] {
        assert_eq!(messages(&violations(kind, spec)), [expected], "{kind} {spec}");
    }
}

#[test]
fn entries_that_must_be_unique_are_refused_when_repeated() {
    for (kind, spec, expected) in [
        (
            VirtualIP,
            "{addresses: [192.0.2.1], healthChecks: [{name: a}, {name: b}, {name: a, weight: 5}]}",
            "spec.healthChecks[2]: repeats the name of an earlier entry: it must be unique in the list",
        ),
        (
            VirtualIP,
            "{addresses: [192.0.2.1], externalPeers: [{address: 192.0.2.2}, {address: 192.0.2.2, name: b}]}",
            "spec.externalPeers[1]: repeats the address of an earlier entry: it must be unique in the list",
        ),
        (
            VirtualIPGroup,
            "{members: [a, b, a]}",
            "spec.members[2]: repeats an earlier entry: entries must be unique in the list",
        ),
        (
            HealthCheck,
            "{http: {port: 80, statusCodes: ['200', '200']}}",
            "spec.http.statusCodes[1]: repeats an earlier entry: entries must be unique in the list",
        ),
    ] {
        assert_eq!(messages(&violations(kind, spec)), [expected], "{kind} {spec}");
    }
}

#[test]
fn everything_that_is_wrong_is_found_at_once() {
    let spec =
        "{addresses: [here], priority: 0, advertisementInterval: 1, healthChecks: [{nme: a}], placement: Spread}";
    assert_eq!(
        messages(&violations(VirtualIP, spec)),
        [
            "spec.addresses[0]: must be an IP address with or without a prefix length, such as 192.0.2.10, 192.0.2.10/24 or \
             2001:db8::10/64",
            "spec.advertisementInterval: must be a string, not 1 (put it in quotes)",
            "spec.healthChecks[0].name: is required",
            "spec.healthChecks[0].nme: unknown field: did you mean name?",
            "spec.placement: Spread chooses the priorities itself: remove priority and nodePriorities, or write placement: \
             Priority",
            "spec.priority: must be 1 to 255, not 0",
        ]
    );
}

#[test]
fn what_surrounds_the_spec_is_checked_too() {
    let valid = || object(VirtualIP, "{addresses: [192.0.2.1]}");
    let with = |pointer: &str, name: &str, value: Value| {
        let mut object = valid();
        object.pointer_mut(pointer).unwrap().as_object_mut().unwrap().insert(name.to_owned(), value);
        object
    };
    let without = |name: &str| {
        let mut object = valid();
        object.as_object_mut().unwrap().remove(name);
        object
    };
    for (object, expected) in [
        (without("spec"), "spec: is required"),
        (without("metadata"), "metadata: is required"),
        (with("", "specs", json!({})), "specs: unknown field: did you mean spec?"),
        (with("", "spec", json!([])), "spec: must be a map of fields, not a list"),
        (with("/metadata", "name", json!(null)), "metadata.name: is required"),
        (with("/metadata", "nmae", json!("a")), "metadata.nmae: unknown field: did you mean name?"),
        (
            with("/metadata", "namespace", json!("default")),
            "metadata.namespace: must not be given: the object belongs to the whole cluster",
        ),
    ] {
        assert_eq!(messages(&VirtualIP.violations(&object)), [expected], "{object}");
    }
    for name in ["Web", "", "-a", "a-", "a..b", "a_b", &"a".repeat(254)] {
        let found = VirtualIP.violations(&with("/metadata", "name", json!(name)));
        assert_eq!(found.len(), 1, "{name}");
        assert_eq!(found[0].field, "metadata.name", "{name}");
    }
    for name in ["web", "a", "1", "a.b-c.1"] {
        assert_eq!(VirtualIP.violations(&with("/metadata", "name", json!(name))), [], "{name}");
    }
}

#[test]
fn what_an_api_server_added_does_not_disturb() {
    let mut object = object(VirtualIP, "{addresses: [192.0.2.1]}");
    object["metadata"]["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
    object["metadata"]["labels"] = json!({ "a": "b" });
    object["status"] = json!({ "master": "node-1", "field-of-a-later-version": 1 });
    let Ok(Manifest::VirtualIP(parsed)) = Manifest::parse(object) else { panic!("must be accepted") };
    assert_eq!(parsed.status, None);
}

#[test]
fn objects_of_other_kinds_are_told_apart() {
    for (api_version, kind) in
        [("holdfast.dev/v1", "VirtualIP"), ("v1", "Node"), ("holdfast.dev/v1alpha1", "NodeConfig")]
    {
        let object = json!({ "apiVersion": api_version, "kind": kind });
        assert_eq!(UserKind::of(&object), None);
        let error = ParseManifestError::UnknownKind { api_version: api_version.to_owned(), kind: kind.to_owned() };
        assert_eq!(Manifest::parse(object), Err(error));
    }
    assert!(matches!(Manifest::parse(json!("text")), Err(ParseManifestError::UnknownKind { .. })));
}
