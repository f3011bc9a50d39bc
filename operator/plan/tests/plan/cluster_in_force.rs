//! A cluster: what is in force goes on when it is refused from now on, until somebody has mended it.

use std::collections::BTreeSet;

use holdfast_crds::condition::{AcceptedReason as Reason, GroupAcceptedReason as GroupReason};
use holdfast_crds::{LabelSelector, Transport, VirtualIPSpec};
use holdfast_plan::Plan;
use proptest::prelude::*;

use crate::objects::{World, check, group, labelled, node, node_at, reference, vip, vip_with};

const GOES_ON: &str = "until this is mended, what is in force goes on unchanged";

/// Three `VirtualIPs`, two of them in a group, a check for each kind, and two nodes that have been told to run it all.
fn running() -> World {
    let watched = |spec: &mut VirtualIPSpec, name: &str| spec.health_checks = vec![reference(name)];
    let mut gateway = group("gateway", &["inside", "outside"]);
    gateway.spec.health_checks = vec![reference("uplink")];
    let world = World {
        virtual_ips: vec![
            vip_with("inside", "192.0.2.1", |spec| watched(spec, "port")),
            vip("outside", "198.51.100.1"),
            vip_with("web", "192.0.2.80", |spec| watched(spec, "page")),
        ],
        health_checks: ["page", "port", "uplink"].map(|name| check(name, "tcp: {port: 80}")).into(),
        groups: vec![gateway],
        nodes: vec![node("a"), node("b")],
        ..World::default()
    };
    let plan = world.plan();
    world.after(&plan)
}

fn index(world: &World, name: &str) -> usize {
    world.virtual_ips.iter().position(|vip| vip.metadata.name.as_deref() == Some(name)).expect("a VirtualIP")
}

fn edit(world: &mut World, name: &str, change: impl FnOnce(&mut VirtualIPSpec)) {
    let index = index(world, name);
    change(&mut world.virtual_ips[index].spec);
}

fn remove_check(world: &mut World, name: &str) {
    world.health_checks.retain(|check| check.metadata.name.as_deref() != Some(name));
}

fn verdict(plan: &Plan, name: &str) -> (Reason, String) {
    let verdict = &plan.virtual_ips[name].accepted;
    (verdict.reason, verdict.message.clone())
}

type Break = fn(&mut World);

/// What goes wrong, the object that is told so, and the reason.
const MISTAKES: [(&str, Break, &str, Reason); 6] = [
    ("its check is deleted", |world| remove_check(world, "page"), "web", Reason::UnknownHealthCheck),
    (
        "its check becomes one that does not run",
        |world| world.health_checks[0] = check("page", "icmp: {host: 192.0.2.9}"),
        "web",
        Reason::UnknownHealthCheck,
    ),
    (
        "a typo in the name of a check",
        |world| edit(world, "web", |spec| spec.health_checks[0].name = "pgae".into()),
        "web",
        Reason::UnknownHealthCheck,
    ),
    (
        "unicast between nodes without addresses",
        |world| edit(world, "web", |spec| spec.transport = Transport::Unicast),
        "web",
        Reason::InvalidSpec,
    ),
    (
        "an address of another",
        |world| edit(world, "web", |spec| spec.addresses.push("192.0.2.1".into())),
        "web",
        Reason::AddressInUse,
    ),
    ("the check of a member is deleted", |world| remove_check(world, "port"), "inside", Reason::UnknownHealthCheck),
];

#[test]
fn a_mistake_changes_nothing_on_any_node_and_is_told() {
    for (what, make, name, reason) in MISTAKES {
        let mut world = running();
        let before = world.plan();
        make(&mut world);
        let plan = world.plan();
        assert_eq!(plan.node_configs, before.node_configs, "{what}");
        let (told, message) = verdict(&plan, name);
        assert_eq!(told, reason, "{what}");
        assert!(message.ends_with(GOES_ON), "{what}: {message}");
        let others = before.virtual_ips.keys().filter(|other| *other != name);
        for other in others {
            assert!(plan.virtual_ips[other].accepted.is_accepted(), "{what}: {other}");
        }
    }
}

#[test]
fn a_group_that_is_refused_holds_together() {
    let mut world = running();
    let before = world.plan();
    remove_check(&mut world, "uplink");
    let plan = world.plan();
    assert_eq!(plan.node_configs, before.node_configs);
    assert_eq!(plan.groups["gateway"].reason, GroupReason::UnknownHealthCheck);
    assert!(plan.groups["gateway"].message.ends_with(GOES_ON), "{:?}", plan.groups["gateway"]);
}

#[test]
fn a_change_counts_when_the_mistake_is_mended() {
    let mut world = running();
    remove_check(&mut world, "page");
    let plan = world.plan();
    let mut world = world.after(&plan);
    world.health_checks.push(check("page", "tcp: {port: 81}"));
    let plan = world.plan();
    assert!(plan.virtual_ips["web"].accepted.is_accepted());
    let checks = &plan.node_configs["a"].health_checks;
    let ports: Vec<u16> = checks.iter().filter_map(|check| Some(check.spec.tcp.as_ref()?.port)).collect();
    assert!(ports.contains(&81), "{checks:?}");
}

#[test]
fn what_was_never_in_force_is_refused() {
    let mut world = running();
    world.virtual_ips.push(vip_with("new", "192.0.2.9", |spec| spec.health_checks = vec![reference("missing")]));
    let plan = world.plan();
    let (reason, message) = verdict(&plan, "new");
    assert_eq!(reason, Reason::UnknownHealthCheck);
    assert!(!message.contains(GOES_ON), "{message}");
    assert!(!plan.node_configs["a"].virtual_routers.iter().any(|router| router.virtual_ip == "new"));
}

#[test]
fn one_that_was_deleted_and_made_again_is_another() {
    let mut world = running();
    let web = index(&world, "web");
    world.virtual_ips[web].metadata.uid = Some("another".into());
    remove_check(&mut world, "page");
    assert!(!world.plan().node_configs["a"].virtual_routers.iter().any(|router| router.virtual_ip == "web"));
}

#[test]
fn no_node_holds_what_no_node_is_to_hold() {
    let nowhere = LabelSelector { match_labels: [("role".into(), "edge".into())].into(), ..LabelSelector::default() };
    let mut world = running();
    edit(&mut world, "web", |spec| spec.node_selector = Some(nowhere));
    let plan = world.plan();
    assert_eq!(verdict(&plan, "web").0, Reason::NoMatchingNodes);
    assert!(!plan.node_configs["a"].virtual_routers.iter().any(|router| router.virtual_ip == "web"));
}

#[test]
fn a_member_that_is_deleted_goes_also_while_its_group_is_not_in_order() {
    let mut world = running();
    remove_check(&mut world, "uplink");
    let inside = index(&world, "inside");
    world.virtual_ips.remove(inside);
    let plan = world.plan();
    assert_eq!(plan.groups["gateway"].reason, GroupReason::UnknownVirtualIP);
    let names: BTreeSet<&str> =
        plan.node_configs["a"].virtual_routers.iter().map(|router| router.virtual_ip.as_str()).collect();
    assert_eq!(names, BTreeSet::from(["outside", "web"]));
}

#[test]
fn members_stay_with_the_group_that_names_them_also_while_it_is_not_in_order() {
    let mut world = running();
    let before = world.plan();
    remove_check(&mut world, "port");
    world.groups.push(group("newer", &["outside", "web"]));
    let plan = world.plan();
    assert_eq!(plan.node_configs, before.node_configs);
    assert_eq!(plan.groups["newer"].reason, GroupReason::MemberNotAccepted);
}

#[test]
fn members_that_have_moved_to_another_group_are_not_held_back() {
    let mut world = running();
    remove_check(&mut world, "uplink");
    world.virtual_ips.push(vip("mail", "192.0.2.25"));
    world.groups[0].spec.members = vec!["mail".into(), "web".into()];
    world.groups.push(group("newer", &["inside", "outside"]));
    let plan = world.plan();
    assert!(plan.groups["newer"].is_accepted(), "{:?}", plan.groups["newer"]);
    assert_eq!(plan.groups["gateway"].reason, GroupReason::UnknownHealthCheck);
}

#[test]
fn an_address_that_goes_on_is_not_given_to_another() {
    let mut world = running();
    remove_check(&mut world, "page");
    world.virtual_ips.push(vip("thief", "192.0.2.80"));
    let plan = world.plan();
    assert_eq!(verdict(&plan, "thief").0, Reason::AddressInUse);
}

#[test]
fn a_group_cannot_take_what_goes_on_as_it_is() {
    let mut world = running();
    remove_check(&mut world, "page");
    world.virtual_ips.push(vip("mail", "192.0.2.25"));
    world.groups.push(group("services", &["mail", "web"]));
    let plan = world.plan();
    let verdict = &plan.groups["services"];
    assert_eq!(verdict.reason, GroupReason::MemberNotAccepted);
    assert!(verdict.message.contains("is not in order"), "{verdict:?}");
}

#[test]
fn a_node_that_is_not_told_yet_is_not_told_later() {
    let mut world = running();
    world.nodes.push(labelled(node_at("c", &["192.0.2.13"]), "role", "edge"));
    remove_check(&mut world, "page");
    let plan = world.plan();
    assert!(!plan.node_configs["c"].virtual_routers.iter().any(|router| router.virtual_ip == "web"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_goes_wrong_together_a_plan_carried_out_plans_itself_again(
        mistakes in proptest::collection::vec(0..MISTAKES.len(), 0..4),
        newcomers in proptest::collection::vec((0_u8..4, 0_u8..4), 0..4),
    ) {
        let mut world = running();
        let held: BTreeSet<String> = world.plan().virtual_ips.into_keys().collect();
        for mistake in mistakes {
            MISTAKES[mistake].1(&mut world);
        }
        for (number, (last, other)) in newcomers.into_iter().enumerate() {
            world.virtual_ips.push(vip(&format!("new-{number}"), &format!("192.0.2.{}", [1, 80, 9, 10][usize::from(last)])));
            world.groups.push(group(&format!("new-{number}"), &["web", ["inside", "outside", "new-0", "none"][usize::from(other)]]));
        }
        let plan = world.plan();
        let runs: BTreeSet<String> =
            plan.node_configs["a"].virtual_routers.iter().map(|router| router.virtual_ip.clone()).collect();
        prop_assert!(held.is_subset(&runs), "{:?}", runs);
        let again = world.after(&plan).plan();
        prop_assert!(again.node_configs == plan.node_configs);
    }
}
