//! The condition Accepted, and what every condition has.

use holdfast_crds::VirtualIPSpec;

use crate::cluster::{Cluster, at};

#[test]
fn the_verdict_of_the_plan_is_what_it_says() {
    let mut cluster = Cluster::settled();
    assert_eq!(cluster.is("web", "Accepted"), ("True", "Accepted"));
    cluster.create("zweb", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.look();
    assert_eq!(cluster.is("web", "Accepted"), ("True", "Accepted"), "it was there first");
    assert_eq!(cluster.is("zweb", "Accepted"), ("False", "AddressInUse"));
    assert!(cluster.message("zweb", "Accepted").contains("\"web\""));
}

#[test]
fn an_object_that_the_plan_does_not_know_has_no_status_yet() {
    let cluster = Cluster::settled();
    let plan = cluster.plan();
    let mut later = cluster.clone();
    later.create("new", VirtualIPSpec::new(["192.0.2.9"]));
    let names: Vec<String> = later.aggregate_of(&plan).virtual_ips.into_keys().collect();
    assert_eq!(names, ["web"]);
}

#[test]
fn an_object_that_cannot_be_read_any_more_is_not_accepted_and_runs_on() {
    let mut cluster = Cluster::settled();
    cluster.unread("web", "invalid type: string \"x\", expected u8", 2);
    cluster.look();
    assert_eq!(cluster.is("web", "Accepted"), ("False", "InvalidSpec"));
    assert!(cluster.message("web", "Accepted").contains("invalid type: string \"x\", expected u8"));
    assert_eq!(cluster.condition("web", "Accepted").observed_generation, Some(2));
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
}

#[test]
fn an_object_that_was_never_read_has_a_status_that_does_not_change_by_itself() {
    let mut cluster = Cluster::settled();
    cluster.unread("web", "invalid type", 2);
    cluster.virtual_ips.clear();
    let first = cluster.look().virtual_ips.remove("web").unwrap();
    let reason = |kind: &str| first.conditions.iter().find(|found| found.type_ == kind).unwrap().reason.clone();
    assert_eq!((reason("Accepted"), reason("Ready")), ("InvalidSpec".to_owned(), "MasterElected".to_owned()));
    assert_eq!(first.summary.as_ref().unwrap().addresses.as_deref(), Some("192.0.2.1"), "as the nodes have it");
    assert!(first.virtual_router_id.is_some());
    cluster.clock *= 2;
    let second = cluster.look().virtual_ips.remove("web").unwrap();
    assert_eq!(second, first);
}

#[test]
fn every_condition_is_about_the_generation_that_was_planned() {
    let mut cluster = Cluster::settled();
    cluster.edit("web", |spec| spec.priority = Some(7));
    cluster.look();
    let status = cluster.status("web");
    assert_eq!(status.observed_generation, Some(2));
    let types: Vec<&str> = status.conditions.iter().map(|condition| condition.type_.as_str()).collect();
    assert_eq!(types, ["Accepted", "Programmed", "Ready", "Degraded"]);
    assert!(status.conditions.iter().all(|condition| condition.observed_generation == Some(2)));
}

#[test]
fn a_condition_keeps_its_time_while_its_status_stays() {
    let mut cluster = Cluster::settled();
    cluster.clock *= 2;
    cluster.delete_node("c");
    cluster.carry_out();
    cluster.look();
    assert_eq!(cluster.message("web", "Programmed"), "2 nodes run it");
    assert_eq!(cluster.condition("web", "Programmed").last_transition_time, at(1000));
    cluster.delete_node("a");
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    assert_eq!(cluster.condition("web", "Ready").last_transition_time, at(2000));
}

#[test]
fn the_fields_of_the_agents_are_left_to_them() {
    let mut cluster = Cluster::settled();
    let status = cluster.look().virtual_ips.remove("web").unwrap();
    assert_eq!((status.master, status.master_since), (None, None));
}
