//! Who holds the addresses: the condition Ready, and the count of transitions.

use holdfast_crds::RouterState::{Backup, Fault, Init, Master, Unknown};
use holdfast_crds::{ExternalPeer, VirtualIPSpec};
use holdfast_operator::heartbeat::Heartbeat::{Fresh, Late, Never};

use crate::cluster::{Cluster, at, seconds};

/// The default interval is 200 ms: an election and its reports are over after 2.8 s.
const ELECTION: u64 = 3;

#[test]
fn one_master_is_elected() {
    let cluster = Cluster::settled();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    assert_eq!(cluster.message("web", "Ready"), "The addresses are on node \"a\"");
    assert_eq!(cluster.states("web"), [("a", Master), ("b", Backup), ("c", Backup)]);
}

#[test]
fn nobody_is_master_when_no_node_says_so() {
    let mut cluster = Cluster::settled();
    cluster.state("a", "web", Fault, 20);
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    assert_eq!(
        cluster.message("web", "Ready"),
        "No node holds the addresses: a FAULT (CheckFailed), b BACKUP (HigherPriority), c BACKUP (HigherPriority)"
    );
}

#[test]
fn a_claim_counts_before_the_node_reports_it() {
    let mut cluster = Cluster::settled();
    cluster.state("a", "web", Backup, 20);
    cluster.claim("b", "web", 20);
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    assert_eq!(cluster.states("web"), [("a", Backup), ("b", Master), ("c", Backup)]);
    assert_eq!(cluster.node("web", "b").since, Some(at(20)));
}

#[test]
fn a_report_that_is_newer_than_the_claim_counts() {
    let mut cluster = Cluster::settled();
    cluster.state("a", "web", Fault, 20);
    cluster.claim("a", "web", 19);
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
}

#[test]
fn a_claim_of_an_earlier_life_does_not_count_before_the_agent_has_begun() {
    let mut cluster = Cluster::settled();
    let router = &mut cluster.report("a").virtual_routers[0];
    (router.state, router.since) = (Init, None);
    cluster.look();
    assert_eq!(cluster.states("web")[0], ("a", Init));
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
}

#[test]
fn a_dead_master_gives_way_to_the_new_one_at_once_and_its_last_report_is_no_split_brain() {
    let mut cluster = Cluster::settled();
    cluster.claim("b", "web", 30);
    cluster.state("b", "web", Master, 30);
    for _ in 0..20 {
        cluster.wait(1, &["b", "c"]);
        assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
        assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Master), ("c", Backup)]);
    }
    let before = cluster.status("web").nodes.clone();
    cluster.heartbeat("a", Late);
    cluster.look();
    assert_eq!(cluster.status("web").nodes, before, "that its heartbeat is late says nothing new about it");
}

#[test]
fn a_new_operator_takes_a_node_that_was_silent_for_alive_only_when_it_is_heard_of() {
    let mut cluster = Cluster::settled();
    cluster.heartbeat("a", Late);
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("Unknown", "Stale"));
    cluster.restart_operator();
    for node in ["a", "b", "c"] {
        cluster.heartbeat(node, Fresh);
    }
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("Unknown", "Stale"), "that it is fresh is only assumed");
    assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Backup), ("c", Backup)]);
    cluster.beat("a");
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
}

#[test]
fn two_masters_are_a_split_brain_once_both_were_alive_for_longer_than_an_election() {
    let mut cluster = Cluster::settled();
    cluster.state("b", "web", Master, 30);
    cluster.look();
    cluster.wait(ELECTION, &[]);
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"), "one of them may be dead");
    for node in ["a", "b"] {
        cluster.beat(node);
    }
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"), "one may be about to say that it lost");
    cluster.wait(2, &[]);
    assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"));
    assert_eq!(cluster.is("web", "Degraded"), ("True", "SplitBrain"));
    assert_eq!(cluster.states("web"), [("a", Master), ("b", Master), ("c", Backup)]);
    assert!(cluster.message("web", "Ready").starts_with("The addresses are on several nodes at once: a, b. "));
}

#[test]
fn a_split_brain_is_found_whoever_is_named_in_the_virtual_ip() {
    for named in ["a", "b", "c"] {
        let mut cluster = Cluster::settled();
        cluster.state("b", "web", Master, 30);
        cluster.claim(named, "web", 1);
        cluster.wait(15, &["a", "b", "c"]);
        assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"), "{named}");
    }
}

#[test]
fn the_time_of_an_election_follows_the_interval() {
    let mut cluster = Cluster::of(&["a", "b"]);
    let interval = Some("10s".parse().unwrap());
    cluster.create("web", VirtualIPSpec { advertisement_interval: interval, ..VirtualIPSpec::new(["192.0.2.1"]) });
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster.look();
    cluster.state("b", "web", Master, 30);
    let look_again = cluster.look().look_again;
    assert_eq!(look_again, Some(cluster.clock + seconds(4 * 10 + 2)));
    cluster.wait(42, &["a", "b"]);
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    cluster.wait(10, &["a", "b"]);
    assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"));
}

#[test]
fn masters_that_take_turns_are_no_split_brain() {
    let mut cluster = Cluster::settled();
    for turn in 0..20 {
        let (old, new) = if turn % 2 == 0 { ("a", "b") } else { ("b", "a") };
        // For a moment both say that they are master.
        cluster.state(new, "web", Master, 30 + turn);
        cluster.wait(1, &["a", "b", "c"]);
        cluster.state(old, "web", Backup, 30 + turn);
        cluster.wait(1, &["a", "b", "c"]);
        assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"), "turn {turn}");
    }
}

#[test]
fn an_agent_that_comes_back_has_time_to_say_that_it_lost() {
    let mut cluster = Cluster::settled();
    cluster.claim("b", "web", 30);
    cluster.state("b", "web", Master, 30);
    cluster.wait(10, &["b", "c"]);
    // Its Lease is renewed before its status is written.
    cluster.beat("a");
    cluster.wait(1, &["b", "c"]);
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    cluster.state("a", "web", Backup, 41);
    cluster.wait(20, &["a", "b", "c"]);
    assert_eq!(cluster.states("web"), [("a", Backup), ("b", Master), ("c", Backup)]);
}

#[test]
fn a_split_brain_ends_when_all_but_one_give_way_or_are_silent() {
    let split = || {
        let mut cluster = Cluster::settled();
        cluster.state("b", "web", Master, 30);
        cluster.wait(15, &["a", "b", "c"]);
        assert_eq!(cluster.is("web", "Ready").1, "SplitBrain");
        cluster
    };
    let mut gave_way = split();
    gave_way.state("a", "web", Backup, 60);
    gave_way.look();
    assert_eq!(gave_way.is("web", "Ready"), ("True", "MasterElected"));
    let mut silent = split();
    silent.heartbeat("a", Late);
    silent.look();
    assert_eq!(silent.states("web"), [("a", Unknown), ("b", Master), ("c", Backup)]);
    assert_eq!(silent.is("web", "Ready"), ("True", "MasterElected"));
}

#[test]
fn a_split_brain_survives_a_change_of_operators() {
    let mut cluster = Cluster::settled();
    cluster.state("b", "web", Master, 30);
    cluster.wait(15, &["a", "b", "c"]);
    cluster.restart_operator();
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"));
}

#[test]
fn a_node_that_was_superseded_stays_so_under_another_operator() {
    let mut cluster = Cluster::settled();
    cluster.claim("b", "web", 30);
    cluster.state("b", "web", Master, 30);
    cluster.wait(10, &["b", "c"]);
    let before = cluster.status("web").clone();
    cluster.restart_operator();
    cluster.look();
    assert_eq!(*cluster.status("web"), before);
}

#[test]
fn the_survivor_stays_master_under_another_operator_whoever_is_named() {
    for named in ["a", "b"] {
        let mut cluster = Cluster::settled();
        cluster.claim(named, "web", 30);
        cluster.state("b", "web", Master, 30);
        cluster.wait(10, &["b", "c"]);
        assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Master), ("c", Backup)], "{named}");
        cluster.restart_operator();
        cluster.look();
        assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Master), ("c", Backup)], "{named}");
    }
}

#[test]
fn a_master_that_was_named_while_no_operator_was_there_is_believed() {
    let mut cluster = Cluster::settled();
    cluster.restart_operator();
    cluster.state("b", "web", Master, 30);
    cluster.claim("b", "web", 30);
    cluster.look();
    assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Master), ("c", Backup)]);
}

#[test]
fn a_silent_master_is_stale_while_nobody_else_claims() {
    for heartbeat in [Late, Never] {
        let mut cluster = Cluster::settled();
        cluster.heartbeat("a", heartbeat);
        cluster.look();
        assert_eq!(cluster.is("web", "Ready"), ("Unknown", "Stale"));
        assert_eq!(cluster.states("web"), [("a", Unknown), ("b", Backup), ("c", Backup)]);
        assert!(
            cluster.message("web", "Ready").starts_with("The addresses were on node \"a\" when it was last heard of")
        );
    }
}

#[test]
fn a_stale_master_that_others_hear_is_told() {
    let mut cluster = Cluster::settled();
    cluster.heartbeat("a", Late);
    cluster.not_ready("a");
    cluster.report("b").virtual_routers[0].master_address = Some("192.0.2.11".to_owned());
    cluster.look();
    let message = cluster.message("web", "Ready");
    assert!(message.contains("; node \"b\" still hears a master at 192.0.2.11; the node is not ready."), "{message}");
}

#[test]
fn a_node_that_does_not_exist_any_more_holds_nothing() {
    let mut cluster = Cluster::settled();
    cluster.delete_node("a");
    cluster.look();
    assert_eq!(cluster.states("web"), [("b", Backup), ("c", Backup)]);
    assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    assert!(cluster.message("web", "Ready").ends_with("Node \"a\", which held them, does not exist any more"));
}

#[test]
fn a_router_outside_the_cluster_may_be_master() {
    let mut cluster = Cluster::settled();
    cluster.edit("web", |spec| {
        spec.external_peers =
            vec![ExternalPeer { address: "192.0.2.9".to_owned(), name: Some("fw".to_owned()), priority: None }];
    });
    cluster.carry_out();
    cluster.state("a", "web", Backup, 20);
    cluster.report("b").virtual_routers[0].master_address = Some("192.0.2.9".to_owned());
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    assert!(cluster.message("web", "Ready").ends_with("on the external peer \"fw\" (192.0.2.9)"));
    assert_eq!(cluster.status("web").summary.as_ref().unwrap().backups.as_deref(), Some("3/3"));
}

#[test]
fn a_dual_stack_virtual_ip_has_a_master_when_one_node_is_master_of_both_families() {
    let mut cluster = Cluster::of(&["a", "b"]);
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1", "2001:db8::1"]));
    cluster.carry_out();
    cluster.settle("web", "a");
    cluster.look();
    assert_eq!(cluster.is("web", "Ready"), ("True", "MasterElected"));
    for (state, expected) in [(Backup, Backup), (Fault, Fault), (Init, Init)] {
        cluster.routers("a", "web")[1].state = state;
        cluster.routers("a", "web")[1].since = Some(at(40));
        cluster.look();
        assert_eq!(cluster.states("web"), [("a", expected), ("b", Backup)]);
        assert_eq!(cluster.is("web", "Ready"), ("False", "NoMaster"));
    }
}

fn transitions(cluster: &Cluster) -> i64 {
    cluster.status("web").transitions.unwrap()
}

#[test]
fn each_change_of_the_master_counts_once() {
    let mut cluster = Cluster::settled();
    assert_eq!(transitions(&cluster), 1);
    cluster.wait(10, &["a", "b", "c"]);
    assert_eq!(transitions(&cluster), 1);
    cluster.claim("b", "web", 30);
    cluster.look();
    assert_eq!(transitions(&cluster), 2, "by the claim");
    cluster.state("a", "web", Backup, 30);
    cluster.state("b", "web", Master, 30);
    cluster.wait(10, &["a", "b", "c"]);
    assert_eq!(transitions(&cluster), 2, "by the reports of both it is the same");
}

#[test]
fn changes_count_also_while_nothing_could_be_written() {
    let mut cluster = Cluster::settled();
    for (old, new) in [("a", "b"), ("b", "a"), ("a", "b")] {
        cluster.state(old, "web", Backup, 30);
        cluster.settle("web", new);
        cluster.memory = cluster.aggregate().memory;
    }
    cluster.look();
    assert_eq!(transitions(&cluster), 4);
}

#[test]
fn a_master_that_failed_and_came_back_has_become_master_again() {
    let mut cluster = Cluster::settled();
    cluster.state("a", "web", Fault, 20);
    cluster.look();
    assert_eq!(transitions(&cluster), 1);
    cluster.settle("web", "a");
    cluster.claim("a", "web", 40);
    cluster.look();
    assert_eq!(transitions(&cluster), 2);
}

#[test]
fn a_master_that_was_silent_for_a_while_has_not_become_master_again() {
    for restart in [false, true] {
        let mut cluster = Cluster::settled();
        cluster.heartbeat("a", Late);
        cluster.look();
        if restart {
            cluster.restart_operator();
        }
        cluster.beat("a");
        cluster.look();
        assert_eq!((cluster.is("web", "Ready").1, transitions(&cluster)), ("MasterElected", 1), "restart: {restart}");
    }
}

#[test]
fn another_operator_counts_on() {
    let mut cluster = Cluster::settled();
    cluster.restart_operator();
    cluster.look();
    assert_eq!(transitions(&cluster), 1, "nothing has changed");
    cluster.restart_operator();
    cluster.state("a", "web", Backup, 30);
    cluster.claim("b", "web", 30);
    cluster.look();
    assert_eq!(transitions(&cluster), 2, "it changed while no operator was there");
}

#[test]
fn another_virtual_ip_of_the_same_name_begins_anew() {
    let mut cluster = Cluster::settled();
    cluster.virtual_ips.remove("web");
    cluster.create("web", VirtualIPSpec::new(["192.0.2.1/24"]));
    cluster.virtual_ips.get_mut("web").unwrap().metadata.uid = Some("another".to_owned());
    cluster.look();
    assert_eq!(transitions(&cluster), 1);
}
