//! What one round of judging found: what must be kept after all, or else what is in force from now on.

use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::condition::{AcceptedReason, ConditionReason, GroupAcceptedReason};
use holdfast_crds::{HealthCheck, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::core::v1::Node;

use super::versions::{CheckVersions, Kept};
use crate::accept::{Candidate, Candidates, name_of};
use crate::memory::InForce;
use crate::unit::GroupVerdict;
use crate::verdict::{Verdict, VirtualIPVerdict};

pub(super) struct Round<'r, 'a> {
    pub(super) in_force: &'r InForce,
    pub(super) kept: &'r Kept,
    /// The versions that were judged, with what was found.
    pub(super) candidates: &'r Candidates<'a>,
    pub(super) groups: &'r [VirtualIPGroup],
    pub(super) verdicts: &'r BTreeMap<String, GroupVerdict>,
    /// The nodes that are described, of which there may be none.
    pub(super) described: &'r [Node],
}

impl Round<'_, '_> {
    /// What must keep its last good version, if there is more than before. `nodes` are those of the folder.
    ///
    /// Groups come after their members, which they may be refused for, and nodes last: what they break, last good
    /// versions do not mend.
    pub(super) fn keep_more(&self, nodes: &[Node]) -> Option<Kept> {
        let mut more = self.kept.clone();
        self.keep_virtual_ips(&mut more);
        if more.len() == self.kept.len() {
            self.keep_groups(&mut more);
        }
        if more.len() == self.kept.len() {
            more.nodes |= self.refuses_kept() && self.in_force.nodes != nodes;
        }
        (more.len() > self.kept.len() || more.nodes != self.kept.nodes).then_some(more)
    }

    fn keep_virtual_ips(&self, more: &mut Kept) {
        for candidate in self.candidates.0.iter().filter(|candidate| !self.is_settled(candidate)) {
            if self.in_force.virtual_ip(candidate.name).is_some() {
                more.virtual_ips.entry(candidate.name.to_owned()).or_insert_with(|| candidate.verdict.clone());
            }
        }
    }

    /// The members of a group that is kept are kept with it.
    fn keep_groups(&self, more: &mut Kept) {
        for (group, verdict) in self.judged_groups().filter(|(group, verdict)| !self.is_group_settled(group, verdict)) {
            let name = name_of(&group.metadata);
            let Some(last_good) = self.in_force.group(name) else { continue };
            more.groups.entry(name.to_owned()).or_insert_with(|| verdict.clone());
            let is_member =
                |candidate: &&Candidate<'_>| last_good.spec.members.iter().any(|name| name == candidate.name);
            for member in self.candidates.0.iter().filter(is_member).filter(|member| self.has_changed(member)) {
                let message = format!("VirtualIPGroup {name:?} is not accepted with this version of its member");
                let refusal = || Verdict::new(AcceptedReason::InvalidSpec, message);
                more.virtual_ips.entry(member.name.to_owned()).or_insert_with(refusal);
            }
        }
    }

    fn has_changed(&self, candidate: &Candidate<'_>) -> bool {
        self.in_force.virtual_ip(candidate.name).is_some_and(|last_good| last_good.spec != candidate.vip.spec)
    }

    /// Whether something is refused although its last good version was judged.
    fn refuses_kept(&self) -> bool {
        let virtual_ips = self.candidates.0.iter().filter(|candidate| self.kept.has_virtual_ip(candidate.name));
        let groups = self.judged_groups().filter(|(group, _)| self.kept.has_group(name_of(&group.metadata)));
        virtual_ips.into_iter().any(|candidate| !self.is_settled(candidate))
            || groups.into_iter().any(|(group, verdict)| !self.is_group_settled(group, verdict))
    }

    fn judged_groups(&self) -> impl Iterator<Item = (&VirtualIPGroup, &GroupVerdict)> {
        self.groups.iter().filter_map(|group| Some((group, self.verdicts.get(name_of(&group.metadata))?)))
    }

    /// Whether nothing is wrong: it is accepted, or for other nodes.
    fn is_settled(&self, candidate: &Candidate<'_>) -> bool {
        candidate.verdict.is_accepted() || self.is_elsewhere(candidate)
    }

    /// Without Node objects nobody knows the labels of the other nodes: that this one is not selected is no mistake.
    fn is_elsewhere(&self, candidate: &Candidate<'_>) -> bool {
        self.described.is_empty() && candidate.verdict.reason == AcceptedReason::NoMatchingNodes
    }

    fn is_group_settled(&self, group: &VirtualIPGroup, verdict: &GroupVerdict) -> bool {
        verdict.is_accepted() || self.is_group_elsewhere(group, verdict)
    }

    fn is_group_elsewhere(&self, group: &VirtualIPGroup, verdict: &GroupVerdict) -> bool {
        let mut elsewhere = self.candidates.0.iter().filter(|candidate| self.is_elsewhere(candidate));
        match verdict.reason {
            GroupAcceptedReason::NoMatchingNodes => self.described.is_empty(),
            GroupAcceptedReason::MemberNotAccepted => {
                elsewhere.any(|candidate| group.spec.members.iter().any(|member| member == candidate.name))
            }
            _ => false,
        }
    }

    /// What is to be said of the versions of the folder.
    pub(super) fn virtual_ip_verdicts(&self) -> BTreeMap<String, VirtualIPVerdict> {
        let verdict = |candidate: &Candidate<'_>| {
            let accepted = match self.kept.virtual_ips.get(candidate.name) {
                Some(refusal) => of_kept(refusal, self.is_settled(candidate)),
                None if self.is_elsewhere(candidate) => {
                    Verdict::new(AcceptedReason::Accepted, "The VirtualIP is valid, for other nodes than this one")
                }
                None => candidate.verdict.clone(),
            };
            let virtual_router_id = candidate.virtual_router_id.filter(|_| accepted.is_accepted());
            (candidate.name.to_owned(), VirtualIPVerdict { accepted, virtual_router_id })
        };
        self.candidates.0.iter().map(verdict).collect()
    }

    /// As [`Round::virtual_ip_verdicts`], of the groups.
    pub(super) fn group_verdicts(&self) -> BTreeMap<String, GroupVerdict> {
        let verdict = |(group, judged): (&VirtualIPGroup, &GroupVerdict)| {
            let name = name_of(&group.metadata);
            let verdict = match self.kept.groups.get(name) {
                Some(refusal) => of_kept(refusal, self.is_group_settled(group, judged)),
                None if self.is_group_elsewhere(group, judged) => {
                    Verdict::new(GroupAcceptedReason::Accepted, "The group is valid, for other nodes than this one")
                }
                None => judged.clone(),
            };
            (name.to_owned(), verdict)
        };
        self.judged_groups().map(verdict).collect()
    }

    /// Everything that was accepted, and the health checks that it refers to.
    pub(super) fn in_force_now(&self, checks: &CheckVersions<'_>) -> InForce {
        let settled = self.candidates.0.iter().filter(|candidate| self.is_settled(candidate));
        let virtual_ips: Vec<VirtualIP> = settled.map(|candidate| candidate.vip.clone()).collect();
        let accepted = self.judged_groups().filter(|(_, verdict)| verdict.is_accepted());
        let groups: Vec<VirtualIPGroup> = accepted.map(|(group, _)| group.clone()).collect();
        let references = virtual_ips
            .iter()
            .flat_map(|vip| &vip.spec.health_checks)
            .chain(groups.iter().flat_map(|group| &group.spec.health_checks));
        let used: BTreeSet<&str> = references.map(|reference| reference.name.as_str()).collect();
        let used = used.into_iter().filter_map(|name| checks.in_use().get(name).copied());
        let health_checks: Vec<HealthCheck> = used.cloned().collect();
        InForce { virtual_ips, health_checks, groups, nodes: self.described.to_vec() }
    }
}

/// The refusal of a version in whose place another one counts.
fn of_kept<R: ConditionReason>(refusal: &Verdict<R>, is_in_force: bool) -> Verdict<R> {
    let ending = if is_in_force { "; until this is mended, the last good version stays in force" } else { "" };
    Verdict::new(refusal.reason, format!("{}{ending}", refusal.message))
}
