//! Virtual router IDs in a cluster: explicit ones are respected, allocated ones kept, new ones chosen among the free.
//!
//! A `VirtualIP` with both families has one ID for both. The `NodeConfigs` are the durable record, common to all: what
//! stands there is kept for as long as its `VirtualIP` exists. Without such a record see `claims.rs`.

use std::collections::BTreeMap;

use holdfast_crds::condition::AcceptedReason;
use holdfast_crds::{Family, NodeConfig, VirtualRouter};

use crate::accept::{Candidate, Candidates};
use crate::retain::Retained;
use crate::scope::InterfaceScope;
use crate::spread::stable_hash;

/// What to tell those for whom no ID is left.
pub(crate) fn exhausted(scope: &InterfaceScope) -> String {
    let interfaces = scope.describe();
    format!(
        "spec.virtualRouterID: all 255 of {interfaces} are in use: put the addresses of several VirtualIPs into one, or name \
         another interface in spec.interface"
    )
}

/// All 255 IDs, in the order in which this name would take them. The first follows from the name alone.
pub(crate) fn preferred_ids(name: &str) -> impl Iterator<Item = u8> + use<> {
    let start = stable_hash(&[name]) % 255;
    (0..255).map(move |step| u8::try_from((start + step) % 255 + 1).unwrap_or(u8::MAX))
}

/// The IDs in use, with what they are used for.
#[derive(Default)]
struct Ledger<'a>(BTreeMap<u8, Vec<Entry<'a>>>);

struct Entry<'a> {
    owner: &'a str,
    families: Vec<Family>,
    scope: InterfaceScope,
}

impl<'a> Ledger<'a> {
    /// Who else uses this ID on an interface and in a family of the candidate.
    fn holder(&self, id: u8, candidate: &Candidate<'_>) -> Option<&'a str> {
        let clash = |entry: &&Entry<'_>| {
            entry.scope.overlaps(&candidate.scope)
                && entry.families.iter().any(|family| candidate.families.contains(family))
        };
        self.0.get(&id)?.iter().find(clash).map(|entry| entry.owner)
    }

    fn reserve(&mut self, router: &'a VirtualRouter) {
        let scope = [router.interface.as_deref()].into_iter().collect();
        let entry = Entry { owner: &router.virtual_ip, families: vec![router.family], scope };
        self.0.entry(router.virtual_router_id).or_default().push(entry);
    }

    fn assign(&mut self, id: u8, candidate: &mut Candidate<'a>) {
        candidate.virtual_router_id = Some(id);
        let (families, scope) = (candidate.families.clone(), candidate.scope.clone());
        self.0.entry(id).or_default().push(Entry { owner: candidate.name, families, scope });
    }
}

/// Gives every accepted candidate a virtual router ID, or refuses it.
pub(crate) fn allocate<'a>(candidates: &mut Candidates<'a>, earlier: &[NodeConfig], retained: &Retained<'a>) {
    let recorded = recorded_ids(earlier);
    let mut ledger = Ledger::default();
    for router in retained.routers() {
        ledger.reserve(router);
    }
    keep_recorded(candidates, &recorded, &mut ledger);
    respect_explicit(candidates, &mut ledger);
    allocate_new(candidates, &mut ledger);
}

/// The ID of each `VirtualIP` in the `NodeConfigs`.
fn recorded_ids(earlier: &[NodeConfig]) -> BTreeMap<&str, u8> {
    let routers = earlier.iter().flat_map(|config| &config.spec.virtual_routers);
    routers.map(|router| (router.virtual_ip.as_str(), router.virtual_router_id)).collect()
}

fn keep_recorded<'a>(candidates: &mut Candidates<'a>, recorded: &BTreeMap<&str, u8>, ledger: &mut Ledger<'a>) {
    for candidate in waiting(candidates) {
        let Some(id) = recorded.get(candidate.name).copied() else { continue };
        let wanted = candidate.vip.spec.virtual_router_id.is_none_or(|explicit| explicit == id);
        if wanted && ledger.holder(id, candidate).is_none() {
            ledger.assign(id, candidate);
        }
    }
}

fn respect_explicit<'a>(candidates: &mut Candidates<'a>, ledger: &mut Ledger<'a>) {
    for candidate in waiting(candidates) {
        let Some(id) = candidate.vip.spec.virtual_router_id else { continue };
        match ledger.holder(id, candidate) {
            None => ledger.assign(id, candidate),
            Some(owner) => candidate.refuse(
                AcceptedReason::VirtualRouterIDInUse,
                format!(
                    "spec.virtualRouterID: {id} is used by VirtualIP {owner:?} on the same interface: choose another, or \
                     remove the field to have a free one allocated"
                ),
            ),
        }
    }
}

/// Starts at a place that the name alone decides, so that most `VirtualIPs` get the same ID whatever else exists.
fn allocate_new<'a>(candidates: &mut Candidates<'a>, ledger: &mut Ledger<'a>) {
    for candidate in waiting(candidates) {
        let free = preferred_ids(candidate.name).find(|id| ledger.holder(*id, candidate).is_none());
        if let Some(id) = free {
            ledger.assign(id, candidate);
        } else {
            let message = exhausted(&candidate.scope);
            candidate.refuse(AcceptedReason::VirtualRouterIDsExhausted, message);
        }
    }
}

/// The accepted candidates that have no ID yet.
fn waiting<'c, 'a>(candidates: &'c mut Candidates<'a>) -> impl Iterator<Item = &'c mut Candidate<'a>> {
    candidates.0.iter_mut().filter(|candidate| candidate.verdict.is_accepted() && candidate.virtual_router_id.is_none())
}
