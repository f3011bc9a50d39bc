//! Virtual router IDs.

use std::collections::BTreeSet;

use holdfast_crds::VirtualIPSpec;
use holdfast_crds::condition::AcceptedReason as Reason;

use crate::objects::{World, node, vip, vip_with};

fn world(virtual_ips: Vec<holdfast_crds::VirtualIP>) -> World {
    World { virtual_ips, nodes: vec![node("n")], ..World::default() }
}

fn id(world: &World, name: &str) -> Option<u8> {
    world.plan().virtual_ips[name].virtual_router_id
}

fn explicit(name: &str, address: &str, id: u8) -> holdfast_crds::VirtualIP {
    vip_with(name, address, |spec| spec.virtual_router_id = Some(id))
}

#[test]
fn an_explicit_id_is_respected() {
    assert_eq!(id(&world(vec![explicit("web", "192.0.2.10", 51)]), "web"), Some(51));
}

#[test]
fn the_later_of_two_explicit_users_of_an_id_is_refused() {
    let world = world(vec![explicit("a", "192.0.2.10", 51), explicit("b", "192.0.2.11", 51)]);
    let plan = world.plan();
    assert_eq!(plan.virtual_ips["a"].virtual_router_id, Some(51));
    assert_eq!(plan.virtual_ips["b"].accepted.reason, Reason::VirtualRouterIDInUse);
}

#[test]
fn one_id_serves_two_families_and_two_interfaces() {
    let on = |interface: &str| {
        let interface = interface.to_owned();
        move |spec: &mut VirtualIPSpec| {
            spec.virtual_router_id = Some(51);
            spec.interface = Some(interface);
        }
    };
    let world = world(vec![
        vip_with("v4", "192.0.2.10", on("eth0")),
        vip_with("v6", "2001:db8::10", on("eth0")),
        vip_with("other", "198.51.100.10", on("eth1")),
    ]);
    let plan = world.plan();
    assert!(["v4", "v6", "other"].iter().all(|name| plan.virtual_ips[*name].virtual_router_id == Some(51)));
}

#[test]
fn an_open_choice_of_interface_may_meet_any_other() {
    let world = world(vec![
        vip_with("named", "192.0.2.10", |spec| {
            spec.virtual_router_id = Some(51);
            spec.interface = Some("eth0".into());
        }),
        explicit("open", "192.0.2.11", 51),
    ]);
    assert_eq!(world.plan().virtual_ips["open"].accepted.reason, Reason::VirtualRouterIDInUse);
}

#[test]
fn what_stands_in_a_node_config_is_kept_against_a_newcomer() {
    let old = world(vec![vip("old", "192.0.2.10")]);
    let plan = old.plan();
    let taken = plan.virtual_ips["old"].virtual_router_id.expect("allocated");
    let mut now = old.after(&plan);
    now.virtual_ips.push(explicit("new", "192.0.2.11", taken));
    let plan = now.plan();
    assert_eq!(plan.virtual_ips["old"].virtual_router_id, Some(taken));
    assert_eq!(plan.virtual_ips["new"].accepted.reason, Reason::VirtualRouterIDInUse);
}

#[test]
fn the_256th_virtual_ip_of_an_interface_is_refused_and_the_others_have_an_id_each() {
    let virtual_ips: Vec<_> = (0..256)
        .map(|number| vip(&format!("vip-{number:03}"), &format!("10.0.{}.{}", number / 200, number % 200 + 1)))
        .collect();
    let plan = world(virtual_ips).plan();
    let ids: BTreeSet<u8> = plan.virtual_ips.values().filter_map(|verdict| verdict.virtual_router_id).collect();
    assert_eq!(ids.len(), 255);
    let refused: Vec<_> = plan
        .virtual_ips
        .iter()
        .filter(|(_, verdict)| verdict.accepted.reason == Reason::VirtualRouterIDsExhausted)
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(refused, ["vip-255"]);
}
