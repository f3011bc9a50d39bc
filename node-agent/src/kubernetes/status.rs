//! The status of this node's NodeConfig (pure).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use holdfast_crds::condition::{ProgrammedReason, condition, set_condition};
use holdfast_crds::{
    HealthCheckResult, InterfaceStatus, NodeConfigSpec, NodeConfigStatus, NodeConfigSummary, RouterProblem,
    RouterProblemReason, RouterState, VirtualRouter, VirtualRouterStatus,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use super::problems::{of_refused, of_running, shortened};
use super::programmed::Programmed;
use super::sightings::Sightings;
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
        master_address: router.master_address.map(|address| address.to_string()),
        problems: of_running(router, spec, observed.sightings, observed.now),
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
    if let Some(problem) = &programmed.problem {
        return (ProgrammedReason::NodeRejected, shortened(problem));
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
