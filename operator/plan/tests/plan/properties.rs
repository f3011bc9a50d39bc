//! What holds for every input.

use std::collections::BTreeMap;

use holdfast_plan::Plan;
use proptest::collection::btree_set;
use proptest::prelude::*;

use crate::objects::{World, node, preferred, vip, vip_with};

fn world(vips: &std::collections::BTreeSet<u8>, nodes: &std::collections::BTreeSet<u8>) -> World {
    World {
        virtual_ips: vips.iter().map(|number| vip(&format!("vip-{number}"), &format!("192.0.2.{number}"))).collect(),
        nodes: nodes.iter().map(|number| node(&format!("node-{number}"))).collect(),
        ..World::default()
    }
}

fn masters(plan: &Plan) -> BTreeMap<String, String> {
    plan.virtual_ips.keys().filter_map(|name| Some((name.clone(), preferred(plan, name)?))).collect()
}

/// How many masters the most and the least loaded node have.
fn extremes(plan: &Plan) -> (usize, usize) {
    let masters = masters(plan);
    let counts: Vec<usize> =
        plan.node_configs.keys().map(|node| masters.values().filter(|master| *master == node).count()).collect();
    (counts.iter().copied().max().unwrap_or(0), counts.iter().copied().min().unwrap_or(0))
}

fn moved(before: &Plan, after: &Plan) -> usize {
    let after = masters(after);
    masters(before).iter().filter(|(vip, master)| after.get(*vip).is_some_and(|now| now != *master)).count()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_of_the_objects_does_not_matter(
        vips in btree_set(1_u8..250, 1..20),
        nodes in btree_set(1_u8..250, 1..6),
    ) {
        let forward = world(&vips, &nodes);
        let mut backward = forward.clone();
        backward.virtual_ips.reverse();
        backward.nodes.reverse();
        prop_assert_eq!(forward.plan(), backward.plan());
    }

    #[test]
    fn a_plan_carried_out_plans_itself_again(
        vips in btree_set(1_u8..250, 1..30),
        nodes in btree_set(1_u8..250, 1..6),
    ) {
        let world = world(&vips, &nodes);
        let first = world.plan();
        prop_assert_eq!(&world.after(&first).plan(), &first);
    }

    #[test]
    fn masters_are_spread_evenly(vips in btree_set(1_u8..250, 0..40), nodes in btree_set(1_u8..250, 1..8)) {
        let (most, least) = extremes(&world(&vips, &nodes).plan());
        prop_assert!(most - least <= 1, "{} to {}", most, least);
    }

    #[test]
    fn when_a_node_leaves_only_its_own_masters_move(
        vips in btree_set(1_u8..250, 1..40),
        nodes in btree_set(1_u8..250, 2..8),
        choice in any::<prop::sample::Index>(),
    ) {
        let before = world(&vips, &nodes);
        let plan = before.plan();
        let mut now = before.after(&plan);
        let gone = now.nodes.remove(choice.index(now.nodes.len())).metadata.name.expect("a name");
        let after = now.plan();
        let had = masters(&plan).values().filter(|master| **master == gone).count();
        prop_assert_eq!(moved(&plan, &after), had);
        let (most, least) = extremes(&after);
        prop_assert!(most - least <= 1);
    }

    #[test]
    fn when_a_node_comes_it_gets_its_share_and_nothing_else_moves(
        vips in btree_set(1_u8..250, 1..40),
        nodes in btree_set(1_u8..249, 1..8),
    ) {
        let before = world(&vips, &nodes);
        let plan = before.plan();
        let mut now = before.after(&plan);
        now.nodes.push(node("node-250"));
        let after = now.plan();
        prop_assert_eq!(moved(&plan, &after), vips.len() / (nodes.len() + 1));
        let (most, least) = extremes(&after);
        prop_assert!(most - least <= 1);
    }

    #[test]
    fn ids_survive_every_order_of_adding_and_removing(
        steps in prop::collection::vec((1_u8..30, any::<bool>()), 1..60),
    ) {
        let mut world = World { nodes: vec![node("n")], ..World::default() };
        let mut known: BTreeMap<String, u8> = BTreeMap::new();
        for (number, add) in steps {
            let name = format!("vip-{number}");
            world.virtual_ips.retain(|vip| vip.metadata.name.as_deref() != Some(&name));
            if add {
                world.virtual_ips.push(vip(&name, &format!("192.0.2.{number}")));
            } else {
                known.remove(&name);
            }
            let plan = world.plan();
            for (name, verdict) in &plan.virtual_ips {
                let id = verdict.virtual_router_id.expect("an ID");
                prop_assert_eq!(*known.entry(name.clone()).or_insert(id), id, "{} was renumbered", name);
            }
            let distinct: std::collections::BTreeSet<_> = known.values().collect();
            prop_assert_eq!(distinct.len(), known.len());
            world = world.after(&plan);
        }
    }

    #[test]
    fn an_unrelated_object_changes_nothing_for_others(
        vips in btree_set(1_u8..250, 1..20),
        nodes in btree_set(1_u8..250, 1..6),
    ) {
        let before = world(&vips, &nodes);
        let plan = before.plan();
        let mut now = before.after(&plan);
        now.virtual_ips.push(vip_with("unrelated", "198.51.100.1", |spec| spec.priority = Some(50)));
        let after = now.plan();
        for (node, spec) in &plan.node_configs {
            let others = after.node_configs[node].virtual_routers.iter().filter(|router| router.name != "unrelated");
            prop_assert!(others.eq(&spec.virtual_routers));
        }
        for (name, verdict) in &plan.virtual_ips {
            prop_assert_eq!(&after.virtual_ips[name], verdict);
        }
    }
}
