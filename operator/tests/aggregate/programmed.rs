//! The condition Programmed, one reason after the other.

use holdfast_crds::condition::{ConditionReason, ProgrammedReason, condition};
use holdfast_crds::{RouterProblemReason, VirtualIPSpec};
use holdfast_operator::heartbeat::Heartbeat::{Late, Never};

use crate::cluster::{Cluster, at, seconds};

#[test]
fn programmed_when_every_node_carries_the_spec_out() {
    let cluster = Cluster::settled();
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    assert_eq!(cluster.message("web", "Programmed"), "3 nodes run it");
}

#[test]
fn pending_until_each_agent_has_carried_the_newest_spec_out() {
    let mut cluster = Cluster::settled();
    cluster.edit("web", |spec| spec.addresses = vec!["192.0.2.2".to_owned()]);
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"), "nothing was written yet");
    cluster.write_configs();
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"), "no agent has read it yet");
    cluster.obey("a");
    cluster.obey("b");
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"));
    assert_eq!(
        cluster.message("web", "Programmed"),
        "1 of 3 nodes have not carried it out yet: c. If it stays so, see the log of the agent there"
    );
    cluster.obey("c");
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    assert_eq!(cluster.condition("web", "Programmed").observed_generation, Some(2));
}

#[test]
fn a_change_of_one_virtual_ip_does_not_show_in_the_others() {
    let mut cluster = Cluster::settled();
    cluster.create("other", VirtualIPSpec::new(["192.0.2.7"]));
    cluster.write_configs();
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    assert_eq!(cluster.is("other", "Programmed"), ("False", "Pending"));
}

#[test]
fn an_agent_that_stays_behind_for_ten_seconds_shows_in_all() {
    let mut cluster = Cluster::settled();
    cluster.create("other", VirtualIPSpec::new(["192.0.2.7"]));
    cluster.write_configs();
    cluster.obey("a");
    cluster.obey("b");
    let look_again = cluster.look().look_again;
    assert_eq!(look_again, Some(cluster.clock + seconds(10)));
    cluster.wait(9, &[]);
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    cluster.wait(1, &[]);
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"));
    cluster.obey("c");
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
}

#[test]
fn a_new_node_is_waited_for() {
    let mut cluster = Cluster::settled();
    let new = Cluster::of(&["d"]);
    cluster.nodes.extend(new.nodes);
    cluster.beats.extend(new.beats);
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "Pending"));
    assert_eq!(cluster.node("web", "d").reason.as_deref(), Some("Pending: not carried out yet"));
}

#[test]
fn what_a_node_finds_is_the_reason() {
    for (problem, reason) in [
        (RouterProblemReason::InterfaceNotFound, "InterfaceNotFound"),
        (RouterProblemReason::PasswordKeyNotFound, "PasswordKeyNotFound"),
        (RouterProblemReason::NodeRejected, "NodeRejected"),
    ] {
        let mut cluster = Cluster::settled();
        cluster.problem("b", "web", problem, "what to do");
        cluster.problem("c", "web", problem, "what to do");
        cluster.look();
        assert_eq!(cluster.is("web", "Programmed"), ("False", reason));
        assert_eq!(cluster.message("web", "Programmed"), "b, c: what to do");
    }
}

#[test]
fn what_concerns_the_network_is_no_matter_of_programming() {
    for problem in [
        RouterProblemReason::ForeignRouter,
        RouterProblemReason::AddressConflict,
        RouterProblemReason::FencingUnavailable,
    ] {
        let mut cluster = Cluster::settled();
        cluster.problem("b", "web", problem, "a stranger");
        cluster.look();
        assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
    }
}

#[test]
fn an_agent_that_rejects_its_node_config_as_a_whole_rejects_every_virtual_ip_in_it() {
    let mut cluster = Cluster::settled();
    let rejected = condition(ProgrammedReason::NodeRejected, "makes no sense", Some(1), at(20));
    cluster.report("b").conditions.push(rejected);
    cluster.look();
    assert_eq!(cluster.is("web", "Programmed"), ("False", "NodeRejected"));
    assert_eq!(cluster.message("web", "Programmed"), "b: makes no sense");
}

#[test]
fn an_agent_that_rejects_one_virtual_ip_does_not_reject_the_others() {
    let mut cluster = Cluster::settled();
    cluster.create("other", VirtualIPSpec::new(["192.0.2.7"]));
    cluster.carry_out();
    cluster.problem("b", "other", RouterProblemReason::NodeRejected, "no");
    let rejected = condition(ProgrammedReason::NodeRejected, "other: no", Some(1), at(20));
    cluster.report("b").conditions.push(rejected);
    cluster.look();
    assert_eq!(cluster.is("other", "Programmed"), ("False", "NodeRejected"));
    assert_eq!(cluster.is("web", "Programmed"), ("True", "Programmed"));
}

#[test]
fn an_agent_that_is_not_heard_of_is_unreachable() {
    for (heartbeat, ready, beginning) in [
        (Late, true, "The agent is not heard of any more on b. Check"),
        (Late, false, "The agent is not heard of any more on b (not ready). Check"),
        (Never, true, "No agent has ever been heard of on b. Check"),
    ] {
        let mut cluster = Cluster::settled();
        cluster.heartbeat("b", heartbeat);
        if !ready {
            cluster.not_ready("b");
        }
        cluster.look();
        assert_eq!(cluster.is("web", "Programmed"), ("Unknown", "AgentUnreachable"));
        let message = cluster.message("web", "Programmed");
        assert!(message.starts_with(beginning), "{message}");
    }
}

#[test]
fn what_must_be_mended_comes_before_what_may_pass_by_itself() {
    let mut cluster = Cluster::settled();
    cluster.edit("web", |spec| spec.virtual_router_id = Some(7));
    let mut found = Vec::new();
    let mut note = |cluster: &mut Cluster| {
        cluster.look();
        found.push(cluster.is("web", "Programmed").1.to_owned());
    };
    note(&mut cluster);
    cluster.heartbeat("a", Late);
    note(&mut cluster);
    for problem in [
        RouterProblemReason::InterfaceNotFound,
        RouterProblemReason::PasswordKeyNotFound,
        RouterProblemReason::NodeRejected,
    ] {
        cluster.problem("b", "web", problem, "no");
        note(&mut cluster);
    }
    let expected = ["Pending", "AgentUnreachable", "InterfaceNotFound", "PasswordKeyNotFound", "NodeRejected"];
    assert_eq!(found, expected);
    assert_eq!(expected.len() + 1, ProgrammedReason::ALL.len(), "and {}", ProgrammedReason::Programmed.as_str());
}
