//! Peers: who takes part, and from which address.

use holdfast_crds::{ExternalPeer, InterfaceStatus, NodeConfig, NodeConfigSpec, NodeConfigStatus, VirtualRouter};

use crate::objects::{World, node, node_at, vip, vip_with};

fn router<'a>(plan: &'a holdfast_plan::Plan, node: &str) -> &'a VirtualRouter {
    &plan.node_configs[node].virtual_routers[0]
}

fn addresses<'a>(plan: &'a holdfast_plan::Plan, node: &str) -> Vec<Option<&'a str>> {
    plan.node_configs[node].peers_of(router(plan, node)).iter().map(|peer| peer.address.as_deref()).collect()
}

fn reporting(node: &str, interfaces: &[(&str, &[&str])]) -> NodeConfig {
    let interface = |(name, addresses): &(&str, &[&str])| InterfaceStatus {
        name: (*name).to_owned(),
        addresses: addresses.iter().map(ToString::to_string).collect(),
        up: true,
    };
    let interfaces = interfaces.iter().map(interface).collect();
    let mut config = NodeConfig::new(node, NodeConfigSpec::default());
    config.status = Some(NodeConfigStatus { interfaces, ..NodeConfigStatus::default() });
    config
}

#[test]
fn the_other_nodes_are_peers_with_their_priorities_and_internal_addresses() {
    let nodes = vec![node_at("a", &["192.0.2.1"]), node_at("b", &["192.0.2.2"]), node_at("c", &["192.0.2.3"])];
    let plan = World { virtual_ips: vec![vip("web", "192.0.2.10/24")], nodes, ..World::default() }.plan();
    assert_eq!(addresses(&plan, "b"), [Some("192.0.2.1"), Some("192.0.2.3")]);
    assert!(router(&plan, "b").peers_known);
    let others = ["a", "c"].map(|node| router(&plan, node).priority);
    assert_eq!(router(&plan, "b").rival_priority, others.into_iter().max());
}

#[test]
fn one_unknown_address_makes_the_list_incomplete() {
    let nodes = vec![node_at("a", &["192.0.2.1"]), node("b"), node_at("c", &["192.0.2.3"])];
    let plan = World { virtual_ips: vec![vip("web", "192.0.2.10")], nodes, ..World::default() }.plan();
    assert!(!router(&plan, "a").peers_known);
}

#[test]
fn an_internal_address_outside_the_lan_of_the_vip_is_no_source_of_adverts() {
    // Adverts come from the VIP's interface; taking this address would shut the real peer out.
    let nodes = vec![node_at("a", &["10.0.0.1"]), node_at("b", &["10.0.0.2"])];
    let plan = World { virtual_ips: vec![vip("web", "192.0.2.10/24")], nodes, ..World::default() }.plan();
    assert_eq!(addresses(&plan, "a"), [None]);
    assert!(!router(&plan, "a").peers_known);
}

#[test]
fn what_an_agent_reports_wins_over_the_node_object() {
    let world = World {
        virtual_ips: vec![vip_with("web", "192.0.2.10/24", |spec| spec.interface = Some("eth1".into()))],
        nodes: vec![node_at("a", &["10.0.0.1"]), node_at("b", &["10.0.0.2"])],
        earlier: vec![reporting("b", &[("eth0", &["10.0.0.2/24"]), ("eth1", &["192.0.2.2/24", "fe80::2/64"])])],
        ..World::default()
    };
    assert_eq!(addresses(&world.plan(), "a"), [Some("192.0.2.2")]);
}

#[test]
fn ipv6_multicast_comes_from_the_link_local_address_that_only_the_agent_knows() {
    let mut world = World {
        virtual_ips: vec![vip("web", "2001:db8::10/64")],
        nodes: vec![node_at("a", &["2001:db8::1"]), node_at("b", &["2001:db8::2"])],
        ..World::default()
    };
    assert_eq!(addresses(&world.plan(), "a"), [None]);
    world.earlier = vec![reporting("b", &[("eth0", &["2001:db8::2/64", "fe80::2/64"])])];
    assert_eq!(addresses(&world.plan(), "a"), [Some("fe80::2")]);
}

#[test]
fn external_peers_of_the_family_join_the_list() {
    let external = |address: &str| ExternalPeer { address: address.into(), name: None, priority: Some(150) };
    let web =
        vip_with("web", "192.0.2.10", |spec| spec.external_peers = vec![external("192.0.2.254"), external("fe80::1")]);
    let nodes = vec![node_at("a", &["192.0.2.1"]), node_at("b", &["192.0.2.2"])];
    let plan = World { virtual_ips: vec![web], nodes, ..World::default() }.plan();
    assert_eq!(addresses(&plan, "a"), [Some("192.0.2.2"), Some("192.0.2.254")]);
}

#[test]
fn virtual_routers_with_the_same_peers_share_their_list() {
    let nodes = vec![node_at("a", &["192.0.2.1"]), node_at("b", &["192.0.2.2"]), node_at("c", &["192.0.2.3"])];
    let external = ExternalPeer { address: "192.0.2.254".into(), name: None, priority: None };
    let other = vip_with("other", "192.0.2.12/24", |spec| spec.external_peers = vec![external]);
    let virtual_ips = vec![vip("web", "192.0.2.10/24"), vip("mail", "192.0.2.11/24"), other];
    let plan = World { virtual_ips, nodes, ..World::default() }.plan();
    let config = &plan.node_configs["a"];
    assert_eq!(config.peer_sets.len(), 2);
    let set = |vip: &str| config.virtual_routers.iter().find(|router| router.name == vip).unwrap().peer_set.clone();
    assert_eq!(set("web"), set("mail"));
    assert_ne!(set("web"), set("other"));
}

#[test]
fn a_node_alone_knows_nobody_and_obeys_anybody() {
    let plan = World { virtual_ips: vec![vip("web", "192.0.2.10")], nodes: vec![node("a")], ..World::default() }.plan();
    assert!(!router(&plan, "a").peers_known);
}

#[test]
fn without_a_prefix_length_an_internal_address_is_no_proof() {
    // The VIP may live on another interface than the one that the Node object tells of.
    let nodes = vec![node_at("a", &["10.0.0.1"]), node_at("b", &["10.0.0.2"])];
    let plan = World { virtual_ips: vec![vip("web", "192.0.2.10")], nodes, ..World::default() }.plan();
    assert_eq!(addresses(&plan, "a"), [Some("10.0.0.2")]);
    assert!(!router(&plan, "a").peers_known);
}

#[test]
fn external_peers_alone_do_not_shut_out_the_nodes_that_nobody_has_described() {
    let external = ExternalPeer { address: "192.0.2.254".into(), name: None, priority: None };
    let web = vip_with("web", "192.0.2.10/24", |spec| spec.external_peers = vec![external]);
    let plan = World { virtual_ips: vec![web], nodes: vec![node("a")], ..World::default() }.plan();
    assert!(!router(&plan, "a").peers_known);
}

#[test]
fn a_node_that_is_not_selected_is_no_stranger() {
    // It may be master until it hears of the change.
    let labels =
        holdfast_crds::LabelSelector { match_labels: [("edge".into(), "yes".into())].into(), ..Default::default() };
    let web = vip_with("web", "192.0.2.10/24", |spec| spec.node_selector = Some(labels));
    let edge = |name, address: &str| crate::objects::labelled(node_at(name, &[address]), "edge", "yes");
    let nodes = vec![edge("a", "192.0.2.1"), edge("b", "192.0.2.2"), node_at("c", &["192.0.2.3"])];
    let plan = World { virtual_ips: vec![web], nodes, ..World::default() }.plan();
    assert_eq!(addresses(&plan, "a"), [Some("192.0.2.2"), Some("192.0.2.3")]);
    assert_eq!(router(&plan, "a").rival_priority, Some(router(&plan, "b").priority));
    assert!(plan.node_configs["c"].virtual_routers.is_empty());
}
