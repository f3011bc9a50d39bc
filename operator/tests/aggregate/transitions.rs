//! What is told as Events.

use holdfast_crds::RouterState::{Backup, Fault, Master};
use holdfast_crds::{HealthCheckReference, RouterProblemReason, VirtualIPGroupStatus, VirtualIPSpec, VirtualIPStatus};
use holdfast_operator::events::Severity;
use holdfast_operator::heartbeat::Heartbeat::{Fresh, Late};
use holdfast_operator::transition::{Transition, transitions};

use crate::cluster::Cluster;

/// What is told of web when the operator looks after a change.
fn told(cluster: &mut Cluster, change: impl FnOnce(&mut Cluster)) -> Vec<Transition> {
    let before = cluster.virtual_ips["web"].status.clone().unwrap_or_default();
    change(cluster);
    cluster.look();
    transitions(&before, cluster.status("web"))
}

/// Severity and reason.
fn words(transitions: &[Transition]) -> Vec<(Severity, &str)> {
    transitions.iter().map(|transition| (transition.severity, transition.reason)).collect()
}

use Severity::{Normal, Warning};

#[test]
fn a_change_of_masters_says_from_where_to_where_and_why() {
    let mut cluster = Cluster::settled();
    let told = told(&mut cluster, |cluster| {
        cluster.state("a", "web", Fault, 30);
        cluster.state("b", "web", Master, 30);
        cluster.claim("b", "web", 30);
    });
    assert_eq!(words(&told), [(Normal, "MasterChanged")]);
    assert_eq!(
        told[0].note,
        "The addresses moved from node \"a\" (FAULT, CheckFailed: nginx) to node \"b\" (MASTER, MasterSilent: 192.0.2.13 \
         has not advertised in time)"
    );
    assert_eq!(told[0].action, "Elect");
}

#[test]
fn nothing_is_told_twice() {
    let mut cluster = Cluster::settled();
    assert_eq!(told(&mut cluster, |_| {}), []);
    told(&mut cluster, |cluster| cluster.claim("b", "web", 30));
    let later = told(&mut cluster, |cluster| {
        cluster.state("a", "web", Backup, 30);
        cluster.state("b", "web", Master, 30);
    });
    assert_eq!(later, []);
    cluster.restart_operator();
    assert_eq!(told(&mut cluster, |_| {}), []);
}

#[test]
fn the_life_of_a_virtual_ip() {
    let mut cluster = Cluster::of(&["a", "b", "c"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1"]));
    let created = told(&mut cluster, |_| {});
    assert_eq!(words(&created), [(Normal, "Accepted")]);
    let elected = told(&mut cluster, |cluster| {
        cluster.carry_out();
        cluster.settle("web", "a");
    });
    assert_eq!(words(&elected), [(Normal, "MasterElected")]);
    let lost = told(&mut cluster, |cluster| cluster.state("a", "web", Fault, 20));
    assert_eq!(words(&lost), [(Warning, "MasterLost")]);
    assert!(lost[0].note.starts_with("Node \"a\" (FAULT, CheckFailed: nginx) does not hold the addresses any more. "));
    let back = told(&mut cluster, |cluster| {
        cluster.state("a", "web", Master, 40);
        cluster.claim("a", "web", 40);
    });
    assert_eq!(words(&back), [(Normal, "MasterElected")]);
    let silent = told(&mut cluster, |cluster| cluster.heartbeat("a", Late));
    assert_eq!(words(&silent), [(Warning, "Stale")]);
    let heard = told(&mut cluster, |cluster| cluster.heartbeat("a", Fresh));
    assert_eq!(words(&heard), [(Normal, "MasterElected")]);
}

#[test]
fn a_split_brain_and_its_end() {
    let mut cluster = Cluster::settled();
    let before = cluster.status("web").clone();
    cluster.state("b", "web", Master, 30);
    cluster.wait(15, &["a", "b", "c"]);
    assert_eq!(words(&transitions(&before, cluster.status("web"))), [(Warning, "SplitBrain")]);
    let resolved = told(&mut cluster, |cluster| cluster.state("a", "web", Backup, 60));
    assert_eq!(words(&resolved), [(Normal, "SplitBrainResolved")]);
    assert_eq!(resolved[0].note, "The addresses are on node \"b\"");
}

#[test]
fn what_a_node_cannot_run_and_when_it_can() {
    for (problem, reason) in [
        (RouterProblemReason::InterfaceNotFound, "InterfaceNotFound"),
        (RouterProblemReason::PasswordKeyNotFound, "PasswordKeyNotFound"),
        (RouterProblemReason::NodeRejected, "NodeRejected"),
    ] {
        let mut cluster = Cluster::settled();
        let found = told(&mut cluster, |cluster| cluster.problem("b", "web", problem, "no"));
        assert_eq!(words(&found), [(Warning, reason)]);
        assert_eq!(found[0].note, "b: no");
        let mended = told(&mut cluster, |cluster| cluster.report("b").virtual_routers[0].problems.clear());
        assert_eq!(words(&mended), [(Normal, "Programmed")]);
    }
}

#[test]
fn strangers_come_and_go() {
    for (problem, reason, gone) in [
        (RouterProblemReason::ForeignRouter, "ForeignRouter", "ForeignRouterGone"),
        (RouterProblemReason::AddressConflict, "AddressConflict", "AddressConflictResolved"),
        (RouterProblemReason::FencingUnavailable, "FencingUnavailable", "FencingAvailable"),
    ] {
        let mut cluster = Cluster::settled();
        let found = told(&mut cluster, |cluster| cluster.problem("b", "web", problem, "stranger"));
        assert_eq!(words(&found), [(Warning, reason)]);
        let mended = told(&mut cluster, |cluster| cluster.report("b").virtual_routers[0].problems.clear());
        assert_eq!(words(&mended), [(Normal, gone)]);
    }
}

#[test]
fn what_was_hidden_by_something_heavier_is_told_when_that_is_gone() {
    let mut cluster = Cluster::settled();
    let both = told(&mut cluster, |cluster| {
        cluster.problem("b", "web", RouterProblemReason::ForeignRouter, "stranger");
        cluster.problem("b", "web", RouterProblemReason::AddressConflict, "thief");
    });
    assert_eq!(words(&both), [(Warning, "AddressConflict")]);
    assert_eq!(both[0].note, "b: thief. b: stranger");
    let one = told(&mut cluster, |cluster| {
        cluster.report("b").virtual_routers[0].problems.pop();
    });
    assert_eq!(words(&one), [(Normal, "AddressConflictResolved"), (Warning, "ForeignRouter")]);
    let heavier = told(&mut cluster, |cluster| {
        cluster.problem("b", "web", RouterProblemReason::AddressConflict, "thief");
    });
    assert_eq!(words(&heavier), [(Warning, "AddressConflict")], "the lighter one has not gone");
}

#[test]
fn backups_are_lost_and_found() {
    let mut cluster = Cluster::settled();
    let lost = told(&mut cluster, |cluster| {
        cluster.state("b", "web", Fault, 20);
        cluster.state("c", "web", Fault, 20);
    });
    assert_eq!(words(&lost), [(Warning, "NoBackup")]);
    let found = told(&mut cluster, |cluster| cluster.state("c", "web", Backup, 30));
    assert_eq!(words(&found), [(Normal, "BackupAvailable")]);
}

#[test]
fn a_refusal_and_its_end() {
    let mut cluster = Cluster::settled();
    let refused = told(&mut cluster, |cluster| {
        let unknown = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
        cluster.edit("web", |spec| spec.health_checks = vec![unknown]);
    });
    assert_eq!(refused[0].reason, "UnknownHealthCheck");
    assert_eq!(refused[0].severity, Warning);
    assert!(refused[0].note.contains("there is no HealthCheck \"nginx\""));
    let accepted = told(&mut cluster, |cluster| cluster.create_check("nginx"));
    assert_eq!(words(&accepted)[0], (Normal, "Accepted"));
}

#[test]
fn a_wish_for_a_node_that_cannot_be_is_told_once() {
    let mut cluster = Cluster::settled();
    let wish = |cluster: &mut Cluster| {
        let annotations = [(holdfast_plan::PREFER_NODE.to_owned(), "nowhere".to_owned())].into();
        cluster.virtual_ips.get_mut("web").unwrap().metadata.annotations = Some(annotations);
    };
    let told_of = told(&mut cluster, wish);
    assert_eq!(words(&told_of), [(Warning, "PreferenceIgnored")]);
    assert_eq!(told(&mut cluster, wish), []);
}

#[test]
fn a_silent_agent_is_not_told_of_by_each_virtual_ip() {
    let mut cluster = Cluster::settled();
    assert_eq!(told(&mut cluster, |cluster| cluster.heartbeat("c", Late)), []);
    assert_eq!(cluster.is("web", "Programmed").1, "AgentUnreachable");
}

#[test]
fn checks_that_begin_to_fail_and_pass_again() {
    let mut cluster = Cluster::of(&["a", "b", "c"]);
    cluster.create_check("nginx");
    let check = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
    cluster.create("web", VirtualIPSpec { health_checks: vec![check], ..VirtualIPSpec::new(["192.0.2.1"]) });
    cluster.carry_out();
    let mut results = |results: [Option<bool>; 3]| {
        let before = cluster.health_checks["nginx"].status.clone().unwrap_or_default();
        for (node, result) in ["a", "b", "c"].into_iter().zip(results) {
            cluster.check(node, "nginx", result, "connection refused");
        }
        cluster.look();
        let told = transitions(&before, cluster.check_status("nginx"));
        told.into_iter().map(|transition| (transition.reason, transition.note)).collect::<Vec<_>>()
    };
    let failing = |nodes: &str| ("HealthCheckFailing", format!("Fails on {nodes}: connection refused"));
    let passing = |nodes: &str| ("HealthCheckPassing", format!("Passes again on {nodes}"));
    let first = results([Some(true), None, Some(false)]);
    assert_eq!(first[1..], [failing("c")], "beside Accepted; a first success is no news");
    assert_eq!(results([Some(true), None, Some(false)]), []);
    assert_eq!(results([Some(false), Some(false), Some(true)]), [failing("a, b"), passing("c")]);
    assert_eq!(results([Some(true), Some(false), Some(true)]), [passing("a")]);
}

#[test]
fn a_group_that_moves() {
    let status =
        |master: Option<&str>| VirtualIPGroupStatus { master: master.map(str::to_owned), ..Default::default() };
    for (from, to, expected) in [
        (None, None, None),
        (None, Some("a"), Some((Normal, "MasterElected"))),
        (Some("a"), Some("a"), None),
        (Some("a"), Some("b"), Some((Normal, "MasterChanged"))),
        (Some("a"), None, Some((Warning, "MasterLost"))),
    ] {
        assert_eq!(words(&transitions(&status(from), &status(to))), Vec::from_iter(expected), "{from:?} to {to:?}");
    }
}

#[test]
fn a_status_that_says_nothing_tells_nothing() {
    assert_eq!(transitions(&VirtualIPStatus::default(), &VirtualIPStatus::default()), []);
}
