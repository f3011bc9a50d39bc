//! `status.nodes`: the state on each node, and why.

use holdfast_crds::RouterState::{Backup, Init, Master, Unknown};
use holdfast_crds::{LabelSelector, LabelSelectorOperator, LabelSelectorRequirement};
use holdfast_operator::drain::Draining;
use holdfast_operator::heartbeat::Heartbeat::{Late, Never};

use crate::cluster::{Cluster, at};

#[test]
fn a_node_shows_what_its_agent_reports() {
    let cluster = Cluster::settled();
    let node = cluster.node("web", "a");
    assert_eq!((node.state, node.interface.as_deref(), node.since.clone()), (Master, Some("eth0"), Some(at(10))));
    assert!(node.priority.is_some());
    assert_eq!(node.reason.as_deref(), Some("MasterSilent: 192.0.2.13 has not advertised in time"));
}

#[test]
fn a_silent_node_is_unknown_since_it_was_found_silent() {
    for (name, heartbeat, reason) in [
        ("b", Late, "AgentUnreachable: its agent is not heard of any more"),
        ("b", Never, "AgentUnreachable: its agent was never heard of"),
        ("a", Late, "AgentUnreachable: it was MASTER when last heard of"),
    ] {
        let mut cluster = Cluster::settled();
        cluster.heartbeat(name, heartbeat);
        cluster.look();
        cluster.wait(30, &[]);
        let node = cluster.node("web", name);
        assert_eq!((node.state, node.priority, node.since.clone()), (Unknown, None, Some(at(1000))));
        assert_eq!(node.reason.as_deref(), Some(reason));
    }
}

#[test]
fn a_node_that_has_not_reported_is_starting() {
    let mut cluster = Cluster::settled();
    cluster.report("b").virtual_routers.clear();
    cluster.look();
    assert_eq!(cluster.states("web")[1], ("b", Init));
    assert_eq!(cluster.node("web", "b").reason.as_deref(), Some("Pending: not carried out yet"));
}

#[test]
fn a_node_that_is_emptied_says_so() {
    let mut cluster = Cluster::settled();
    cluster.draining.insert("a".to_owned(), Draining::Evictions);
    cluster.draining.insert("b".to_owned(), Draining::Taint("example.com/x".to_owned()));
    cluster.carry_out();
    cluster.look();
    let reason = |node| cluster.node("web", node).reason.clone().unwrap();
    assert_eq!(reason("b"), "Draining: taint example.com/x; HigherPriority");
    assert!(reason("a").starts_with("Draining: pods are evicted; MasterSilent"));
    assert_eq!(reason("c"), "HigherPriority");
}

#[test]
fn a_node_that_somebody_asked_for_says_so() {
    let mut cluster = Cluster::settled();
    let annotations = [(holdfast_plan::PREFER_NODE.to_owned(), "b".to_owned())].into();
    cluster.virtual_ips.get_mut("web").unwrap().metadata.annotations = Some(annotations);
    cluster.carry_out();
    cluster.look();
    let reason = |node| cluster.node("web", node).reason.clone().unwrap();
    assert_eq!(reason("b"), "Preferred: annotation holdfast.dev/prefer-node; HigherPriority");
    assert_eq!(reason("c"), "HigherPriority");
}

#[test]
fn the_member_of_a_group_that_asks_speaks_for_all() {
    let mut cluster = Cluster::settled();
    cluster.create("db", holdfast_crds::VirtualIPSpec::new(["192.0.2.8"]));
    cluster.create_group("pair", &["db", "web"]);
    let annotations = [(holdfast_plan::PREFER_NODE.to_owned(), "b".to_owned())].into();
    cluster.virtual_ips.get_mut("db").unwrap().metadata.annotations = Some(annotations);
    cluster.carry_out();
    cluster.look();
    assert!(cluster.node("web", "b").reason.as_deref().unwrap().starts_with("Preferred: "));
}

fn not_on(name: &str) -> LabelSelector {
    let requirement = LabelSelectorRequirement {
        key: "name".to_owned(),
        operator: LabelSelectorOperator::NotIn,
        values: vec![name.to_owned()],
    };
    LabelSelector { match_expressions: vec![requirement], ..LabelSelector::default() }
}

#[test]
fn a_node_that_is_not_selected_any_more_is_shown_until_it_has_let_go() {
    let mut cluster = Cluster::settled();
    let labels = [("name".to_owned(), "a".to_owned())].into();
    cluster.nodes.get_mut("a").unwrap().metadata.labels = Some(labels);
    cluster.edit("web", |spec| spec.node_selector = Some(not_on("a")));
    cluster.write_configs();
    cluster.look();
    assert_eq!(cluster.states("web"), [("a", Master), ("b", Backup), ("c", Backup)]);
    assert_eq!(cluster.node("web", "a").reason.as_deref(), Some("Leaving: it need not run here any more"));
    cluster.heartbeat("a", Late);
    cluster.look();
    assert_eq!(cluster.states("web")[0], ("a", Unknown), "it may still hold the addresses");
    cluster.beat("a");
    cluster.carry_out();
    cluster.look();
    assert_eq!(cluster.states("web"), [("b", Backup), ("c", Backup)]);
}

#[test]
fn a_long_reason_is_cut() {
    let mut cluster = Cluster::settled();
    cluster.report("b").virtual_routers[0].reason = Some("ä".repeat(10_000));
    cluster.look();
    assert_eq!(cluster.node("web", "b").reason.as_deref().unwrap().chars().count(), 256);
}
