//! Every CEL rule has an example that it refuses, by field and message, and examples that it lets pass.

use std::collections::BTreeSet;

use holdfast_crds::UserKind::{self, HealthCheck, VirtualIP, VirtualIPGroup};
use holdfast_crds::{DurationString, Manifest, StatusCodes, VipAddress, definition};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};

use crate::objects::{object, violations};

/// Specs that break exactly one rule: kind, spec, the field in the message, and how the message begins.
const REFUSED: &[(UserKind, &str, &str, &str)] = &[
    // Addresses.
    (VirtualIP, "{addresses: [example.org]}", "spec.addresses[0]", "must be an IP address"),
    (VirtualIP, "{addresses: [192.0.2.1, 192.0.2.300]}", "spec.addresses[1]", "must be an IP address"),
    (VirtualIP, "{addresses: [192.0.2.1/33]}", "spec.addresses[0]", "must be an IP address"),
    (VirtualIP, "{addresses: ['fe80::1%eth0']}", "spec.addresses[0]", "must be an IP address"),
    (VirtualIP, "{addresses: ['::ffff:192.0.2.1']}", "spec.addresses[0]", "must be an IP address"),
    (VirtualIP, "{addresses: [224.0.0.18]}", "spec.addresses[0]", "must be a unicast address"),
    (VirtualIP, "{addresses: [0.0.0.0/24]}", "spec.addresses[0]", "must be a unicast address"),
    (VirtualIP, "{addresses: [127.0.0.1]}", "spec.addresses[0]", "must be a unicast address"),
    (VirtualIP, "{addresses: [192.0.2.1/0]}", "spec.addresses[0]", "must be a unicast address"),
    (VirtualIP, "{addresses: ['ff02::12']}", "spec.addresses[0]", "must be a unicast address"),
    (VirtualIP, "{addresses: [192.0.2.1, 192.0.2.1/24]}", "spec.addresses", "each address may be given only once"),
    (VirtualIP, "{addresses: ['fd00::1', 'FD00:0::1']}", "spec.addresses", "each address may be given only once"),
    // Interfaces.
    (VirtualIP, "{addresses: [192.0.2.1], interface: 'eth0:1'}", "spec.interface", "must be the name of a network"),
    (VirtualIP, "{addresses: [192.0.2.1], interface: ../eth0}", "spec.interface", "must be the name of a network"),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeInterfaces: [{nodeName: a, interface: 'a b'}]}",
        "spec.nodeInterfaces[0].interface",
        "must be the name of a network interface",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeInterfaces: [{interface: eth0}]}",
        "spec.nodeInterfaces[0]",
        "exactly one of nodeName, nodeSelector must be given",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], trackInterfaces: [{name: a/b}]}",
        "spec.trackInterfaces[0].name",
        "must be the name of a network interface",
    ),
    // Protocol.
    (
        VirtualIP,
        "{addresses: [192.0.2.1, 'fd00::1'], protocolVersion: 2}",
        "spec.addresses",
        "protocolVersion 2 carries IPv4 only: remove the IPv6 addresses, or write protocolVersion: 3",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], advertisementInterval: 1}",
        "spec.advertisementInterval",
        "must be a string, not 1 (put it in quotes)",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], advertisementInterval: 0.2s}",
        "spec.advertisementInterval",
        "must be a duration in whole numbers with the units h, m, s or ms, such as 200ms",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], advertisementInterval: 0s}",
        "spec.advertisementInterval",
        "protocolVersion 3 carries 10ms to 40s950ms in steps of 10ms",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], advertisementInterval: 15ms}",
        "spec.advertisementInterval",
        "protocolVersion 3 carries 10ms to 40s950ms in steps of 10ms",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], advertisementInterval: 41s}",
        "spec.advertisementInterval",
        "protocolVersion 3 carries 10ms to 40s950ms in steps of 10ms",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, advertisementInterval: 200ms}",
        "spec.advertisementInterval",
        "protocolVersion 2 carries whole seconds from 1s to 255s",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, advertisementInterval: 1s500ms}",
        "spec.advertisementInterval",
        "protocolVersion 2 carries whole seconds from 1s to 255s",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, advertisementInterval: 256s}",
        "spec.advertisementInterval",
        "protocolVersion 2 carries whole seconds from 1s to 255s",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], authentication: {passwordKey: web}}",
        "spec.authentication",
        "only protocolVersion 2 has passwords",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, authentication: {passwordKey: a/b}}",
        "spec.authentication.passwordKey",
        "must be the key of a Secret",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, authentication: {passwordKey: ..data}}",
        "spec.authentication.passwordKey",
        "must be the key of a Secret",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], protocolVersion: 2, ipv4Checksum: MessageOnly}",
        "spec.ipv4Checksum",
        "only protocolVersion 3 has two forms",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], externalPeers: [{address: 192.0.2.2/24}]}",
        "spec.externalPeers[0].address",
        "must be a unicast IP address without a prefix length",
    ),
    // Election.
    (
        VirtualIP,
        "{addresses: [192.0.2.1], placement: Spread, priority: 100}",
        "spec.placement",
        "Spread chooses the priorities itself",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], placement: Spread, nodePriorities: [{nodeName: a, priority: 100}]}",
        "spec.placement",
        "Spread chooses the priorities itself",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodePriorities: [{nodeName: a, nodeSelector: {}, priority: 100}]}",
        "spec.nodePriorities[0]",
        "exactly one of nodeName, nodeSelector must be given",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], preemption: {mode: Never, delay: 1s}}",
        "spec.preemption.delay",
        "a delay has no meaning with mode Never",
    ),
    (VirtualIP, "{addresses: [192.0.2.1], preemption: {delay: -1s}}", "spec.preemption.delay", "must be a duration in"),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], preemption: {delay: 61m}}",
        "spec.preemption.delay",
        "must be a duration from 0s to 1h",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeSelector: {matchExpressions: [{key: a, operator: In}]}}",
        "spec.nodeSelector.matchExpressions[0].values",
        "operators In and NotIn need at least one entry",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}",
        "spec.nodeSelector.matchExpressions[0].values",
        "operators Exists and DoesNotExist take no values",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeInterfaces: [{interface: eth0, nodeSelector: {matchExpressions: [{key: a, operator: In}]}}]}",
        "spec.nodeInterfaces[0].nodeSelector.matchExpressions[0].values",
        "operators In and NotIn need at least one entry",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeInterfaces: [{interface: eth0, nodeSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}]}",
        "spec.nodeInterfaces[0].nodeSelector.matchExpressions[0].values",
        "operators Exists and DoesNotExist take no values",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodePriorities: [{priority: 1, nodeSelector: {matchExpressions: [{key: a, operator: In}]}}]}",
        "spec.nodePriorities[0].nodeSelector.matchExpressions[0].values",
        "operators In and NotIn need at least one entry",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodePriorities: [{priority: 1, nodeSelector: {matchExpressions: [{key: a, operator: Exists, values: [b]}]}}]}",
        "spec.nodePriorities[0].nodeSelector.matchExpressions[0].values",
        "operators Exists and DoesNotExist take no values",
    ),
    // Announcements and tracking.
    (VirtualIP, "{addresses: [192.0.2.1], announcements: {delay: 5}}", "spec.announcements.delay", "must be a string"),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], announcements: {delay: soon}}",
        "spec.announcements.delay",
        "must be a duration in whole numbers",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], announcements: {delay: 6m}}",
        "spec.announcements.delay",
        "must be a duration from 0s to 5m",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], announcements: {refresh: never}}",
        "spec.announcements.refresh",
        "must be a duration in whole numbers",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], announcements: {refresh: 500ms}}",
        "spec.announcements.refresh",
        "must be a duration from 1s to 24h, or 0s to turn it off",
    ),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], healthChecks: [{name: My Check}]}",
        "spec.healthChecks[0].name",
        "must be the name of an object",
    ),
    // Health checks.
    (HealthCheck, "{interval: 1s}", "spec", "exactly one of tcp, http, process"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, tcp: {port: 80}}", "spec", "exactly one of tcp, http, process"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, interval: 1.5s}", "spec.interval", "must be a duration in whole numbers"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, interval: 0s}", "spec.interval", "must be a duration from 100ms to 1h"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, timeout: 1}", "spec.timeout", "must be a string"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, timeout: one}", "spec.timeout", "must be a duration in whole numbers"),
    (HealthCheck, "{icmp: {host: 192.0.2.1}, timeout: 2h}", "spec.timeout", "must be a duration from 10ms to 1h"),
    (HealthCheck, "{icmp: {host: 'http://gw'}}", "spec.icmp.host", "must be an address or a DNS name without scheme"),
    (HealthCheck, "{tcp: {host: a b, port: 1}}", "spec.tcp.host", "must be an address or a DNS name"),
    (HealthCheck, "{udp: {host: '[::1]', port: 1}}", "spec.udp.host", "must be an address or a DNS name"),
    (
        HealthCheck,
        "{udp: {port: 1, payload: a, binaryPayload: YQ==}}",
        "spec.udp",
        "only one of payload, binaryPayload may be given",
    ),
    (HealthCheck, "{udp: {port: 1, binaryPayload: YQ}}", "spec.udp.binaryPayload", "must be base64 with padding"),
    (HealthCheck, "{grpc: {host: a/b, port: 1}}", "spec.grpc.host", "must be an address or a DNS name"),
    (HealthCheck, "{smtp: {host: ' '}}", "spec.smtp.host", "must be an address or a DNS name"),
    (HealthCheck, "{smtp: {helloName: a b}}", "spec.smtp.helloName", "must be a DNS name"),
    (HealthCheck, "{dns: {server: 'udp://a', name: a}}", "spec.dns.server", "must be an address or a DNS name"),
    (HealthCheck, "{dns: {name: www..org}}", "spec.dns.name", "must be a DNS name, such as www.example.org"),
    (HealthCheck, "{file: {path: run/down}}", "spec.file.path", "must be an absolute path"),
    (HealthCheck, "{process: {minimum: 2}}", "spec.process", "say which process is meant"),
    (
        HealthCheck,
        "{process: {name: a, minimum: 3, maximum: 2}}",
        "spec.process.maximum",
        "must not be less than minimum",
    ),
    (HealthCheck, "{command: {command: [/bin/true]}}", "spec.command.command", "the first entry must be the path of a"),
    (HealthCheck, "{command: {command: [../true]}}", "spec.command.command", "the first entry must be the path of a"),
    (HealthCheck, "{command: {command: [a/../../b]}}", "spec.command.command", "the first entry must be the path of a"),
    (HealthCheck, "{command: {command: ['']}}", "spec.command.command", "the first entry must be the path of a"),
    (HealthCheck, "{command: {command: [a], user: Root!}}", "spec.command.user", "must be the name of a user"),
    (
        HealthCheck,
        "{icmp: {host: a}, recovery: {command: [/sbin/reboot]}}",
        "spec.recovery.command",
        "the first entry must be the path of a",
    ),
    (
        HealthCheck,
        "{icmp: {host: a}, recovery: {command: [a], user: Root!}}",
        "spec.recovery.user",
        "must be the name of a user",
    ),
    (
        HealthCheck,
        "{icmp: {host: a}, recovery: {command: [a], timeout: 5}}",
        "spec.recovery.timeout",
        "must be a string",
    ),
    (
        HealthCheck,
        "{icmp: {host: a}, recovery: {command: [a], timeout: 5 s}}",
        "spec.recovery.timeout",
        "must be a duration in whole numbers",
    ),
    (
        HealthCheck,
        "{icmp: {host: a}, recovery: {command: [a], timeout: 9ms}}",
        "spec.recovery.timeout",
        "must be a duration from 10ms to 1h",
    ),
    (HealthCheck, "{kubernetes: {}}", "spec.kubernetes", "exactly one of service, nodeCondition must be given"),
    (
        HealthCheck,
        "{kubernetes: {service: {namespace: A, name: web}}}",
        "spec.kubernetes.service.namespace",
        "must be the name of an object",
    ),
    (
        HealthCheck,
        "{kubernetes: {service: {namespace: a, name: web/http}}}",
        "spec.kubernetes.service.name",
        "must be the name of an object",
    ),
    // The HTTP check.
    (HealthCheck, "{http: {port: 80, host: 'a:80'}}", "spec.http.host", "must be an address or a DNS name without"),
    (HealthCheck, "{http: {port: 80, host: 'http://a'}}", "spec.http.host", "must be an address or a DNS name"),
    (HealthCheck, "{http: {port: 80, path: healthz}}", "spec.http.path", "must begin with / and contain neither"),
    (HealthCheck, "{http: {port: 80, tls: {}}}", "spec.http.tls", "tls needs scheme: HTTPS"),
    (HealthCheck, "{http: {port: 80, method: HEAD, bodyRegex: ok}}", "spec.http.bodyRegex", "an answer to HEAD has no"),
    (HealthCheck, "{http: {port: 80, bodyRegex: '(a'}}", "spec.http.bodyRegex", "must be a regular expression in the"),
    (HealthCheck, "{http: {port: 80, statusCodes: ['2xx']}}", "spec.http.statusCodes[0]", "must be a status code such"),
    (HealthCheck, "{http: {port: 80, statusCodes: ['299-200']}}", "spec.http.statusCodes[0]", "must be a status code"),
    (HealthCheck, "{http: {port: 80, statusCodes: ['600']}}", "spec.http.statusCodes[0]", "must be a status code such"),
    (
        HealthCheck,
        "{http: {port: 80, headers: [{name: 'Host:', value: a}]}}",
        "spec.http.headers[0].name",
        "must be the name of a header",
    ),
    (
        HealthCheck,
        "{http: {port: 80, headers: [{name: A, value: \"a\\nB: b\"}]}}",
        "spec.http.headers[0].value",
        "must be one line of printable ASCII characters",
    ),
    (
        HealthCheck,
        "{http: {port: 443, scheme: HTTPS, tls: {caFile: /a, caBundle: b}}}",
        "spec.http.tls",
        "only one of caFile, caBundle may be given",
    ),
    (
        HealthCheck,
        "{http: {port: 443, scheme: HTTPS, tls: {caFile: ca.pem}}}",
        "spec.http.tls.caFile",
        "must be an absolute path",
    ),
    (
        HealthCheck,
        "{http: {port: 443, scheme: HTTPS, tls: {caFile: /a, insecureSkipVerify: true}}}",
        "spec.http.tls.insecureSkipVerify",
        "nothing is verified with insecureSkipVerify",
    ),
    // Groups.
    (VirtualIPGroup, "{members: [web, Mail]}", "spec.members[1]", "must be the name of an object"),
    (
        VirtualIPGroup,
        "{members: [a, b], healthChecks: [{name: -a}]}",
        "spec.healthChecks[0].name",
        "must be the name of an object",
    ),
    (
        VirtualIPGroup,
        "{members: [a, b], trackInterfaces: [{name: 'a b'}]}",
        "spec.trackInterfaces[0].name",
        "must be the name of a network interface",
    ),
];

/// Specs that are right at the edge of what is allowed.
const ACCEPTED: &[(UserKind, &str)] = &[
    (VirtualIP, "{addresses: [192.0.2.1]}"),
    (VirtualIP, "{addresses: [192.0.2.1/32, 192.0.2.2/1, 169.254.1.1, 'fe80::1/64', 'fd00::1/128', 'fd00::2']}"),
    (VirtualIP, "{addresses: [192.0.2.1], interface: enp65s0f1np1.42}"),
    (VirtualIP, "{addresses: [192.0.2.1], interface: br-lan}"),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], nodeInterfaces: [{nodeName: a, interface: b}, {nodeSelector: {}, interface: c}]}",
    ),
    (VirtualIP, "{addresses: [192.0.2.1], virtualRouterID: 1, priority: 1}"),
    (VirtualIP, "{addresses: [192.0.2.1], virtualRouterID: 255, priority: 255, placement: Priority}"),
    (VirtualIP, "{addresses: [192.0.2.1], placement: Spread, nodePriorities: []}"),
    (VirtualIP, "{addresses: [192.0.2.1], placement: Priority}"),
    (VirtualIP, "{addresses: [192.0.2.1], advertisementInterval: 10ms}"),
    (VirtualIP, "{addresses: [192.0.2.1], advertisementInterval: 40s950ms}"),
    (VirtualIP, "{addresses: [192.0.2.1], advertisementInterval: 40950ms}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 2}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 2, advertisementInterval: 1s}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 2, advertisementInterval: 4m15s}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 2, authentication: {passwordKey: .a-B_1}}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 2, ipv4Checksum: PseudoHeader}"),
    (VirtualIP, "{addresses: [192.0.2.1], protocolVersion: 3, ipv4Checksum: MessageOnly}"),
    (VirtualIP, "{addresses: [192.0.2.1], preemption: {mode: Never}}"),
    (VirtualIP, "{addresses: [192.0.2.1], preemption: {mode: Never, delay: 0ms}}"),
    (VirtualIP, "{addresses: [192.0.2.1], preemption: {delay: 1h}}"),
    (
        VirtualIP,
        "{addresses: [192.0.2.1], transport: Unicast, externalPeers: [{address: 192.0.2.2}, {address: 'fe80::2'}]}",
    ),
    (VirtualIP, "{addresses: [192.0.2.1], announcements: {count: 20, delay: 0s, refresh: 0s}}"),
    (VirtualIP, "{addresses: [192.0.2.1], announcements: {count: 1, delay: 5m, refresh: 24h}}"),
    (VirtualIP, "{addresses: [192.0.2.1], healthChecks: [{name: web.v1, weight: -253}, {name: b, reverse: true}]}"),
    (VirtualIP, "{addresses: [192.0.2.1], nodeSelector: {matchExpressions: [{key: a, operator: DoesNotExist}]}}"),
    (VirtualIP, "{addresses: [192.0.2.1], nodeSelector: {matchLabels: {any.thing/at-all: ''}}}"),
    (VirtualIP, "{addresses: [192.0.2.1], fencing: None, virtualMAC: true}"),
    // An empty value is as good as none.
    (VirtualIP, "{addresses: [192.0.2.1], interface: , preemption: }"),
    (HealthCheck, "{tcp: {port: 65535}}"),
    (HealthCheck, "{tcp: {host: 'fe80::1%eth0', port: 1}, interval: 100ms, timeout: 10ms, rise: 1, fall: 100}"),
    (HealthCheck, "{icmp: {host: gw.example.org}, interval: 1h, timeout: 1h, weight: 253, initialState: Failing}"),
    (HealthCheck, "{process: {name: nginx}}"),
    (HealthCheck, "{process: {commandLine: 'nginx: master process', minimum: 1, maximum: 1}}"),
    (HealthCheck, "{file: {path: /run/down, mode: Absent}}"),
    (HealthCheck, "{command: {command: [dir/check..sh, '', --x], user: _apt}}"),
    (HealthCheck, "{grpc: {port: 50051}, recovery: {command: [restart], user: root, timeout: 1h, attempts: 10}}"),
    (HealthCheck, "{dns: {name: .}}"),
    (HealthCheck, "{dns: {name: _sip._tcp.example.org., type: SRV, port: 5353}}"),
    (HealthCheck, "{udp: {port: 53, binaryPayload: YWI=, requireReply: true}}"),
    (HealthCheck, "{smtp: {}}"),
    (HealthCheck, "{kubernetes: {nodeCondition: {}}}"),
    (HealthCheck, "{kubernetes: {nodeCondition: {type: Ready, status: 'False'}}}"),
    (HealthCheck, "{kubernetes: {service: {namespace: default, name: web}}}"),
    (HealthCheck, "{http: {port: 80, path: '/a?b=c', bodyRegex: '^ok$', statusCodes: ['100-599', '204']}}"),
    (
        HealthCheck,
        "{http: {port: 443, scheme: HTTPS, tls: {caFile: /etc/ca.pem, serverName: a}, headers: [{name: X-A, value: ''}]}}",
    ),
    (HealthCheck, "{http: {port: 443, scheme: HTTPS, tls: {insecureSkipVerify: true}}}"),
    (
        VirtualIPGroup,
        "{members: [inside, outside], healthChecks: [{name: a}], trackInterfaces: [{name: eth1, weight: -5}]}",
    ),
];

#[test]
fn what_breaks_a_rule_is_refused_by_field_and_message() {
    for (kind, spec, field, message) in REFUSED {
        let found = violations(*kind, spec);
        assert!(
            found.len() == 1 && found[0].field == *field && found[0].message.starts_with(message),
            "{kind} {spec}: expected {field}: {message}; found {found:#?}"
        );
    }
}

#[test]
fn what_keeps_every_rule_is_accepted() {
    for (kind, spec) in ACCEPTED {
        assert_eq!(violations(*kind, spec), [], "{kind} {spec}");
        let manifest = Manifest::parse(object(*kind, spec));
        assert!(manifest.is_ok(), "{kind} {spec}: {manifest:?}");
    }
}

#[test]
fn rules_and_types_agree_on_what_an_address_is() {
    for text in [
        "192.0.2.1",
        "192.0.2.1/24",
        "192.0.2.1/024",
        "192.0.2.1/+24",
        "192.0.2.1/",
        "192.0.2.1/0",
        "192.0.2.1/32",
        "192.0.2.1/33",
        "192.0.2.01",
        "192.0.2",
        "0.0.0.0",
        "127.0.0.1/8",
        "169.254.0.1",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "fd00::1",
        "FD00::1/64",
        "fd00::1/129",
        "fe80::1",
        "fe80::1%eth0",
        "ff02::1",
        "::",
        "::1",
        "::ffff:192.0.2.1",
        "[fd00::1]",
        "eth0",
    ] {
        let accepted = violations(VirtualIP, &format!("{{addresses: ['{text}']}}"));
        assert_eq!(accepted.is_empty(), text.parse::<VipAddress>().is_ok(), "{text}: {accepted:?}");
    }
}

#[test]
fn rules_and_types_agree_on_what_a_duration_is() {
    for text in ["1s", "1000ms", "0h1s", "1m", "", "1", "s", "1.0s", "+1s", "1s ", "1S", "1us", "00001s", "000001s"] {
        let accepted = violations(HealthCheck, &format!("{{icmp: {{host: a}}, interval: '{text}'}}"));
        assert_eq!(accepted.is_empty(), text.parse::<DurationString>().is_ok(), "{text:?}: {accepted:?}");
    }
}

#[test]
fn rules_and_types_agree_on_what_status_codes_are() {
    for text in ["200", "100-599", "599-599", "", "99", "600", "1000", "300-200", "200-", "200-2", "2xx", "200,201"] {
        let accepted = violations(HealthCheck, &format!("{{http: {{port: 80, statusCodes: ['{text}']}}}}"));
        assert_eq!(accepted.is_empty(), text.parse::<StatusCodes>().is_ok(), "{text:?}: {accepted:?}");
    }
}

#[test]
fn every_rule_has_an_example_that_it_refuses() {
    let mut missing = Vec::new();
    for (kind, definition) in [
        (VirtualIP, definition::virtual_ip()),
        (HealthCheck, definition::health_check()),
        (VirtualIPGroup, definition::virtual_ip_group()),
    ] {
        let refused: BTreeSet<(String, String)> = REFUSED
            .iter()
            .filter(|(of, ..)| *of == kind)
            .flat_map(|(_, spec, ..)| violations(kind, spec))
            .map(|violation| (without_indices(&violation.field), violation.message))
            .collect();
        missing.extend(rules(&definition).into_iter().filter(|rule| !refused.contains(rule)));
    }
    assert_eq!(missing, []);
}

/// The field (without list indices) and the message of every rule.
fn rules(definition: &CustomResourceDefinition) -> Vec<(String, String)> {
    let schema = definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap();
    let mut rules = Vec::new();
    collect_rules(&schema.properties.as_ref().unwrap()["spec"], "spec", &mut rules);
    assert!(!rules.is_empty());
    rules
}

fn collect_rules(schema: &JSONSchemaProps, path: &str, rules: &mut Vec<(String, String)>) {
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let field = format!("{path}{}", rule.field_path.as_deref().unwrap_or_default());
        rules.push((field, rule.message.clone().expect("every rule has a message")));
    }
    for (name, property) in schema.properties.iter().flatten() {
        collect_rules(property, &format!("{path}.{name}"), rules);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &schema.items {
        collect_rules(items, path, rules);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &schema.additional_properties {
        collect_rules(values, path, rules);
    }
}

fn without_indices(field: &str) -> String {
    field.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect()
}
