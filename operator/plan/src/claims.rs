//! Whose an address and a virtual router ID is, among agents that do not ask each other.
//!
//! Every `VirtualIP` of the folder claims its addresses and an ID: the one that it gives, or the one that follows from
//! its name. It claims them on every agent, whether or not this one selects it or finds it in order, because another
//! agent may. Where two claims meet,
//!
//! - what this agent has in force stays, and the newcomer is refused;
//! - if neither is in force here, both are refused. Another agent may have either of them in force, and whichever this
//!   one chose, it could be the wrong one: two `VirtualIPs` with one ID, or two masters of one address.
//!
//! So an ID never changes by itself, and whoever follows a folder from some time on runs nothing that those who have
//! followed it for longer do not run, and all of it with the same IDs. Someone has to mend the folder, and is told how.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use holdfast_crds::condition::AcceptedReason;
use holdfast_crds::{Family, VipAddress, VirtualIP};

use crate::accept::{Candidate, name_of};
use crate::allocation::{exhausted, preferred_ids};
use crate::scope::InterfaceScope;
use crate::verdict::Verdict;

/// What one version of a `VirtualIP` claims.
#[derive(Clone, PartialEq, Eq)]
struct Claim<'a> {
    owner: &'a str,
    addresses: Vec<IpAddr>,
    families: Vec<Family>,
    /// Any interface that it may use on any node.
    scope: InterfaceScope,
    virtual_router_id: u8,
}

/// What two claims can have in common.
#[derive(Clone, Copy)]
enum Subject {
    Address(IpAddr),
    VirtualRouterId,
}

/// All claims, and which of them are in force here.
pub(crate) struct Claims<'a> {
    present: Vec<Claim<'a>>,
    in_force: BTreeMap<&'a str, Claim<'a>>,
    /// Places in `present`.
    by_address: BTreeMap<IpAddr, Vec<usize>>,
    by_id: BTreeMap<u8, Vec<usize>>,
}

impl<'a> Claim<'a> {
    fn of(vip: &'a VirtualIP) -> Self {
        let addresses = vip.spec.parsed_addresses().unwrap_or_default();
        Self {
            owner: name_of(&vip.metadata),
            addresses: addresses.into_iter().map(VipAddress::address).collect(),
            families: vip.spec.families().unwrap_or_default(),
            scope: InterfaceScope::of_all_nodes(&vip.spec),
            virtual_router_id: virtual_router_id(vip),
        }
    }

    fn shares(&self, other: &Self, subject: Subject) -> bool {
        match subject {
            Subject::Address(address) => self.addresses.contains(&address) && other.addresses.contains(&address),
            Subject::VirtualRouterId => self.virtual_router_id == other.virtual_router_id && self.meets(other),
        }
    }

    /// Whether both may be on one interface, in one family.
    fn meets(&self, other: &Self) -> bool {
        self.families.iter().any(|family| other.families.contains(family)) && self.scope.overlaps(&other.scope)
    }
}

/// The ID that a `VirtualIP` gives, or the one that follows from its name and from nothing else.
pub(crate) fn virtual_router_id(vip: &VirtualIP) -> u8 {
    let from_name = || preferred_ids(name_of(&vip.metadata)).next();
    vip.spec.virtual_router_id.or_else(from_name).unwrap_or(u8::MAX)
}

impl<'a> Claims<'a> {
    /// The claims of these versions of `VirtualIPs`, some of which may be versions of the same one.
    pub(crate) fn of(present: impl Iterator<Item = &'a VirtualIP>, in_force: &'a [VirtualIP]) -> Self {
        let present: Vec<Claim<'a>> = present.map(Claim::of).collect();
        let (mut by_address, mut by_id) = (BTreeMap::<_, Vec<_>>::new(), BTreeMap::<_, Vec<_>>::new());
        for (place, claim) in present.iter().enumerate() {
            by_id.entry(claim.virtual_router_id).or_default().push(place);
            for address in &claim.addresses {
                by_address.entry(*address).or_default().push(place);
            }
        }
        let in_force = in_force.iter().map(Claim::of).map(|claim| (claim.owner, claim)).collect();
        Self { present, in_force, by_address, by_id }
    }

    /// Refuses what claims an address of another.
    pub(crate) fn address_refusal(&self, candidate: &Candidate<'_>) -> Option<Verdict<AcceptedReason>> {
        let mine = Claim::of(candidate.vip);
        let mut rivals = mine.addresses.iter().enumerate().filter_map(|(index, address)| {
            let rival = self.rival(&mine, Subject::Address(*address))?;
            Some((index, address, rival))
        });
        let (index, address, rival) = rivals.next()?;
        let message = format!(
            "spec.addresses[{index}]: VirtualIP {rival:?} has {address} too: choose another, or change that one"
        );
        Some(Verdict::new(AcceptedReason::AddressInUse, message))
    }

    /// Refuses what claims the virtual router ID of another.
    pub(crate) fn id_refusal(
        &self,
        candidate: &Candidate<'_>,
        proposals: &Proposals<'_>,
    ) -> Option<Verdict<AcceptedReason>> {
        let mine = Claim::of(candidate.vip);
        let rival = self.rival(&mine, Subject::VirtualRouterId)?;
        let Some(free) = proposals.0.get(mine.owner) else {
            return Some(Verdict::new(AcceptedReason::VirtualRouterIDsExhausted, exhausted(&candidate.scope)));
        };
        let origin = if candidate.vip.spec.virtual_router_id.is_some() { "" } else { ", which follows from the name," };
        let id = mine.virtual_router_id;
        let message = format!(
            "spec.virtualRouterID: {id}{origin} is that of VirtualIP {rival:?} on the same interface too: write \
             virtualRouterID: {free}"
        );
        Some(Verdict::new(AcceptedReason::VirtualRouterIDInUse, message))
    }

    /// The first other `VirtualIP` that claims the same, unless this one alone had it before.
    fn rival(&self, mine: &Claim<'_>, subject: Subject) -> Option<&'a str> {
        let places = match subject {
            Subject::Address(address) => self.by_address.get(&address),
            Subject::VirtualRouterId => self.by_id.get(&mine.virtual_router_id),
        };
        let others = places?.iter().filter_map(|place| self.present.get(*place));
        let had = |claim: &Claim<'_>, against: &Claim<'_>| {
            self.in_force.get(claim.owner).is_some_and(|before| before.shares(against, subject))
        };
        let mut rivals = others
            .filter(|other| other.owner != mine.owner && other.shares(mine, subject))
            .filter(|other| !had(mine, other) || had(other, mine));
        rivals.next().map(|rival| rival.owner)
    }
}

/// A free virtual router ID for everyone who may need one, each a different one.
pub(crate) struct Proposals<'a>(BTreeMap<&'a str, u8>);

impl<'a> Proposals<'a> {
    /// `everything` is every version of every `VirtualIP`, whether it counts or not.
    pub(crate) fn of(everything: impl Iterator<Item = &'a VirtualIP>) -> Self {
        let mut claims: Vec<Claim<'a>> = everything.map(Claim::of).collect();
        claims.sort_by_key(|claim| claim.owner);
        let contested = |mine: &&Claim<'_>| {
            claims.iter().any(|other| other.owner != mine.owner && other.shares(mine, Subject::VirtualRouterId))
        };
        let mut proposals = BTreeMap::new();
        let mut proposed = BTreeSet::new();
        for mine in claims.iter().filter(contested) {
            let taken: BTreeSet<u8> =
                claims.iter().filter(|other| other.meets(mine)).map(|other| other.virtual_router_id).collect();
            let free = preferred_ids(mine.owner).find(|id| !taken.contains(id) && !proposed.contains(id));
            if let Some(free) = free.filter(|_| !proposals.contains_key(mine.owner)) {
                proposed.insert(free);
                proposals.insert(mine.owner, free);
            }
        }
        Self(proposals)
    }
}
