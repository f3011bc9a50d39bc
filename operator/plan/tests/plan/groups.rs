//! Groups, and virtual IPs with both families.

use holdfast_crds::condition::GroupAcceptedReason as Reason;
use holdfast_crds::{HealthCheckReference, PreemptionMode, VirtualIP, VirtualIPSpec};

use crate::objects::{World, check, group, node, preferred, vip, vip_with};

fn gateway() -> World {
    World {
        virtual_ips: vec![vip("inside", "192.0.2.1"), vip("outside", "198.51.100.1"), vip("web", "192.0.2.80")],
        groups: vec![group("gateway", &["inside", "outside"])],
        nodes: vec![node("a"), node("b"), node("c")],
        ..World::default()
    }
}

#[test]
fn members_share_one_group_with_one_preferred_node() {
    let plan = gateway().plan();
    for spec in plan.node_configs.values() {
        let groups: Vec<_> = spec.virtual_routers.iter().map(|router| router.group.as_str()).collect();
        assert_eq!(groups, ["group/gateway", "group/gateway", "web"]);
    }
    assert_eq!(preferred(&plan, "inside"), preferred(&plan, "outside"));
    assert_eq!(plan.groups["gateway"].reason, Reason::Accepted);
}

#[test]
fn a_dual_stack_virtual_ip_is_one_group_of_two_routers_with_one_id() {
    let dual = VirtualIP::new("web", VirtualIPSpec::new(["192.0.2.10/24", "2001:db8::10/64", "192.0.2.11/24"]));
    let world = World { virtual_ips: vec![dual], nodes: vec![node("a")], ..World::default() };
    let plan = world.plan();
    let spec = &plan.node_configs["a"];
    assert_eq!(spec.groups.len(), 1);
    let [ipv4, ipv6] = &spec.virtual_routers[..] else { panic!("two routers: {spec:?}") };
    assert_eq!((ipv4.name.as_str(), ipv6.name.as_str()), ("web/ipv4", "web/ipv6"));
    assert_eq!(ipv4.addresses, ["192.0.2.10/24", "192.0.2.11/24"]);
    assert_eq!(ipv6.addresses, ["2001:db8::10/64"]);
    assert_eq!(ipv4.virtual_router_id, ipv6.virtual_router_id);
    assert_eq!((ipv4.group.as_str(), ipv6.group.as_str()), ("web", "web"));
}

#[test]
fn a_broken_group_is_told_why_and_its_members_stand_alone() {
    type Break = fn(&mut World);
    let cases: [(&str, Break, Reason); 6] = [
        ("a missing member", |world| world.groups[0].spec.members.push("nobody".into()), Reason::UnknownVirtualIP),
        ("a member that is refused", |world| world.virtual_ips[1].spec.virtual_mac = true, Reason::MemberNotAccepted),
        (
            "another preemption",
            |world| world.virtual_ips[1].spec.preemption.mode = PreemptionMode::Never,
            Reason::InvalidSpec,
        ),
        ("another priority", |world| world.virtual_ips[1].spec.priority = Some(7), Reason::InvalidSpec),
        (
            "an unknown check",
            |world| {
                let reference = HealthCheckReference { name: "no".into(), weight: None, reverse: false };
                world.groups[0].spec.health_checks.push(reference);
            },
            Reason::UnknownHealthCheck,
        ),
        (
            "no node in common",
            |world| {
                world.nodes[0] = crate::objects::labelled(node("a"), "side", "left");
                world.nodes[1] = crate::objects::labelled(node("b"), "side", "right");
                for (vip, side) in [(0, "left"), (1, "right")] {
                    let labels = [("side".to_owned(), side.to_owned())].into();
                    world.virtual_ips[vip].spec.node_selector =
                        Some(holdfast_crds::LabelSelector { match_labels: labels, ..Default::default() });
                }
            },
            Reason::NoMatchingNodes,
        ),
    ];
    for (name, break_it, reason) in cases {
        let mut world = gateway();
        break_it(&mut world);
        let plan = world.plan();
        assert_eq!(plan.groups["gateway"].reason, reason, "{name}");
        let routers = plan.node_configs.values().flat_map(|spec| &spec.virtual_routers);
        assert!(routers.into_iter().all(|router| router.group == router.virtual_ip), "{name}");
    }
}

#[test]
fn a_virtual_ip_is_in_the_first_group_that_names_it() {
    let mut world = gateway();
    world.groups.push(group("later", &["outside", "web"]));
    let plan = world.plan();
    assert_eq!(plan.groups["gateway"].reason, Reason::Accepted);
    assert_eq!(plan.groups["later"].reason, Reason::VirtualIPInOtherGroup);
}

#[test]
fn trackers_of_members_count_for_the_group_and_the_group_has_the_last_word() {
    let reference = |name: &str, weight| HealthCheckReference { name: name.into(), weight, reverse: false };
    let mut world = gateway();
    world.health_checks = vec![
        check("x", "{tcp: {port: 1}, weight: -20}"),
        check("y", "tcp: {port: 2}"),
        check("unused", "tcp: {port: 3}"),
    ];
    world.groups[0].spec.health_checks = vec![reference("x", Some(-5))];
    world.virtual_ips[0] = vip_with("inside", "192.0.2.1", |spec| {
        spec.health_checks = vec![reference("x", Some(-50)), reference("y", None)];
    });
    let plan = world.plan();
    let spec = &plan.node_configs["a"];
    let group = spec.groups.iter().find(|group| group.name == "group/gateway").expect("the group");
    let weights: Vec<_> = group.health_checks.iter().map(|check| (check.name.as_str(), check.weight)).collect();
    assert_eq!(weights, [("x", -5), ("y", 0)]);
    let run: Vec<_> = spec.health_checks.iter().map(|check| check.name.as_str()).collect();
    assert_eq!(run, ["x", "y"], "a check that nobody uses is not run");
}
