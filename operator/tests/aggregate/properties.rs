//! What holds for every input.

use std::collections::BTreeMap;

use holdfast_crds::{HealthCheckReference, RouterProblemReason, RouterState, VirtualIPSpec};
use holdfast_operator::aggregate::{Aggregate, equal_but_for_timestamps};
use holdfast_operator::heartbeat::Heartbeat;
use holdfast_operator::transition::transitions;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cluster::Cluster;

const NODES: [&str; 4] = ["a", "b", "c", "d"];
const VIPS: [&str; 3] = ["inside", "outside", "web"];

/// Something that happens.
#[derive(Clone, Debug)]
enum Step {
    State(&'static str, &'static str, RouterState, i64),
    Claim(&'static str, &'static str, i64),
    Heartbeat(&'static str, Heartbeat),
    Beat(&'static str),
    Problem(&'static str, &'static str, RouterProblemReason, String),
    Check(&'static str, Option<bool>),
    Edit(&'static str, u8),
    Plan,
    Obey(&'static str),
    Leave(&'static str),
    Wait(u64),
    Restart,
}

fn state() -> impl Strategy<Value = RouterState> {
    use RouterState::{Backup, Fault, Init, Master};
    select(vec![Master, Master, Backup, Backup, Fault, Init])
}

fn heartbeat() -> impl Strategy<Value = Heartbeat> {
    select(vec![Heartbeat::Fresh, Heartbeat::Fresh, Heartbeat::Late, Heartbeat::Never])
}

fn problem() -> impl Strategy<Value = RouterProblemReason> {
    use RouterProblemReason::{
        AddressConflict, FencingUnavailable, ForeignRouter, InterfaceNotFound, NodeRejected, PasswordKeyNotFound,
    };
    select(vec![
        AddressConflict,
        FencingUnavailable,
        ForeignRouter,
        InterfaceNotFound,
        NodeRejected,
        PasswordKeyNotFound,
    ])
}

fn step() -> impl Strategy<Value = Step> {
    let node = || select(NODES.to_vec());
    let vip = || select(VIPS.to_vec());
    prop_oneof![
        6 => (node(), vip(), state(), 0..60_i64).prop_map(|(node, vip, state, at)| Step::State(node, vip, state, at)),
        4 => (node(), vip(), 0..60_i64).prop_map(|(node, vip, at)| Step::Claim(node, vip, at)),
        2 => (node(), heartbeat()).prop_map(|(node, heartbeat)| Step::Heartbeat(node, heartbeat)),
        3 => node().prop_map(Step::Beat),
        1 => (node(), vip(), problem(), "[a-zä]{0,900}")
            .prop_map(|(node, vip, problem, message)| Step::Problem(node, vip, problem, message)),
        2 => (node(), any::<Option<bool>>()).prop_map(|(node, passing)| Step::Check(node, passing)),
        1 => (vip(), 1_u8..250).prop_map(|(vip, priority)| Step::Edit(vip, priority)),
        1 => Just(Step::Plan),
        1 => node().prop_map(Step::Obey),
        1 => node().prop_map(Step::Leave),
        4 => (0..6_u64).prop_map(Step::Wait),
        1 => Just(Step::Restart),
    ]
}

fn begin() -> Cluster {
    let mut cluster = Cluster::of(&NODES);
    cluster.create_check("nginx");
    let check = HealthCheckReference { name: "nginx".to_owned(), weight: None, reverse: false };
    cluster.create("inside", VirtualIPSpec::new(["192.0.2.1"]));
    cluster.create("outside", VirtualIPSpec::new(["192.0.2.2", "2001:db8::2"]));
    cluster.create("web", VirtualIPSpec { health_checks: vec![check], ..VirtualIPSpec::new(["192.0.2.3"]) });
    cluster.create_group("gateway", &["outside", "inside"]);
    cluster.carry_out();
    cluster.look();
    cluster
}

fn happen(cluster: &mut Cluster, step: &Step) {
    match step.clone() {
        Step::State(node, vip, state, at) if cluster.configs.contains_key(node) => cluster.state(node, vip, state, at),
        Step::Claim(node, vip, at) => cluster.claim(node, vip, at),
        Step::Heartbeat(node, heartbeat) => cluster.heartbeat(node, heartbeat),
        Step::Beat(node) => cluster.beat(node),
        Step::Problem(node, vip, reason, message) if cluster.configs.contains_key(node) => {
            cluster.problem(node, vip, reason, &message);
        }
        Step::Check(node, passing) if cluster.configs.contains_key(node) => {
            cluster.check(node, "nginx", passing, "refused");
        }
        Step::Edit(vip, priority) => cluster.edit(vip, |spec| spec.priority = Some(priority)),
        Step::Plan => cluster.write_configs(),
        Step::Obey(node) if cluster.configs.contains_key(node) => cluster.obey(node),
        Step::Leave(node) if cluster.nodes.len() > 2 => cluster.delete_node(node),
        Step::Wait(seconds) => cluster.wait(seconds, &[]),
        Step::Restart => cluster.restart_operator(),
        _ => {}
    }
}

/// A cluster to which all this has happened, with what the operator made of it last.
fn after(steps: &[Step]) -> Cluster {
    let mut cluster = begin();
    for step in steps {
        happen(&mut cluster, step);
        cluster.look();
    }
    cluster
}

/// Whether a second look says nothing new.
fn says_nothing_new(cluster: &Cluster, result: &Aggregate) -> bool {
    let same_vip = |(name, status): (&String, &_)| equal_but_for_timestamps(cluster.status(name), status);
    let same_check = |(name, status): (&String, &_)| equal_but_for_timestamps(cluster.check_status(name), status);
    let same_group =
        |(name, status): (&String, &_)| equal_but_for_timestamps(cluster.groups[name].status.as_ref().unwrap(), status);
    result.virtual_ips.iter().all(same_vip)
        && result.health_checks.iter().all(same_check)
        && result.groups.iter().all(same_group)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn the_order_of_the_objects_does_not_matter(steps in vec(step(), 0..25)) {
        let mut forward = after(&steps);
        forward.clock += std::time::Duration::from_secs(7);
        let mut backward = forward.clone();
        backward.backwards = true;
        prop_assert_eq!(forward.aggregate(), backward.aggregate());
    }

    #[test]
    fn what_was_written_is_not_written_again(steps in vec(step(), 0..25)) {
        let cluster = after(&steps);
        let again = cluster.aggregate();
        prop_assert!(says_nothing_new(&cluster, &again));
        for (name, status) in &again.virtual_ips {
            prop_assert_eq!(transitions(cluster.status(name), status), vec![]);
        }
    }

    #[test]
    fn another_operator_has_nothing_to_write_and_nothing_to_tell(steps in vec(step(), 0..25)) {
        let mut cluster = after(&steps);
        // How long something has lasted another operator cannot know: the agents have done what they should, and elections
        // are over.
        cluster.carry_out();
        cluster.wait(6, &[]);
        cluster.restart_operator();
        let again = cluster.aggregate();
        for (name, status) in &again.virtual_ips {
            prop_assert!(
                equal_but_for_timestamps(cluster.status(name), status),
                "{:#?} became {:#?}", cluster.status(name), status
            );
        }
    }

    #[test]
    fn who_wrote_last_does_not_win(
        masters in proptest::sample::subsequence(NODES.to_vec(), 2..=4),
        named in select(NODES.to_vec()),
        order in any::<bool>(),
        seconds in vec(0..100_i64, 4),
    ) {
        let mut cluster = begin();
        cluster.look();
        let mut claimants = masters.clone();
        if order {
            claimants.reverse();
        }
        for (node, second) in claimants.iter().zip(&seconds) {
            cluster.state(node, "web", RouterState::Master, *second);
        }
        cluster.claim(named, "web", 0);
        cluster.wait(20, &NODES);
        prop_assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"));
        let shown = cluster.states("web").into_iter().filter(|(_, state)| *state == RouterState::Master);
        prop_assert_eq!(shown.map(|(node, _)| node).collect::<Vec<_>>(), masters);
    }

    #[test]
    fn there_is_one_master_exactly_when_it_is_ready(steps in vec(step(), 0..25)) {
        let mut cluster = begin();
        for step in &steps {
            happen(&mut cluster, step);
            cluster.look();
            for vip in VIPS {
                let masters = cluster.states(vip).iter().filter(|(_, state)| *state == RouterState::Master).count();
                let (status, reason) = cluster.is(vip, "Ready");
                let expected = match reason {
                    "MasterElected" => ("True", masters == 1),
                    "SplitBrain" => ("False", masters > 1),
                    "NoMaster" => ("False", masters == 0),
                    "Stale" => ("Unknown", masters == 0),
                    other => panic!("{other}"),
                };
                prop_assert_eq!((status, true), expected, "{}: {} masters", reason, masters);
            }
        }
    }

    #[test]
    fn transitions_only_grow_and_by_one_a_look(steps in vec(step(), 0..25)) {
        let mut cluster = begin();
        let mut last: BTreeMap<&str, i64> = BTreeMap::new();
        for step in &steps {
            happen(&mut cluster, step);
            let result = cluster.look();
            for vip in VIPS {
                let now = result.virtual_ips[vip].transitions.unwrap();
                let before = last.insert(vip, now).unwrap_or(now);
                let most = if matches!(step, Step::Wait(_)) { 7 } else { 1 };
                prop_assert!((before..=before + most).contains(&now), "{before} to {now} by {step:?}");
            }
        }
    }

    #[test]
    fn sizes_are_bounded(steps in vec(step(), 0..25)) {
        let mut cluster = after(&steps);
        for vip in VIPS {
            let status = serde_json::to_vec(cluster.status(vip)).unwrap();
            prop_assert!(status.len() < 20_000, "{}", status.len());
            for condition in &cluster.status(vip).conditions {
                prop_assert!(condition.message.chars().count() <= 1024);
            }
        }
        let remembered = format!("{:?}", cluster.look().memory).len();
        prop_assert!(remembered < 10_000, "{}", remembered);
        cluster.virtual_ips.clear();
        cluster.groups.clear();
        cluster.health_checks.clear();
        for node in NODES {
            cluster.nodes.remove(node);
            cluster.beats.remove(node);
        }
        let nothing = Cluster::default().look().memory;
        prop_assert_eq!(cluster.look().memory, nothing, "what is gone is forgotten");
    }

    #[test]
    fn it_says_when_to_look_again_and_not_in_the_past(steps in vec(step(), 0..25)) {
        let cluster = after(&steps);
        if let Some(look_again) = cluster.aggregate().look_again {
            prop_assert!(look_again > cluster.clock);
        }
    }
}
