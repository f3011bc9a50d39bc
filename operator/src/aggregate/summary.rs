//! `VirtualIP.status.summary`: what `kubectl get` shows.

use holdfast_crds::condition::{
    AcceptedReason, ConditionReason, ConditionStatus, DegradedReason, ProgrammedReason, ReadyReason,
};
use holdfast_crds::{VirtualIP, VirtualIPNodeStatus, VirtualIPStatus, VirtualIPSummary};

use super::mastership::Mastership;
use super::standing::Standing;
use super::subject::{Subject, is_good};
use super::wording::column;

/// The reasons of all conditions.
pub(super) struct Reasons {
    pub(super) accepted: AcceptedReason,
    pub(super) programmed: ProgrammedReason,
    pub(super) ready: ReadyReason,
    pub(super) degraded: DegradedReason,
}

pub(super) fn summary(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    mastership: &Mastership<'_>,
    standings: &[Standing<'_>],
    nodes: &[VirtualIPNodeStatus],
    (ready, wanted): (usize, usize),
    reasons: &Reasons,
) -> VirtualIPSummary {
    let master = match mastership {
        Mastership::Held(place) => standings.get(*place),
        _ => None,
    };
    let shown = master.and_then(|master| nodes.iter().find(|node| node.name == master.node.name));
    VirtualIPSummary {
        addresses: Some(addresses(subject, standings)).filter(|addresses| !addresses.is_empty()),
        backups: Some(format!("{ready}/{wanted}")),
        interface: master.and_then(Standing::interface).map(str::to_owned),
        priority: master.and_then(Standing::priority),
        reason: Some(reason(reasons, shown.and_then(|node| node.reason.as_deref()))),
    }
}

/// The addresses without their prefix lengths, in the order of the spec.
fn addresses(subject: &Subject<'_, VirtualIP, VirtualIPStatus>, standings: &[Standing<'_>]) -> String {
    let bare = |address: &String| address.split('/').next().unwrap_or_default().to_owned();
    if let Some(vip) = subject.object {
        return column(vip.spec.addresses.iter().map(bare));
    }
    let planned = standings.first().into_iter().flat_map(|standing| standing.planned);
    column(planned.flat_map(|router| &router.addresses).map(bare))
}

/// What is wrong, or why the master is master.
fn reason(reasons: &Reasons, master: Option<&str>) -> String {
    let Reasons { accepted, programmed, ready, degraded } = reasons;
    let word = if !is_good(*accepted) {
        accepted.as_str()
    } else if matches!(ready, ReadyReason::SplitBrain | ReadyReason::Stale) {
        ready.as_str()
    } else if !is_good(*programmed) {
        programmed.as_str()
    } else if !is_good(*ready) {
        // Checks that fail are why nobody is fit.
        if *degraded == DegradedReason::HealthCheckFailing { degraded.as_str() } else { ready.as_str() }
    } else if degraded.status() == ConditionStatus::True {
        degraded.as_str()
    } else {
        let word = master.and_then(|reason| reason.split(':').next()).map(str::trim);
        word.filter(|word| !word.is_empty()).unwrap_or(ready.as_str())
    };
    word.to_owned()
}
