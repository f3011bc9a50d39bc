//! Where masters go for a while: away from nodes that are emptied, onto the node that is asked for.

use std::collections::BTreeMap;

use holdfast_crds::{NodePriority, Preemption, PreemptionMode, VirtualIP};
use holdfast_plan::Plan;

use crate::objects::{World, group, node, preferred, priorities, vip, vip_with};

fn nodes(names: &[&str]) -> Vec<k8s_openapi::api::core::v1::Node> {
    names.iter().map(|name| node(name)).collect()
}

/// Priorities by node.
type Ranks<'a> = &'a [(&'a str, u8)];

/// Priorities as they are written in `nodePriorities`.
fn ranked(name: &str, address: &str, given: Ranks<'_>) -> VirtualIP {
    let entry = |(node, priority): &(&str, u8)| NodePriority {
        node_name: Some((*node).to_owned()),
        node_selector: None,
        priority: *priority,
    };
    vip_with(name, address, |spec| spec.node_priorities = given.iter().map(entry).collect())
}

fn asking_for(mut vip: VirtualIP, node: &str) -> VirtualIP {
    let annotations = vip.metadata.annotations.get_or_insert_default();
    annotations.insert("holdfast.dev/prefer-node".to_owned(), node.to_owned());
    vip
}

fn preemption<'a>(plan: &'a Plan, node: &str) -> &'a Preemption {
    &plan.node_configs[node].groups[0].preemption
}

fn table(expected: Ranks<'_>) -> BTreeMap<String, u8> {
    expected.iter().map(|(node, priority)| ((*node).to_owned(), *priority)).collect()
}

#[test]
fn a_node_that_is_emptied_is_below_all_others() {
    let cases: [(Ranks<'_>, &[&str], Ranks<'_>); 4] = [
        (&[("a", 100), ("b", 99)], &["a"], &[("a", 1), ("b", 99)]),
        (&[("a", 255), ("b", 1)], &["a"], &[("a", 1), ("b", 2)]),
        (&[("a", 100), ("b", 99)], &["elsewhere"], &[("a", 100), ("b", 99)]),
        // If all are, somebody must hold the address all the same: by the rule.
        (&[("a", 100), ("b", 99)], &["a", "b"], &[("a", 100), ("b", 99)]),
    ];
    for (given, draining, expected) in cases {
        let world = World {
            virtual_ips: vec![ranked("web", "192.0.2.1", given)],
            nodes: nodes(&["a", "b"]),
            draining: draining.iter().map(ToString::to_string).collect(),
            ..World::default()
        };
        assert_eq!(priorities(&world.plan(), "web"), table(expected), "{given:?} without {draining:?}");
    }
}

#[test]
fn the_node_that_is_asked_for_is_above_all_others() {
    let web = asking_for(ranked("web", "192.0.2.1", &[("a", 255), ("b", 99), ("c", 254)]), "b");
    let world = World { virtual_ips: vec![web], nodes: nodes(&["a", "b", "c"]), ..World::default() };
    assert_eq!(priorities(&world.plan(), "web"), table(&[("a", 253), ("b", 254), ("c", 253)]));
}

#[test]
fn that_a_node_is_emptied_counts_more_than_that_it_is_asked_for() {
    let web = asking_for(ranked("web", "192.0.2.1", &[("a", 100), ("b", 99)]), "b");
    let world =
        World { virtual_ips: vec![web], nodes: nodes(&["a", "b"]), draining: vec!["b".into()], ..World::default() };
    assert_eq!(preferred(&world.plan(), "web").as_deref(), Some("a"));
}

#[test]
fn who_is_asked_to_leave_is_asked_to_leave_now() {
    let web = vip_with("web", "192.0.2.1", |spec| spec.preemption.mode = PreemptionMode::Never);
    let mut world = World { virtual_ips: vec![web], nodes: nodes(&["a", "b"]), ..World::default() };
    assert_eq!(preemption(&world.plan(), "a").mode, PreemptionMode::Never);
    world.draining = vec![preferred(&world.plan(), "web").expect("a node")];
    assert_eq!(preemption(&world.plan(), "a"), &Preemption::default());
    assert_eq!(preemption(&world.plan(), "b"), &Preemption::default());
}

#[test]
fn a_group_goes_where_one_of_its_members_is_asked_to_be() {
    let virtual_ips = vec![asking_for(vip("inside", "192.0.2.1"), "b"), vip("outside", "192.0.2.2")];
    let world = World {
        virtual_ips,
        groups: vec![group("gate", &["inside", "outside"])],
        nodes: nodes(&["a", "b", "c"]),
        ..World::default()
    };
    let plan = world.plan();
    assert_eq!(preferred(&plan, "inside").as_deref(), Some("b"));
    assert_eq!(preferred(&plan, "outside").as_deref(), Some("b"));
}

#[test]
fn a_node_that_is_asked_for_in_vain_is_told() {
    let world = World {
        virtual_ips: vec![asking_for(vip("web", "192.0.2.1"), "typo")],
        nodes: nodes(&["a"]),
        ..World::default()
    };
    let plan = world.plan();
    let verdict = &plan.virtual_ips["web"].accepted;
    assert!(verdict.is_accepted());
    assert!(verdict.message.contains("holdfast.dev/prefer-node is ignored: no selected node is named \"typo\""));
}

#[test]
fn after_a_drain_spread_masters_come_back_where_they_were() {
    let mut world = World {
        virtual_ips: (1..=6).map(|n| vip(&format!("vip-{n}"), &format!("192.0.2.{n}"))).collect(),
        nodes: nodes(&["a", "b", "c"]),
        ..World::default()
    };
    let before = world.plan();
    world = world.after(&before);
    world.draining = vec!["a".to_owned()];
    let during = world.plan();
    for n in 1..=6 {
        let name = format!("vip-{n}");
        assert_ne!(preferred(&during, &name).as_deref(), Some("a"));
        if preferred(&before, &name).as_deref() != Some("a") {
            assert_eq!(preferred(&during, &name), preferred(&before, &name), "{name} has no reason to move");
        }
    }
    world = world.after(&during);
    world.draining.clear();
    assert_eq!(world.plan(), before);
}
