//! The status of a `HealthCheck`.

use holdfast_crds::{HealthCheckReference, VirtualIPSpec};
use holdfast_operator::heartbeat::Heartbeat::Late;

use crate::cluster::{Cluster, at, condition_of};

fn used() -> Cluster {
    let mut cluster = Cluster::of(&["a", "b", "c"]);
    cluster.create_check("nginx");
    let check = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
    cluster.create("web", VirtualIPSpec { health_checks: vec![check], ..VirtualIPSpec::new(["192.0.2.1"]) });
    cluster.carry_out();
    cluster
}

#[test]
fn it_has_a_result_of_each_node_that_runs_it() {
    let mut cluster = used();
    cluster.check("a", "nginx", Some(true), "connected");
    cluster.check("b", "nginx", Some(false), "connection refused");
    cluster.look();
    let status = cluster.check_status("nginx");
    let results: Vec<_> =
        status.nodes.iter().map(|node| (node.name.as_str(), node.passing, node.message.as_deref().unwrap())).collect();
    assert_eq!(
        results,
        [
            ("a", Some(true), "connected"),
            ("b", Some(false), "connection refused"),
            ("c", None, "Pending: not carried out yet"),
        ]
    );
    assert_eq!(status.nodes[0].since, Some(at(20)));
    let summary = status.summary.as_ref().unwrap();
    assert_eq!((summary.probe_type.as_deref(), summary.passing.as_deref()), (Some("tcp"), Some("1/3")));
    assert_eq!(condition_of(&status.conditions, "Accepted").reason, "Accepted");
}

#[test]
fn the_result_of_a_silent_node_is_not_known() {
    let mut cluster = used();
    cluster.check("a", "nginx", Some(true), "connected");
    cluster.heartbeat("a", Late);
    cluster.look();
    let node = &cluster.check_status("nginx").nodes[0];
    assert_eq!((node.passing, node.since.clone()), (None, None));
    assert_eq!(node.message.as_deref(), Some("AgentUnreachable: its agent is not heard of"));
}

#[test]
fn one_that_nobody_refers_to_says_so() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.create_check("nginx");
    cluster.look();
    let status = cluster.check_status("nginx");
    assert_eq!(status.summary.as_ref().unwrap().passing.as_deref(), Some("0/0"));
    let accepted = condition_of(&status.conditions, "Accepted");
    assert_eq!(accepted.status, "True");
    assert!(accepted.message.ends_with("; no node runs it, as no VirtualIP refers to it"), "{}", accepted.message);
}

#[test]
fn one_that_cannot_be_run_is_not_accepted() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.create_check("ping");
    let spec = serde_json::json!({ "icmp": { "host": "192.0.2.9" } });
    cluster.health_checks.get_mut("ping").unwrap().spec = serde_json::from_value(spec).unwrap();
    cluster.look();
    let accepted = condition_of(&cluster.check_status("ping").conditions, "Accepted");
    assert_eq!((accepted.status.as_str(), accepted.reason.as_str()), ("False", "InvalidSpec"));
}
