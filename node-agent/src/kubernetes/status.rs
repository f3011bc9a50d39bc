//! The status of this node's NodeConfig (pure).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use holdfast_crds::condition::{ProgrammedReason, condition, set_condition};
use holdfast_crds::{
    Fencing, HealthCheckResult, InterfaceStatus, NodeConfigSpec, NodeConfigStatus, NodeConfigSummary, RouterProblem,
    RouterProblemReason, RouterState, VirtualRouter, VirtualRouterStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::problems::{of_refused, of_running, shortened};
use super::programmed::{Problem, Programmed};
use super::sightings::Sightings;
use crate::desired;
use crate::snapshot::{self, CheckSnapshot, InterfaceSnapshot, RouterSnapshot, Snapshot};

/// How many messages a condition lists.
const LISTED: usize = 3;

/// Everything that the status is made from.
pub(super) struct Observed<'a> {
    /// The election thread.
    pub(super) snapshot: &'a Snapshot,
    /// The health checks.
    pub(super) checks: &'a [CheckSnapshot],
    /// What the agent carries out.
    pub(super) programmed: &'a Programmed,
    /// Strangers on the network.
    pub(super) sightings: &'a Sightings,
    /// The conditions in the status before, which keep their transition times.
    pub(super) conditions: &'a [Condition],
    /// Whether the agent is on its way out.
    pub(super) leaving: bool,
    /// The time for the strangers.
    pub(super) now: Instant,
    /// The time for people.
    pub(super) clock: Timestamp,
}

/// The status as it should be.
pub(super) fn status(observed: &Observed<'_>) -> NodeConfigStatus {
    let virtual_routers = virtual_routers(observed);
    let observed_generation = observed.programmed.identity.as_ref().map(|identity| identity.generation);
    let mut conditions = observed.conditions.to_vec();
    let (reason, message) = programmed(observed.programmed, &virtual_routers);
    set_condition(&mut conditions, condition(reason, message, observed_generation, Time(observed.clock)));
    NodeConfigStatus {
        observed_generation,
        agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        interfaces: interfaces(&observed.snapshot.interfaces),
        summary: Some(summary(&virtual_routers)),
        virtual_routers,
        health_checks: observed.checks.iter().map(health_check).collect(),
        conditions,
    }
}

/// The same without what changes with every probe: whether a difference may wait.
pub(super) fn without_messages(status: &NodeConfigStatus) -> NodeConfigStatus {
    let mut bare = status.clone();
    bare.health_checks.iter_mut().for_each(|check| check.message = None);
    bare
}

/// Those of the spec, in its order, and then those that are on their way out.
fn virtual_routers(observed: &Observed<'_>) -> Vec<VirtualRouterStatus> {
    let Programmed { spec, refusals, .. } = observed.programmed;
    let running: BTreeMap<&str, &RouterSnapshot> =
        observed.snapshot.virtual_routers.iter().map(|router| (router.name.as_str(), router)).collect();
    let refused: BTreeMap<&str, RouterProblem> =
        refusals.iter().map(|refusal| (refusal.group.as_str(), of_refused(refusal))).collect();
    let of_spec = spec.virtual_routers.iter().map(|router| {
        match (running.get(router.name.as_str()), refused.get(router.group.as_str())) {
            // What still runs of a group that is refused now is on its way out.
            (_, Some(problem)) => rejected(router, problem),
            (Some(running), None) => virtual_router(running, Some(router), observed),
            (None, None) => absent(router, if observed.leaving { "Stopped" } else { "NotStarted" }),
        }
    });
    let planned = names(spec);
    let leaving = running.values().filter(|router| !planned.contains(router.name.as_str()));
    of_spec.chain(leaving.map(|router| virtual_router(router, None, observed))).collect()
}

fn names(spec: &NodeConfigSpec) -> BTreeSet<&str> {
    spec.virtual_routers.iter().map(|router| router.name.as_str()).collect()
}

fn virtual_router(
    router: &RouterSnapshot,
    spec: Option<&VirtualRouter>,
    observed: &Observed<'_>,
) -> VirtualRouterStatus {
    let reason = if router.message.is_empty() {
        router.reason.clone()
    } else {
        shortened(&format!("{}: {}", router.reason, router.message))
    };
    VirtualRouterStatus {
        name: router.name.clone(),
        state: match router.state {
            snapshot::RouterState::Init => RouterState::Init,
            snapshot::RouterState::Fault => RouterState::Fault,
            snapshot::RouterState::Backup => RouterState::Backup,
            snapshot::RouterState::Master => RouterState::Master,
        },
        priority: Some(router.priority),
        interface: router.interface.clone(),
        since: time(&router.since),
        reason: Some(reason),
        transitions: i64::try_from(router.transitions).unwrap_or(i64::MAX),
        fencing: router.fencing.map(fencing),
        master_address: router.master_address.map(|address| address.to_string()),
        problems: of_running(router, spec, observed.sightings, observed.now),
    }
}

fn fencing(in_use: desired::Fencing) -> Fencing {
    match in_use {
        desired::Fencing::Overlap => Fencing::Overlap,
        desired::Fencing::Strict => Fencing::Strict,
        desired::Fencing::None => Fencing::None,
    }
}

fn rejected(router: &VirtualRouter, problem: &RouterProblem) -> VirtualRouterStatus {
    VirtualRouterStatus {
        state: RouterState::Fault,
        reason: Some(format!("{:?}", problem.reason)),
        problems: vec![problem.clone()],
        ..absent(router, "")
    }
}

/// A virtual router that the election thread does not have.
fn absent(router: &VirtualRouter, reason: &str) -> VirtualRouterStatus {
    VirtualRouterStatus {
        name: router.name.clone(),
        state: RouterState::Init,
        priority: None,
        interface: None,
        since: None,
        reason: Some(reason.to_owned()),
        transitions: 0,
        fencing: None,
        master_address: None,
        problems: Vec::new(),
    }
}

fn interfaces(interfaces: &[InterfaceSnapshot]) -> Vec<InterfaceStatus> {
    let mut statuses: Vec<InterfaceStatus> = interfaces
        .iter()
        .map(|interface| InterfaceStatus {
            name: interface.name.clone(),
            addresses: interface.addresses.iter().map(ToString::to_string).collect(),
            up: interface.up,
        })
        .collect();
    statuses.sort_by(|one, other| one.name.cmp(&other.name));
    statuses
}

fn health_check(check: &CheckSnapshot) -> HealthCheckResult {
    HealthCheckResult {
        name: check.name.clone(),
        passing: check.passing,
        message: (!check.message.is_empty()).then(|| shortened(&check.message)),
        since: check.since.as_deref().and_then(time),
    }
}

fn summary(routers: &[VirtualRouterStatus]) -> NodeConfigSummary {
    let count = |state| {
        let count = routers.iter().filter(|router| router.state == state).count();
        i32::try_from(count).unwrap_or(i32::MAX)
    };
    NodeConfigSummary {
        master: count(RouterState::Master),
        backup: count(RouterState::Backup),
        fault: count(RouterState::Fault),
    }
}

/// Whether this node carries its NodeConfig out.
fn programmed(programmed: &Programmed, routers: &[VirtualRouterStatus]) -> (ProgrammedReason, String) {
    match &programmed.problem {
        Some(Problem::Unreadable(message)) => return (ProgrammedReason::NodeRejected, shortened(message)),
        Some(Problem::Missing(message)) => return (ProgrammedReason::Pending, shortened(message)),
        None => {}
    }
    if programmed.identity.is_none() {
        return (
            ProgrammedReason::Pending,
            "this node runs what it had saved, until it has read its NodeConfig".to_owned(),
        );
    }
    let kinds = [
        (RouterProblemReason::NodeRejected, ProgrammedReason::NodeRejected),
        (RouterProblemReason::PasswordKeyNotFound, ProgrammedReason::PasswordKeyNotFound),
        (RouterProblemReason::InterfaceNotFound, ProgrammedReason::InterfaceNotFound),
    ];
    let problems = |kind: RouterProblemReason| {
        routers.iter().flat_map(move |router| {
            let of_kind = router.problems.iter().filter(move |problem| problem.reason == kind);
            of_kind.map(|problem| format!("{}: {}", router.name, problem.message))
        })
    };
    for (kind, reason) in kinds {
        let messages: Vec<String> = problems(kind).collect();
        if !messages.is_empty() {
            return (reason, listed(&messages));
        }
    }
    (ProgrammedReason::Programmed, format!("virtual routers: {}", programmed.spec.virtual_routers.len()))
}

fn listed(messages: &[String]) -> String {
    let shown: Vec<&str> = messages.iter().take(LISTED).map(String::as_str).collect();
    let more = messages.len().saturating_sub(LISTED);
    let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
    shortened(&shown.join("; ")) + &rest
}

/// A time of a snapshot; none if there is none in the text.
pub(super) fn time(text: &str) -> Option<Time> {
    text.parse().ok().map(Time)
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::sync::Arc;

    use serde_json::json;

    use super::super::seen::Identity;
    use super::super::test_snapshots::{master, router};
    use super::*;
    use crate::snapshot::{Obstacle, ObstacleKind};
    use crate::translate::{Refusal, RefusalKind};

    /// A NodeConfig with these virtual routers, each in a group of its own.
    fn programmed(routers: &[&str]) -> Programmed {
        let router = |name: &&str| {
            json!({
                "name": name, "virtualIP": name, "group": name, "family": "IPv4", "virtualRouterID": 51,
                "protocolVersion": 3, "advertisementInterval": "200ms", "priority": 100, "addresses": ["192.0.2.1"],
            })
        };
        let spec = json!({ "virtualRouters": routers.iter().map(router).collect::<Vec<_>>() });
        Programmed {
            identity: Some(Identity { uid: "7f3c".to_owned(), generation: 4 }),
            spec: Arc::new(serde_json::from_value(spec).expect("a spec")),
            ..Programmed::default()
        }
    }

    fn snapshot(virtual_routers: Vec<RouterSnapshot>) -> Snapshot {
        Snapshot { virtual_routers, ..Snapshot::default() }
    }

    /// The status an hour into 2026.
    fn observe(snapshot: &Snapshot, programmed: &Programmed, conditions: &[Condition]) -> NodeConfigStatus {
        status(&Observed {
            snapshot,
            checks: &[],
            programmed,
            sightings: &Sightings::default(),
            conditions,
            leaving: false,
            now: Instant::now(),
            clock: "2026-01-01T01:00:00Z".parse().expect("a time"),
        })
    }

    fn states(status: &NodeConfigStatus) -> Vec<(&str, RouterState)> {
        status.virtual_routers.iter().map(|router| (router.name.as_str(), router.state)).collect()
    }

    #[test]
    fn every_virtual_router_of_the_node_config_has_a_state() {
        let running = snapshot(vec![router("b"), master("a", 1), router("gone")]);
        let status = observe(&running, &programmed(&["a", "b", "new"]), &[]);
        let expected = [
            ("a", RouterState::Master),
            ("b", RouterState::Backup),
            ("new", RouterState::Init),
            ("gone", RouterState::Backup),
        ];
        assert_eq!(states(&status), expected, "in the order of the NodeConfig; what is on its way out comes last");
        let summary = NodeConfigSummary { master: 1, backup: 2, fault: 0 };
        assert_eq!((status.summary, status.observed_generation), (Some(summary), Some(4)));
    }

    #[test]
    fn a_state_says_since_when_and_why() {
        let mut silent = master("web", 7);
        silent.reason = "MasterSilent".to_owned();
        silent.message = "192.0.2.12 has not advertised in time".to_owned();
        silent.master_address = Some(IpAddr::from([192, 0, 2, 11]));
        silent.transitions = 3;
        let status = observe(&snapshot(vec![silent]), &programmed(&["web"]), &[]);
        let expected = json!({
            "name": "web", "state": "MASTER", "priority": 100, "interface": "eth0", "transitions": 3, "fencing": "Overlap",
            "since": "2026-01-01T00:00:07Z", "masterAddress": "192.0.2.11",
            "reason": "MasterSilent: 192.0.2.12 has not advertised in time",
        });
        assert_eq!(serde_json::to_value(&status.virtual_routers[0]).expect("JSON"), expected);
    }

    #[test]
    fn what_the_node_cannot_run_is_a_fault_with_its_reason() {
        for (kind, reason) in [
            (RefusalKind::PasswordMissing, ProgrammedReason::PasswordKeyNotFound),
            (RefusalKind::Configuration, ProgrammedReason::NodeRejected),
        ] {
            let refusal = Refusal { group: "web".to_owned(), reason: "no".to_owned(), kind };
            let refused = Programmed { refusals: vec![refusal], ..programmed(&["web", "other"]) };
            let status = observe(&snapshot(vec![router("other")]), &refused, &[]);
            assert_eq!(states(&status), [("web", RouterState::Fault), ("other", RouterState::Backup)]);
            assert_eq!(status.virtual_routers[0].reason.as_deref(), Some(reason.to_string().as_str()));
            let condition = &status.conditions[0];
            assert_eq!((condition.status.as_str(), condition.reason.as_str()), ("False", reason.to_string().as_str()));
            assert_eq!(condition.message, "web: group \"web\": no");
        }
    }

    #[test]
    fn an_interface_that_is_missing_keeps_the_node_config_from_being_programmed() {
        let obstacle = |kind| {
            let message = "there is no interface eth7".to_owned();
            snapshot(vec![RouterSnapshot { obstacle: Some(Obstacle { kind, message }), ..router("web") }])
        };
        for (kind, reason) in
            [(ObstacleKind::InterfaceMissing, "InterfaceNotFound"), (ObstacleKind::InterfaceDown, "Programmed")]
        {
            let status = observe(&obstacle(kind), &programmed(&["web"]), &[]);
            assert_eq!(status.conditions[0].reason, reason);
        }
    }

    #[test]
    fn the_condition_keeps_its_time_while_its_status_stays() {
        let before = observe(&snapshot(vec![]), &programmed(&[]), &[]).conditions;
        let earlier = Time("2025-06-01T00:00:00Z".parse().expect("a time"));
        let before = vec![Condition { last_transition_time: earlier.clone(), ..before[0].clone() }];
        let same = observe(&snapshot(vec![router("web")]), &programmed(&["web"]), &before);
        assert_eq!(same.conditions[0].last_transition_time, earlier);
        let unread = Programmed { identity: None, ..programmed(&["web"]) };
        let other = observe(&snapshot(vec![router("web")]), &unread, &before);
        assert_eq!((other.conditions[0].reason.as_str(), other.observed_generation), ("Pending", None));
        assert_ne!(other.conditions[0].last_transition_time, earlier);
    }

    #[test]
    fn one_that_makes_no_sense_is_rejected_as_a_whole() {
        let problem = Some(Problem::Unreadable("NodeConfig \"a\" makes no sense to this agent".to_owned()));
        let unreadable = Programmed { problem, ..programmed(&["web"]) };
        let status = observe(&snapshot(vec![router("web")]), &unreadable, &[]);
        assert_eq!(status.conditions[0].reason, "NodeRejected");
        assert_eq!(states(&status), [("web", RouterState::Backup)], "what was in force goes on");
    }

    #[test]
    fn one_that_is_not_there_yet_is_awaited() {
        let problem = Some(Problem::Missing("there is no NodeConfig \"a\" yet".to_owned()));
        let status = observe(&snapshot(vec![]), &Programmed { problem, ..Programmed::default() }, &[]);
        assert_eq!(status.conditions[0].reason, "Pending");
        assert_eq!(status.conditions[0].message, "there is no NodeConfig \"a\" yet");
    }

    #[test]
    fn interfaces_have_their_addresses_with_prefix_lengths() {
        let interface = |name: &str, addresses: &[&str]| InterfaceSnapshot {
            name: name.to_owned(),
            up: true,
            addresses: addresses.iter().map(|text| text.parse().expect("an address")).collect(),
            counters: BTreeMap::new(),
        };
        let interfaces = vec![interface("eth1", &[]), interface("eth0", &["192.0.2.11/24", "2001:db8::11/64"])];
        let status = observe(&Snapshot { interfaces, ..Snapshot::default() }, &programmed(&[]), &[]);
        let expected = json!([
            { "name": "eth0", "addresses": ["192.0.2.11/24", "2001:db8::11/64"], "up": true },
            { "name": "eth1", "up": true },
        ]);
        assert_eq!(serde_json::to_value(&status.interfaces).expect("JSON"), expected);
    }

    #[test]
    fn a_long_list_of_problems_is_shortened() {
        let messages: Vec<String> = (1..=5).map(|number| format!("problem {number}")).collect();
        assert_eq!(listed(&messages), "problem 1; problem 2; problem 3; and 2 more");
        assert_eq!(listed(&messages[..2]), "problem 1; problem 2");
    }

    #[test]
    fn only_the_words_of_health_checks_may_wait() {
        let check = |passing, message: &str| HealthCheckResult {
            name: "nginx".to_owned(),
            passing: Some(passing),
            message: Some(message.to_owned()),
            since: None,
        };
        let with = |check| NodeConfigStatus { health_checks: vec![check], ..NodeConfigStatus::default() };
        let (one, other, failing) = (with(check(true, "one")), with(check(true, "other")), with(check(false, "one")));
        assert_eq!(without_messages(&one), without_messages(&other));
        assert_ne!(without_messages(&one), without_messages(&failing));
    }
}
