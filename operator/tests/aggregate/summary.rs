//! What the columns of `kubectl get virtualips` show.

use holdfast_crds::RouterState::{Fault, Master};
use holdfast_crds::{HealthCheckReference, RouterProblemReason, VirtualIPSpec, VirtualIPSummary};
use holdfast_operator::heartbeat::Heartbeat::Late;

use crate::cluster::Cluster;

fn summary(cluster: &Cluster) -> &VirtualIPSummary {
    cluster.status("web").summary.as_ref().unwrap()
}

#[test]
fn all_columns_of_a_healthy_virtual_ip() {
    let cluster = Cluster::settled();
    let priority = cluster.node("web", "a").priority;
    let expected = VirtualIPSummary {
        addresses: Some("192.0.2.1".to_owned()),
        backups: Some("2/2".to_owned()),
        interface: Some("eth0".to_owned()),
        priority,
        reason: Some("MasterSilent".to_owned()),
    };
    assert_eq!(*summary(&cluster), expected);
}

#[test]
fn backups_that_could_take_over_now_of_those_there_should_be() {
    let mut cluster = Cluster::settled();
    let mut backups = |change: &dyn Fn(&mut Cluster)| {
        change(&mut cluster);
        cluster.look();
        summary(&cluster).backups.clone().unwrap()
    };
    assert_eq!(backups(&|_| {}), "2/2");
    assert_eq!(backups(&|cluster| cluster.state("b", "web", Fault, 20)), "1/2");
    assert_eq!(backups(&|cluster| cluster.heartbeat("c", Late)), "0/2");
    let everybody_waits = |cluster: &mut Cluster| {
        for node in ["a", "b", "c"] {
            cluster.beat(node);
            cluster.state(node, "web", holdfast_crds::RouterState::Backup, 30);
        }
    };
    assert_eq!(backups(&everybody_waits), "2/2", "one of them will be master");
}

type Change<'a> = &'a dyn Fn(&mut Cluster);

#[test]
fn the_reason_that_tells_most() {
    let check = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
    let settled = || {
        let mut cluster = Cluster::of(&["a", "b", "c"]);
        cluster.create_check("nginx");
        cluster
            .create("web", VirtualIPSpec { health_checks: vec![check.clone()], ..VirtualIPSpec::new(["192.0.2.1"]) });
        cluster.carry_out();
        cluster.settle("web", "a");
        cluster
    };
    let everybody_fails = |cluster: &mut Cluster| {
        for node in ["a", "b", "c"] {
            cluster.state(node, "web", Fault, 20);
        }
    };
    let cases: [(&str, Change<'_>); 9] = [
        ("MasterSilent", &|_| {}),
        ("HealthCheckFailing", &|cluster| cluster.check("b", "nginx", Some(false), "refused")),
        ("NoMaster", &|cluster| cluster.state("a", "web", Fault, 20)),
        ("NoMaster", &everybody_fails),
        ("Stale", &|cluster| cluster.heartbeat("a", Late)),
        ("AgentUnreachable", &|cluster| cluster.heartbeat("b", Late)),
        ("InterfaceNotFound", &|cluster| {
            everybody_fails(cluster);
            cluster.problem("a", "web", RouterProblemReason::InterfaceNotFound, "no eth0");
        }),
        ("SplitBrain", &|cluster| {
            cluster.problem("a", "web", RouterProblemReason::InterfaceNotFound, "no eth0");
            cluster.state("b", "web", Master, 20);
            cluster.wait(15, &["a", "b", "c"]);
        }),
        ("UnknownHealthCheck", &|cluster| {
            cluster.heartbeat("a", Late);
            cluster.health_checks.clear();
        }),
    ];
    for (expected, change) in cases {
        let mut cluster = settled();
        change(&mut cluster);
        cluster.look();
        assert_eq!(summary(&cluster).reason.as_deref(), Some(expected));
    }
}

#[test]
fn a_master_that_no_check_leaves_fit_is_lost_by_the_check() {
    let mut cluster = Cluster::of(&["a", "b", "c"]);
    cluster.create_check("nginx");
    let check = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
    cluster.create("web", VirtualIPSpec { health_checks: vec![check], ..VirtualIPSpec::new(["192.0.2.1"]) });
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster.state("a", "web", Fault, 20);
    cluster.check("a", "nginx", Some(false), "refused");
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    assert_eq!(summary(&cluster).reason.as_deref(), Some("HealthCheckFailing"), "until a backup takes over");
}
