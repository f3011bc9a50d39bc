//! The NodeConfig that comes of a VirtualIP.

use holdfast_crds::{DurationString, NodeInterface, ProtocolVersion};

use crate::objects::{World, node, vip, vip_with};

#[test]
fn defaults_are_filled_in_by_protocol_version() {
    let world = World {
        virtual_ips: vec![
            vip("three", "192.0.2.10"),
            vip_with("two", "192.0.2.11", |spec| spec.protocol_version = ProtocolVersion::V2),
        ],
        nodes: vec![node("a")],
        ..World::default()
    };
    let plan = world.plan();
    let intervals: Vec<_> =
        plan.node_configs["a"].virtual_routers.iter().map(|router| router.advertisement_interval).collect();
    assert_eq!(intervals, [DurationString::from_millis(200), DurationString::from_secs(1)]);
}

#[test]
fn a_virtual_ip_that_was_made_again_changes_the_config_though_it_asks_for_the_same() {
    let made_as = |uid: &str| {
        let mut web = vip("web", "192.0.2.10");
        web.metadata.uid = Some(uid.to_owned());
        World { virtual_ips: vec![web], nodes: vec![node("a")], ..World::default() }
    };
    let first = made_as("1").plan();
    let again = made_as("2").after(&first).plan();
    assert_ne!(first.node_configs["a"], again.node_configs["a"], "or no agent could know that it must claim it anew");
}

#[test]
fn each_node_gets_its_own_interface() {
    let entry = NodeInterface { node_name: Some("a".into()), node_selector: None, interface: "ens3".into() };
    let web = vip_with("web", "192.0.2.10", |spec| {
        spec.interface = Some("eth0".into());
        spec.node_interfaces = vec![entry];
    });
    let plan = World { virtual_ips: vec![web], nodes: vec![node("a"), node("b")], ..World::default() }.plan();
    let interface = |node: &str| plan.node_configs[node].virtual_routers[0].interface.clone();
    assert_eq!((interface("a"), interface("b")), (Some("ens3".into()), Some("eth0".into())));
}

#[test]
fn a_node_with_nothing_to_run_has_an_empty_config() {
    let plan = World { nodes: vec![node("idle")], ..World::default() }.plan();
    assert_eq!(plan.node_configs["idle"], holdfast_crds::NodeConfigSpec::default());
}
