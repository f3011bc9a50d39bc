//! Which version of an object counts: that of the folder, or the last good one.

use std::collections::BTreeMap;

use holdfast_crds::condition::AcceptedReason;
use holdfast_crds::{HealthCheck, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::core::v1::Node;

use crate::accept::{Candidates, HealthCheckVerdicts, health_checks, name_of};
use crate::compile::{self, Checks};
use crate::memory::InForce;
use crate::unit::GroupVerdict;
use crate::verdict::Verdict;

/// What keeps its last good version, with what is wrong with that of the folder.
#[derive(Clone, Default)]
pub(super) struct Kept {
    pub(super) virtual_ips: BTreeMap<String, Verdict<AcceptedReason>>,
    pub(super) groups: BTreeMap<String, GroupVerdict>,
    pub(super) nodes: bool,
}

impl Kept {
    pub(super) fn len(&self) -> usize {
        self.virtual_ips.len() + self.groups.len()
    }

    pub(super) fn has_virtual_ip(&self, name: &str) -> bool {
        self.virtual_ips.contains_key(name)
    }

    pub(super) fn has_group(&self, name: &str) -> bool {
        self.groups.contains_key(name)
    }

    /// The nodes that are described.
    pub(super) fn nodes<'a>(&self, present: &'a [Node], in_force: &'a InForce) -> &'a [Node] {
        if self.nodes { &in_force.nodes } else { present }
    }

    pub(super) fn virtual_ips<'a>(&self, present: &'a [VirtualIP], in_force: &'a InForce) -> Vec<&'a VirtualIP> {
        let version = |vip: &'a VirtualIP| {
            let name = name_of(&vip.metadata);
            if self.has_virtual_ip(name) { in_force.virtual_ip(name).unwrap_or(vip) } else { vip }
        };
        present.iter().map(version).collect()
    }

    /// A member whose document is gone is gone from a kept group too.
    pub(super) fn groups(
        &self,
        present: &[VirtualIPGroup],
        in_force: &InForce,
        candidates: &Candidates<'_>,
    ) -> Vec<VirtualIPGroup> {
        let exists = |member: &String| candidates.0.iter().any(|candidate| candidate.name == *member);
        let version = |group: &VirtualIPGroup| {
            let name = name_of(&group.metadata);
            let Some(good) = in_force.group(name).filter(|_| self.has_group(name)) else { return group.clone() };
            let mut good = good.clone();
            good.spec.members.retain(exists);
            good
        };
        present.iter().map(version).collect()
    }
}

/// The health checks. Kept objects may refer to the last good version of one that is bad or gone; others may not.
pub(super) struct CheckVersions<'a> {
    verdicts: HealthCheckVerdicts,
    verdicts_for_kept: HealthCheckVerdicts,
    in_use: Checks<'a>,
}

impl<'a> CheckVersions<'a> {
    pub(super) fn of(present: &'a [HealthCheck], last_good: &'a [HealthCheck]) -> Self {
        let verdicts = health_checks(present);
        let mut verdicts_for_kept = verdicts.clone();
        verdicts_for_kept.extend(health_checks(last_good).into_iter().filter(|(_, verdict)| verdict.is_accepted()));
        let is_good = |check: &&HealthCheck| verdicts.get(name_of(&check.metadata)).is_some_and(Verdict::is_accepted);
        let mut in_use = compile::by_name(last_good);
        in_use.extend(present.iter().filter(is_good).map(|check| (name_of(&check.metadata), check)));
        Self { verdicts, verdicts_for_kept, in_use }
    }

    pub(super) fn seen_by(&self, is_kept: bool) -> &HealthCheckVerdicts {
        if is_kept { &self.verdicts_for_kept } else { &self.verdicts }
    }

    /// The version that counts, of each.
    pub(super) fn in_use(&self) -> &Checks<'a> {
        &self.in_use
    }

    /// What is to be said of the versions of the folder.
    pub(super) fn into_verdicts(self) -> HealthCheckVerdicts {
        self.verdicts
    }
}
