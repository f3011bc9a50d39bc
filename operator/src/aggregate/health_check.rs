//! The status of a `HealthCheck`: its result on each node that runs it.

use holdfast_crds::condition::HealthCheckAcceptedReason;
use holdfast_crds::{HealthCheck, HealthCheckResult, HealthCheckStatus, HealthCheckSummary, Probe};
use holdfast_plan::Plan;
use jiff::Timestamp;

use super::index::{Index, Probing};
use super::nodes::MOST_NODES;
use super::subject::{Conditions, Subject, is_good};
use super::wording::shortened;

/// The conditions of a `HealthCheck`.
const CONDITIONS: &[&str] = &["Accepted"];

/// The longest result, in characters.
const LONGEST_RESULT: usize = 256;

pub(super) fn health_check(
    subject: &Subject<'_, HealthCheck, HealthCheckStatus>,
    index: &Index<'_>,
    plan: &Plan,
    clock: Timestamp,
) -> Option<HealthCheckStatus> {
    let verdict = plan.health_checks.get(subject.name);
    let (accepted, message) = subject.accepted(verdict, HealthCheckAcceptedReason::InvalidSpec)?;
    let probings = index.probings(subject.name);
    let results: Vec<HealthCheckResult> = probings.iter().filter_map(|probing| result(probing, index)).collect();
    let passing = results.iter().filter(|result| result.passing == Some(true)).count();
    let unused =
        if is_good(accepted) && results.is_empty() { "; no node runs it, as no VirtualIP refers to it" } else { "" };

    let before = subject.before.map_or(&[][..], |status| &status.conditions);
    let mut conditions = Conditions::new(before, subject.generation, clock);
    conditions.set(accepted, format!("{message}{unused}"));
    let probe = subject.object.and_then(|check| check.spec.probe());
    Some(HealthCheckStatus {
        observed_generation: subject.generation,
        summary: Some(HealthCheckSummary {
            probe_type: probe.map(|probe: Probe<'_>| probe.type_name().to_owned()),
            passing: Some(format!("{passing}/{}", results.len())),
        }),
        nodes: telling_most(results),
        conditions: conditions.only(CONDITIONS),
    })
}

/// What a silent node said last is not known to be so any more.
fn result(probing: &Probing<'_>, index: &Index<'_>) -> Option<HealthCheckResult> {
    let node = index.nodes.get(probing.node)?;
    let name = node.name.to_owned();
    let unknown = |message: &str| HealthCheckResult {
        name: node.name.to_owned(),
        passing: None,
        message: Some(message.to_owned()),
        since: None,
    };
    Some(match probing.result {
        _ if !node.is_heard() => unknown("AgentUnreachable: its agent is not heard of"),
        None => unknown("Pending: not carried out yet"),
        Some(result) => HealthCheckResult {
            name,
            passing: result.passing,
            message: result.message.clone().map(|message| shortened(message, LONGEST_RESULT)),
            since: result.since.clone(),
        },
    })
}

/// Of very many results, those that tell most: failures, then what is not known.
fn telling_most(mut results: Vec<HealthCheckResult>) -> Vec<HealthCheckResult> {
    if results.len() > MOST_NODES {
        let rank = |result: &HealthCheckResult| match result.passing {
            Some(false) => 0,
            None => 1,
            Some(true) => 2,
        };
        // Results are in the order of names, and stay so among equals.
        results.sort_by_key(rank);
        results.truncate(MOST_NODES);
        results.sort_by(|one, other| one.name.cmp(&other.name));
    }
    results
}
