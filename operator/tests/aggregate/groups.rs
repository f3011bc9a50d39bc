//! The status of a `VirtualIPGroup`.

use holdfast_crds::RouterState::{Backup, Fault, Master};
use holdfast_crds::{VirtualIPGroupStatus, VirtualIPSpec};
use holdfast_operator::heartbeat::Heartbeat::Late;

use crate::cluster::{Cluster, condition_of};

fn pair() -> Cluster {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.create("inside", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.create("outside", VirtualIPSpec::new(["192.0.2.2"]));
    cluster.create_group("gateway", &["outside", "inside"]);
    cluster.carry_out();
    cluster.settle("inside", "a");
    cluster.settle("outside", "a");
    cluster.look();
    cluster
}

fn status(cluster: &Cluster) -> &VirtualIPGroupStatus {
    cluster.groups["gateway"].status.as_ref().unwrap()
}

fn ready(cluster: &Cluster) -> (&str, &str) {
    let ready = condition_of(&status(cluster).conditions, "Ready");
    (ready.reason.as_str(), ready.message.as_str())
}

#[test]
fn its_master_is_that_of_all_members() {
    let cluster = pair();
    assert_eq!(ready(&cluster), ("MasterElected", "All members are on node \"a\""));
    assert_eq!(status(&cluster).master.as_deref(), Some("a"));
    assert_eq!(status(&cluster).summary.as_ref().unwrap().members.as_deref(), Some("inside,outside"));
    assert_eq!(condition_of(&status(&cluster).conditions, "Accepted").reason, "Accepted");
}

#[test]
fn what_is_wrong_with_a_member_is_wrong_with_the_group() {
    let mut lost = pair();
    lost.state("a", "inside", Fault, 20);
    lost.look();
    assert_eq!(ready(&lost), ("NoMaster", "NoMaster for inside: kubectl describe virtualip tells more"));
    assert_eq!(status(&lost).master, None);

    let mut silent = pair();
    silent.heartbeat("a", Late);
    silent.look();
    assert_eq!(ready(&silent).0, "Stale");

    let mut split = pair();
    split.state("b", "outside", Master, 20);
    split.wait(15, &["a", "b"]);
    assert_eq!(ready(&split), ("SplitBrain", "SplitBrain for outside: kubectl describe virtualip tells more"));
}

#[test]
fn members_on_different_nodes_are_not_together() {
    let mut cluster = pair();
    cluster.state("a", "inside", Backup, 20);
    cluster.settle("inside", "b");
    cluster.look();
    assert_eq!(ready(&cluster), ("NoMaster", "The members are not together: inside on b, outside on a"));
}

#[test]
fn members_that_are_just_moving_are_still_together() {
    let mut cluster = pair();
    cluster.claim("b", "inside", 30);
    cluster.look();
    assert_eq!((ready(&cluster).0, status(&cluster).master.as_deref()), ("MasterElected", Some("a")));
    cluster.claim("b", "outside", 30);
    cluster.look();
    assert_eq!((ready(&cluster).0, status(&cluster).master.as_deref()), ("MasterElected", Some("b")));
}

#[test]
fn members_of_a_group_that_is_refused_stand_alone() {
    let mut cluster = pair();
    cluster.create_group("gateway", &["outside", "inside", "nobody"]);
    cluster.carry_out();
    cluster.look();
    assert_eq!(condition_of(&status(&cluster).conditions, "Accepted").reason, "UnknownVirtualIP");
    assert_eq!(ready(&cluster).0, "NoMaster");
    assert!(ready(&cluster).1.contains("not in force"));
    assert_eq!(cluster.is("inside", "Ready"), ("True", "MasterElected"));
}
