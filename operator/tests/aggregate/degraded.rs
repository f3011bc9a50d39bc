//! The condition Degraded, one reason after the other.

use holdfast_crds::RouterState::{Fault, Init, Master};
use holdfast_crds::{HealthCheckReference, LabelSelector, RouterProblemReason, VirtualIPSpec};
use holdfast_operator::heartbeat::Heartbeat::Late;

use crate::cluster::Cluster;

#[test]
fn as_expected_when_nothing_is_wrong() {
    let cluster = Cluster::settled();
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"));
}

#[test]
fn no_backup_when_no_other_node_could_take_over() {
    let mut cluster = Cluster::settled();
    cluster.state("b", "web", Fault, 20);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"), "there is one left");
    cluster.heartbeat("c", Late);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("True", "NoBackup"));
    let message = cluster.message("web", "Degraded");
    assert_eq!(message, "No other node could take over: b is FAULT (CheckFailed), c is UNKNOWN");
}

#[test]
fn a_virtual_ip_with_one_node_has_no_backup_and_says_why() {
    let mut cluster = Cluster::of(&["a"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("True", "NoBackup"));
    assert_eq!(
        cluster.message("web", "Degraded"),
        "Only node \"a\" may hold the addresses, so no other could take over: let spec.nodeSelector match more nodes"
    );
}

#[test]
fn a_pair_that_just_moves_the_addresses_has_not_lost_its_backup() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster.look();
    cluster.claim("b", "web", 30);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"), "a has not said yet what it is");
    cluster.wait(4, &["b"]);
    assert_eq!(cluster.is("web", "Degraded"), ("True", "NoBackup"), "it seems to be dead");
}

#[test]
fn what_has_not_begun_yet_does_not_lack_anything() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"));
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"));
}

#[test]
fn routers_that_wait_for_their_first_checks_are_backups_soon() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.carry_out();
    cluster.state("a", "web", Init, 10);
    cluster.state("b", "web", Init, 10);
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"));
    cluster.state("a", "web", Master, 12);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"), "b may be about to be one");
    cluster.state("b", "web", Fault, 13);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("True", "NoBackup"));
}

fn with_check(reverse: bool) -> Cluster {
    let mut cluster = Cluster::of(&["a", "b", "c", "d", "e", "f"]);
    cluster.create_check("nginx");
    let reference = HealthCheckReference { name: "nginx".to_owned(), weight: Some(-10), reverse };
    let spec = VirtualIPSpec { health_checks: vec![reference], ..VirtualIPSpec::new(["192.0.2.1"]) };
    cluster.create("web", spec);
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster
}

#[test]
fn a_check_that_fails_on_a_node() {
    let mut cluster = with_check(false);
    for node in ["b", "c", "d", "e"] {
        cluster.check(node, "nginx", Some(false), "connection refused");
    }
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("True", "HealthCheckFailing"));
    assert_eq!(
        cluster.message("web", "Degraded"),
        "HealthCheck \"nginx\" fails on b, c, d and 1 more: kubectl describe healthcheck tells what it found"
    );
}

#[test]
fn a_check_fails_by_its_result_and_its_direction() {
    for (reverse, passing, fails) in [
        (false, Some(true), false),
        (false, Some(false), true),
        (false, None, false),
        (true, Some(true), true),
        (true, Some(false), false),
        (true, None, false),
    ] {
        let mut cluster = with_check(reverse);
        cluster.check("b", "nginx", passing, "");
        cluster.look();
        let expected = if fails { "HealthCheckFailing" } else { "AsExpected" };
        assert_eq!(cluster.is("web", "Degraded").1, expected, "reverse {reverse}, passing {passing:?}");
    }
}

#[test]
fn what_a_silent_node_said_last_does_not_count() {
    let mut cluster = with_check(false);
    cluster.check("b", "nginx", Some(false), "connection refused");
    cluster.problem("b", "web", RouterProblemReason::ForeignRouter, "a stranger");
    cluster.heartbeat("b", Late);
    cluster.look();
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"));
}

#[test]
fn strangers_on_the_network() {
    for (problem, reason) in [
        (RouterProblemReason::ForeignRouter, "ForeignRouter"),
        (RouterProblemReason::AddressConflict, "AddressConflict"),
        (RouterProblemReason::FencingUnavailable, "FencingUnavailable"),
    ] {
        let mut cluster = Cluster::settled();
        for node in ["a", "b", "c"] {
            cluster.problem(node, "web", problem, "192.0.2.99 is a stranger");
        }
        cluster.look();
        assert_eq!(cluster.is("web", "Degraded"), ("True", reason));
        assert_eq!(cluster.message("web", "Degraded"), "a, b, c: 192.0.2.99 is a stranger", "said once");
    }
}

#[test]
fn the_heaviest_reason_stands_and_the_message_tells_of_all() {
    let mut cluster = with_check(false);
    let mut found = Vec::new();
    let mut note = |cluster: &mut Cluster| {
        cluster.look();
        found.push(cluster.is("web", "Degraded").1.to_owned());
    };
    cluster.check("a", "nginx", Some(false), "refused");
    note(&mut cluster);
    for node in ["b", "c", "d", "e", "f"] {
        cluster.state(node, "web", Fault, 20);
    }
    note(&mut cluster);
    cluster.problem("a", "web", RouterProblemReason::ForeignRouter, "stranger");
    note(&mut cluster);
    cluster.problem("a", "web", RouterProblemReason::AddressConflict, "thief");
    note(&mut cluster);
    cluster.state("b", "web", Master, 30);
    cluster.wait(15, &["a", "b", "c", "d", "e", "f"]);
    note(&mut cluster);
    assert_eq!(found, ["HealthCheckFailing", "NoBackup", "ForeignRouter", "AddressConflict", "SplitBrain"]);
    let message = cluster.message("web", "Degraded");
    let parts = [
        "several nodes at once: a, b",
        "a: thief",
        "a: stranger",
        "No other node could take over",
        "\"nginx\" fails on a",
    ];
    let places: Vec<Option<usize>> = parts.iter().map(|part| message.find(part)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{message}");
}

#[test]
fn what_runs_nowhere_is_told_by_accepted_alone() {
    let mut cluster = Cluster::of(&["a", "b"]);
    let nothing =
        LabelSelector { match_labels: [("rack".to_owned(), "9".to_owned())].into(), ..LabelSelector::default() };
    cluster.create("web", VirtualIPSpec { node_selector: Some(nothing), ..VirtualIPSpec::new(["192.0.2.1"]) });
    cluster.look();
    assert_eq!(cluster.is("web", "Accepted"), ("False", "NoMatchingNodes"));
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"));
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    assert_eq!(cluster.is("web", "Degraded"), ("False", "AsExpected"));
    for condition in ["Programmed", "Ready"] {
        assert!(cluster.message("web", condition).contains("see the condition Accepted"), "{condition}");
    }
}
