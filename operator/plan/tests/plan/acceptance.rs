//! Which VirtualIPs are accepted, and what the others are told.

use holdfast_crds::condition::{AcceptedReason as Reason, ConditionReason, HealthCheckAcceptedReason};
use holdfast_crds::{LabelSelector, Transport};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::objects::{World, check, node, node_at, reference, vip, vip_with};

fn verdict(world: &World, name: &str) -> (Reason, String) {
    let plan = world.plan();
    let verdict = &plan.virtual_ips[name].accepted;
    (verdict.reason, verdict.message.clone())
}

#[test]
fn a_plain_virtual_ip_is_accepted_and_runs_on_every_node() {
    let world =
        World { virtual_ips: vec![vip("web", "192.0.2.10")], nodes: vec![node("a"), node("b")], ..World::default() };
    assert_eq!(verdict(&world, "web").0, Reason::Accepted);
    assert!(world.plan().node_configs.values().all(|spec| spec.virtual_routers.len() == 1));
}

#[test]
fn the_later_of_two_virtual_ips_with_one_address_is_refused() {
    let created = |mut vip: holdfast_crds::VirtualIP, second: i64| {
        vip.metadata.creation_timestamp = Some(Time(Timestamp::from_second(second).expect("in range")));
        vip
    };
    // By name alone, "a" would come first.
    let virtual_ips = vec![created(vip("a", "192.0.2.10/24"), 200), created(vip("b", "192.0.2.10"), 100)];
    let world = World { virtual_ips, nodes: vec![node("n")], ..World::default() };
    assert_eq!(verdict(&world, "b").0, Reason::Accepted);
    let (reason, message) = verdict(&world, "a");
    assert_eq!(reason, Reason::AddressInUse);
    assert!(message.contains("spec.addresses[0]") && message.contains("\"b\""), "{message}");
}

#[test]
fn the_address_of_a_node_is_refused_unless_it_is_in_force() {
    let nodes = vec![node_at("a", &["192.0.2.11"]), node_at("b", &["192.0.2.12"])];
    let on_b = |vip: &mut holdfast_crds::VirtualIPSpec| {
        vip.node_selector =
            Some(LabelSelector { match_labels: [("b".into(), "b".into())].into(), ..Default::default() });
    };
    let world = World { virtual_ips: vec![vip("web", "192.0.2.11")], nodes, ..World::default() };
    assert_eq!(
        verdict(&world, "web"),
        (
            Reason::AddressInUse,
            "spec.addresses[0]: 192.0.2.11 is the address of node \"a\" itself: choose one that is free".to_owned()
        )
    );
    let elsewhere = vec![vip_with("web", "192.0.2.11", on_b)];
    let nodes = vec![world.nodes[0].clone(), crate::objects::labelled(world.nodes[1].clone(), "b", "b")];
    assert_eq!(verdict(&World { virtual_ips: elsewhere, nodes, ..World::default() }, "web").0, Reason::AddressInUse);

    let before = World { nodes: vec![node("a"), node("b")], ..world.clone() };
    let plan = before.plan();
    let after = World { nodes: world.nodes.clone(), ..before.after(&plan) };
    assert_eq!(verdict(&after, "web").0, Reason::Accepted, "a kubelet has taken it for its own");
}

#[test]
fn what_stands_for_a_whole_subnet_is_refused() {
    let virtual_ips = vec![vip_with("web", "192.0.2.10", |spec| spec.addresses.push("192.0.2.255/24".into()))];
    let world = World { virtual_ips, nodes: vec![node("a")], ..World::default() };
    let (reason, message) = verdict(&world, "web");
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(message.starts_with("spec.addresses[1]: 192.0.2.255/24 stands for its whole subnet"), "{message}");
}

#[test]
fn of_two_virtual_ips_of_one_second_the_one_in_force_stays() {
    let created = |mut vip: holdfast_crds::VirtualIP| {
        vip.metadata.creation_timestamp = Some(Time(Timestamp::from_second(100).expect("in range")));
        vip
    };
    let first = created(vip("web", "192.0.2.10/24"));
    let world = World { virtual_ips: vec![first], nodes: vec![node("n")], ..World::default() };
    let plan = world.plan();
    let mut world = world.after(&plan);
    // By name, it would come first.
    world.virtual_ips.push(created(vip("api", "192.0.2.10")));
    assert_eq!(verdict(&world, "web").0, Reason::Accepted);
    assert_eq!(verdict(&world, "api").0, Reason::AddressInUse);
}

#[test]
fn an_address_of_a_refused_virtual_ip_is_free() {
    let refused = vip_with("a", "192.0.2.10", |spec| spec.health_checks.push(reference("missing")));
    let world =
        World { virtual_ips: vec![refused, vip("b", "192.0.2.10")], nodes: vec![node("n")], ..World::default() };
    assert_eq!(verdict(&world, "a").0, Reason::UnknownHealthCheck);
    assert_eq!(verdict(&world, "b").0, Reason::Accepted);
}

#[test]
fn a_selector_that_matches_no_node_is_told_so() {
    let selector = LabelSelector { match_labels: [("zone".into(), "x".into())].into(), ..LabelSelector::default() };
    let lonely = vip_with("web", "192.0.2.10", |spec| spec.node_selector = Some(selector));
    let world = World { virtual_ips: vec![lonely], nodes: vec![node("n")], ..World::default() };
    assert_eq!(verdict(&world, "web").0, Reason::NoMatchingNodes);
}

#[test]
fn a_reference_to_an_unknown_health_check_is_refused_by_place() {
    let broken =
        vip_with("web", "192.0.2.10", |spec| spec.health_checks = vec![reference("nginx"), reference("ngnix")]);
    let health_checks = vec![check("nginx", "process: {name: nginx}")];
    let world = World { virtual_ips: vec![broken], health_checks, nodes: vec![node("n")], ..World::default() };
    let (reason, message) = verdict(&world, "web");
    assert_eq!(reason, Reason::UnknownHealthCheck);
    assert!(message.starts_with("spec.healthChecks[1]") && message.contains("\"ngnix\""), "{message}");
}

#[test]
fn probes_of_later_versions_are_refused_and_so_are_their_users() {
    let user = vip_with("web", "192.0.2.10", |spec| spec.health_checks.push(reference("ping")));
    let health_checks = vec![check("ping", "icmp: {host: 192.0.2.1}")];
    let world = World { virtual_ips: vec![user], health_checks, nodes: vec![node("n")], ..World::default() };
    let plan = world.plan();
    assert_eq!(plan.health_checks["ping"].reason, HealthCheckAcceptedReason::InvalidSpec);
    assert!(plan.health_checks["ping"].message.starts_with("spec.icmp"));
    assert_eq!(plan.virtual_ips["web"].accepted.reason, Reason::UnknownHealthCheck);
}

#[test]
fn unicast_needs_the_addresses_of_all_nodes() {
    let unicast = vip_with("web", "192.0.2.10", |spec| spec.transport = Transport::Unicast);
    let nodes = vec![node_at("a", &["192.0.2.1"]), node("b")];
    let world = World { virtual_ips: vec![unicast], nodes, ..World::default() };
    let (reason, message) = verdict(&world, "web");
    assert_eq!(reason, Reason::InvalidSpec);
    assert!(message.contains("\"b\""), "{message}");
}

#[test]
fn unicast_alone_among_nodes_that_nobody_has_described_is_refused() {
    // Every agent would find itself alone, and all would be master.
    let unicast = vip_with("web", "192.0.2.10", |spec| spec.transport = Transport::Unicast);
    let world = World { virtual_ips: vec![unicast], nodes: vec![node("a")], ..World::default() };
    assert_eq!(verdict(&world, "web").0, Reason::InvalidSpec);
}

#[test]
fn a_virtual_mac_address_is_refused_rather_than_ignored() {
    let world = World {
        virtual_ips: vec![vip_with("web", "192.0.2.10", |spec| spec.virtual_mac = true)],
        nodes: vec![node("n")],
        ..World::default()
    };
    assert_eq!(verdict(&world, "web").0, Reason::InvalidSpec);
}

#[test]
fn only_accepted_objects_reach_a_node() {
    let world = World {
        virtual_ips: vec![vip("a", "192.0.2.10"), vip("b", "192.0.2.10")],
        nodes: vec![node("n")],
        ..World::default()
    };
    let plan = world.plan();
    let routers: Vec<_> = plan.node_configs["n"].virtual_routers.iter().map(|router| router.name.as_str()).collect();
    assert_eq!(routers, ["a"]);
    assert_eq!(plan.virtual_ips["b"].virtual_router_id, None);
    assert!(Reason::ALL.iter().filter(|reason| reason.as_str() == "Accepted").count() == 1);
}
