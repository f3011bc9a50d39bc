//! Priorities as given.

use holdfast_crds::{LabelSelector, NodePriority};

use crate::objects::{World, labelled, node, priorities, vip_with};

fn by_name(name: &str, priority: u8) -> NodePriority {
    NodePriority { node_name: Some(name.into()), node_selector: None, priority }
}

#[test]
fn the_first_entry_that_matches_a_node_wins_over_the_common_priority() {
    let labels = LabelSelector { match_labels: [("edge".into(), "yes".into())].into(), ..LabelSelector::default() };
    let edge = NodePriority { node_name: None, node_selector: Some(labels), priority: 120 };
    let web = vip_with("web", "192.0.2.10", |spec| {
        spec.priority = Some(90);
        spec.node_priorities = vec![by_name("a", 200), edge];
    });
    let nodes = vec![labelled(node("a"), "edge", "yes"), labelled(node("b"), "edge", "yes"), node("c")];
    let plan = World { virtual_ips: vec![web], nodes, ..World::default() }.plan();
    let expected = [("a".to_owned(), 200), ("b".to_owned(), 120), ("c".to_owned(), 90)];
    assert_eq!(priorities(&plan, "web"), expected.into());
}
