//! The plan of an agent that follows a folder on its own: what is in force is older than what is new.
//!
//! An object that is in force, and would be refused as it stands now, keeps its last good version, together with the
//! last good versions of what it refers to: health checks, members of a group and, if nothing else helps, the nodes. It
//! is in order again once the folder is. An object that was never accepted is refused, and one whose document is gone
//! goes.
//!
//! ```text
//! folder ──┬─► judge ─► is all accepted that is in force? ─ yes ─► NodeConfigs, verdicts, what is in force now
//! in force ┘     ▲                                        └ no ──► keep the last good versions, and judge again
//!                └────────────────────────────────────────────────────┘
//! ```
//!
//! Each round keeps more than the one before, so there is a last one.

mod round;
mod versions;

use std::collections::BTreeSet;

use holdfast_crds::{VirtualIP, VirtualIPGroup};

use self::round::Round;
use self::versions::{CheckVersions, Kept};
use crate::accept::{
    Candidate, Candidates, name_of, node_address_refusal, node_refusal, reference_refusal, spec_refusal,
};
use crate::claims::{Claims, Proposals, virtual_router_id};
use crate::memory::{InForce, Standalone};
use crate::node::{ClusterNode, known_to};
use crate::scope::InterfaceScope;
use crate::unit::{GroupCandidate, assemble};
use crate::{Input, Plan, compile};

pub(crate) fn plan(input: &Input<'_>, agent: &Standalone<'_>) -> Plan {
    let mut kept = Kept::default();
    loop {
        match judge(input, agent, &kept) {
            Judged::InOrder(plan) => return plan,
            Judged::KeepMore(more) => kept = more,
        }
    }
}

/// What comes of one round.
enum Judged {
    InOrder(Plan),
    KeepMore(Kept),
}

fn judge(input: &Input<'_>, agent: &Standalone<'_>, kept: &Kept) -> Judged {
    let described = kept.nodes(input.nodes, agent.in_force);
    let virtual_ips = kept.virtual_ips(input.virtual_ips, agent.in_force);
    let nodes = known_to(agent, described, virtual_ips.iter().copied());
    let checks = CheckVersions::of(input.health_checks, &agent.in_force.health_checks);
    let candidates = candidates(input, agent.in_force, kept, &virtual_ips, &nodes, &checks);
    let groups = kept.groups(input.groups, agent.in_force, &candidates);
    let (units, verdicts) = assemble(&in_order(&groups, agent.in_force, kept, &checks), &candidates, &BTreeSet::new());

    let round = Round {
        in_force: agent.in_force,
        kept,
        candidates: &candidates,
        groups: &groups,
        verdicts: &verdicts,
        described,
    };
    if let Some(more) = round.keep_more(input.nodes) {
        return Judged::KeepMore(more);
    }
    Judged::InOrder(Plan {
        node_configs: compile::node_configs(&units, &nodes, checks.in_use(), input.memory),
        virtual_ips: round.virtual_ip_verdicts(),
        groups: round.group_verdicts(),
        in_force: round.in_force_now(&checks),
        health_checks: checks.into_verdicts(),
    })
}

/// Judges the `VirtualIPs`. What depends on the node comes last, so that all agents judge the rest alike.
fn candidates<'a>(
    input: &Input<'a>,
    in_force: &'a InForce,
    kept: &Kept,
    virtual_ips: &[&'a VirtualIP],
    nodes: &[ClusterNode],
    checks: &CheckVersions<'_>,
) -> Candidates<'a> {
    // A kept version does not free what the present one claims: for another agent that one may be good.
    let kept_versions = virtual_ips.iter().copied().filter(|vip| kept.has_virtual_ip(name_of(&vip.metadata)));
    let claims = Claims::of(input.virtual_ips.iter().chain(kept_versions), &in_force.virtual_ips);
    let proposals = Proposals::of(input.virtual_ips.iter().chain(&in_force.virtual_ips));
    let judge = |vip: &&'a VirtualIP| {
        let mut candidate = Candidate::of(vip, nodes);
        let references = checks.seen_by(kept.has_virtual_ip(candidate.name));
        candidate.scope = InterfaceScope::of_all_nodes(&vip.spec);
        candidate.virtual_router_id = Some(virtual_router_id(vip));
        candidate.refuse_if(spec_refusal);
        candidate.refuse_if(|candidate| reference_refusal(candidate, references));
        candidate.refuse_if(|candidate| claims.address_refusal(candidate));
        candidate.refuse_if(|candidate| claims.id_refusal(candidate, &proposals));
        candidate.refuse_if(|candidate| node_refusal(candidate, nodes));
        candidate.refuse_if(|candidate| node_address_refusal(candidate, nodes, |_| false));
        candidate
    };
    let mut judged: Vec<Candidate<'a>> = virtual_ips.iter().map(judge).collect();
    judged.sort_by_key(|candidate| candidate.name);
    Candidates(judged)
}

/// First the groups that have their members already.
fn in_order<'a, 'h>(
    groups: &'a [VirtualIPGroup],
    in_force: &InForce,
    kept: &Kept,
    checks: &'h CheckVersions<'_>,
) -> Vec<GroupCandidate<'a, 'h>> {
    let mut order: Vec<&VirtualIPGroup> = groups.iter().collect();
    order.sort_by_key(|group| {
        let name = name_of(&group.metadata);
        (in_force.group(name).is_none(), name)
    });
    let candidate = |group: &'a VirtualIPGroup| {
        let health_checks = checks.seen_by(kept.has_group(name_of(&group.metadata)));
        GroupCandidate { group, health_checks }
    };
    order.into_iter().map(candidate).collect()
}
