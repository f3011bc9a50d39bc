//! What cannot be read goes on as the `NodeConfigs` have it.

use holdfast_crds::condition::{AcceptedReason, GroupAcceptedReason};
use holdfast_crds::{HealthCheckReference, VirtualIP};

use crate::objects::{World, check, group, node, vip, vip_with};

fn watched(name: &str, address: &str) -> VirtualIP {
    let reference = HealthCheckReference { name: "nginx".into(), weight: None, reverse: false };
    vip_with(name, address, |spec| spec.health_checks = vec![reference])
}

/// Two nodes, and what they have been told to run.
fn running(virtual_ips: Vec<VirtualIP>, groups: Vec<holdfast_crds::VirtualIPGroup>) -> World {
    let world = World {
        virtual_ips,
        groups,
        health_checks: vec![check("nginx", "tcp: {port: 80}")],
        nodes: vec![node("a"), node("b")],
        ..World::default()
    };
    let plan = world.plan();
    world.after(&plan)
}

/// The same, when the `VirtualIPs` of these names can no longer be read.
fn unreadable(mut world: World, names: &[&str]) -> World {
    world.virtual_ips.retain(|vip| !names.contains(&vip.metadata.name.as_deref().expect("a name")));
    world.unreadable = names.iter().map(ToString::to_string).collect();
    world
}

#[test]
fn nothing_changes_on_any_node() {
    let before = running(vec![watched("web", "192.0.2.1"), vip("mail", "192.0.2.2")], Vec::new());
    let plan = before.plan();
    assert_eq!(unreadable(before, &["web"]).plan().node_configs, plan.node_configs);
}

#[test]
fn its_addresses_and_its_id_stay_taken() {
    let mut world = unreadable(running(vec![vip("web", "192.0.2.1")], Vec::new()), &["web"]);
    let id = world.earlier[0].spec.virtual_routers[0].virtual_router_id;
    world.virtual_ips.push(vip("thief", "192.0.2.1"));
    world.virtual_ips.push(vip_with("same-id", "192.0.2.3", |spec| spec.virtual_router_id = Some(id)));
    let plan = world.plan();
    assert_eq!(plan.virtual_ips["thief"].accepted.reason, AcceptedReason::AddressInUse);
    assert_eq!(plan.virtual_ips["same-id"].accepted.reason, AcceptedReason::VirtualRouterIDInUse);
}

#[test]
fn what_moves_with_it_goes_on_unchanged_too() {
    let members = vec![vip("inside", "192.0.2.1"), watched("outside", "192.0.2.2")];
    let before = running(members, vec![group("gate", &["inside", "outside"])]);
    let plan = before.plan();
    let after = unreadable(before, &["inside"]).plan();
    assert_eq!(after.node_configs, plan.node_configs);
    assert!(after.virtual_ips["outside"].accepted.is_accepted());
    assert_eq!(after.virtual_ips["outside"].virtual_router_id, plan.virtual_ips["outside"].virtual_router_id);
    assert_eq!(after.groups["gate"].reason, GroupAcceptedReason::MemberNotAccepted);
}

#[test]
fn what_never_ran_does_not_run() {
    let world = unreadable(running(Vec::new(), Vec::new()), &["new"]);
    assert!(world.plan().node_configs["a"].virtual_routers.is_empty());
}
