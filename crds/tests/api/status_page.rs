//! The page about statuses, which people write by hand, knows every reason.

use std::fs;
use std::path::Path;

use holdfast_crds::condition::{
    AcceptedReason, ConditionReason, DegradedReason, GroupAcceptedReason, HealthCheckAcceptedReason, ProgrammedReason,
    ReadyReason,
};

/// The rows of the table below the heading of a condition, each as its cells.
fn rows(kind: &str, condition: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/status.md");
    let page = fs::read_to_string(path).unwrap();
    let heading = format!("### {kind}: {condition}");
    let section = page.lines().skip_while(|line| *line != heading).skip(1).take_while(|line| !line.starts_with('#'));
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect();
    section.filter(|line| line.starts_with("| `")).map(cells).collect()
}

/// Checks that the section tells exactly of these reasons: each with its status, what it means, and what to do about it.
fn assert_told<R: ConditionReason>(kind: &str, reasons: &[R]) {
    let rows = rows(kind, R::TYPE.as_str());
    let told: Vec<(&str, &str)> = rows.iter().map(|row| (row[0].trim_matches('`'), row[1].as_str())).collect();
    let mut expected: Vec<(&str, &str)> =
        reasons.iter().map(|reason| (reason.as_str(), reason.status().as_str())).collect();
    let mut sorted = told.clone();
    sorted.sort_unstable();
    expected.sort_unstable();
    assert_eq!(sorted, expected, "{kind}: {}", R::TYPE);
    for row in &rows {
        assert_eq!(row.len(), 4, "{row:?}");
        assert!(row.iter().all(|cell| !cell.is_empty()), "{row:?}");
    }
}

#[test]
fn every_reason_of_every_condition_has_its_meaning_and_its_remedy() {
    assert_told("VirtualIP", AcceptedReason::ALL);
    assert_told("VirtualIP", ProgrammedReason::ALL);
    assert_told("VirtualIP", ReadyReason::ALL);
    assert_told("VirtualIP", DegradedReason::ALL);
    assert_told("HealthCheck", HealthCheckAcceptedReason::ALL);
    assert_told("VirtualIPGroup", GroupAcceptedReason::ALL);
    assert_told("VirtualIPGroup", ReadyReason::ALL);
    // That an agent is silent it cannot say itself.
    let of_agents: Vec<ProgrammedReason> =
        ProgrammedReason::ALL.iter().copied().filter(|reason| *reason != ProgrammedReason::AgentUnreachable).collect();
    assert_told("NodeConfig", &of_agents);
}
