//! `VirtualIPs` that go on as the `NodeConfigs` have them, with everything that moves with them: those that cannot be read,
//! because they were stored under another schema, and those that are refused although they are in force. Neither must take
//! an address away.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use holdfast_crds::condition::{AcceptedReason, ConditionReason, GroupAcceptedReason};
use holdfast_crds::{ElectionGroup, NodeConfig, NodeConfigSpec, VirtualIP, VirtualIPGroup, VirtualRouter};

use crate::Plan;
use crate::accept::name_of;
use crate::cluster::Kept;
use crate::unit::GROUP_PREFIX;
use crate::verdict::{Verdict, VirtualIPVerdict};

/// What is copied from the `NodeConfigs` instead of being planned.
pub(crate) struct Retained<'a> {
    earlier: &'a [NodeConfig],
    /// The names of the groups in the `NodeConfigs`.
    groups: BTreeSet<&'a str>,
    virtual_ips: BTreeSet<&'a str>,
    /// What is wrong with those that are refused.
    kept: &'a Kept,
}

impl<'a> Retained<'a> {
    pub(crate) fn of(unreadable: &'a [String], kept: &'a Kept, earlier: &'a [NodeConfig]) -> Self {
        let names: BTreeSet<&str> = unreadable.iter().chain(kept.virtual_ips.keys()).map(String::as_str).collect();
        let touched = |group: &&ElectionGroup| {
            let is_kept = group_of(&group.name).is_some_and(|name| kept.groups.contains_key(name));
            is_kept || group.virtual_ips.iter().any(|name| names.contains(name.as_str()))
        };
        let groups = earlier.iter().flat_map(|config| &config.spec.groups);
        let groups: Vec<_> = groups.filter(touched).collect();
        Self {
            earlier,
            kept,
            virtual_ips: groups.iter().flat_map(|group| &group.virtual_ips).map(String::as_str).collect(),
            groups: groups.iter().map(|group| group.name.as_str()).collect(),
        }
    }

    /// The names of the `VirtualIPs` that are retained.
    pub(crate) fn virtual_ips(&self) -> &BTreeSet<&'a str> {
        &self.virtual_ips
    }

    pub(crate) fn is_planned(&self, virtual_ip: &VirtualIP) -> bool {
        !self.virtual_ips.contains(name_of(&virtual_ip.metadata))
    }

    /// Whether a `VirtualIPGroup` is planned. One that is retained is named after it in the `NodeConfigs`.
    pub(crate) fn is_planned_group(&self, group: &VirtualIPGroup) -> bool {
        !self.groups.iter().any(|name| group_of(name) == Some(name_of(&group.metadata)))
    }

    /// The virtual routers that go on: their addresses and virtual router IDs are taken.
    pub(crate) fn routers(&self) -> impl Iterator<Item = &'a VirtualRouter> {
        let routers = self.earlier.iter().flat_map(|config| &config.spec.virtual_routers);
        routers.filter(|router| self.groups.contains(router.group.as_str()))
    }

    /// The addresses that are taken, with their owners.
    pub(crate) fn addresses(&self) -> BTreeMap<IpAddr, &'a str> {
        let of_router = |router: &'a VirtualRouter| {
            let addresses = router.parsed_addresses().unwrap_or_default();
            addresses.into_iter().map(|address| (address.address(), router.virtual_ip.as_str()))
        };
        self.routers().flat_map(of_router).collect()
    }

    /// Puts what goes on into the plan, with the verdicts on it.
    pub(crate) fn add_to(&self, plan: &mut Plan, virtual_ips: &[VirtualIP], groups: &[VirtualIPGroup]) {
        for config in self.earlier {
            if let Some(spec) = plan.node_configs.get_mut(name_of(&config.metadata)) {
                self.copy(&config.spec, spec);
            }
        }
        for vip in virtual_ips.iter().filter(|vip| !self.is_planned(vip)) {
            let name = name_of(&vip.metadata);
            let refusal = self.kept.virtual_ips.get(name).map(goes_on);
            let accepted = refusal.unwrap_or_else(|| {
                let message = "The VirtualIP is valid; it goes on unchanged until what moves with it is in order";
                Verdict::new(AcceptedReason::Accepted, message)
            });
            let virtual_router_id =
                self.routers().find(|router| router.virtual_ip == name).map(|router| router.virtual_router_id);
            plan.virtual_ips.insert(name.to_owned(), VirtualIPVerdict { accepted, virtual_router_id });
        }
        for group in groups.iter().filter(|group| !self.is_planned_group(group)) {
            let name = name_of(&group.metadata);
            let not_in_order = || {
                let message = "spec.members: a member is not in order; the group goes on unchanged";
                Verdict::new(GroupAcceptedReason::MemberNotAccepted, message)
            };
            let verdict = self.kept.groups.get(name).map_or_else(not_in_order, goes_on);
            plan.groups.insert(name.to_owned(), verdict);
        }
    }

    fn copy(&self, from: &NodeConfigSpec, to: &mut NodeConfigSpec) {
        let groups = from.groups.iter().filter(|group| self.groups.contains(group.name.as_str()));
        let routers = from.virtual_routers.iter().filter(|router| self.groups.contains(router.group.as_str()));
        for group in groups.clone() {
            for tracked in &group.health_checks {
                let known = to.health_checks.iter().any(|check| check.name == tracked.name);
                let check = from.health_checks.iter().find(|check| check.name == tracked.name && !known);
                to.health_checks.extend(check.cloned());
            }
        }
        for router in routers.clone() {
            let known = to.peer_sets.iter().any(|set| router.peer_set.as_ref() == Some(&set.name));
            let set = from.peer_sets.iter().find(|set| router.peer_set.as_ref() == Some(&set.name) && !known);
            to.peer_sets.extend(set.cloned());
        }
        to.groups.extend(groups.cloned());
        to.virtual_routers.extend(routers.cloned());
        // In the order of a plan, so that nothing changes when the object can be read again.
        to.groups.sort_by(|one, other| one.name.cmp(&other.name));
        to.virtual_routers.sort_by(|one, other| one.group.cmp(&other.group));
        to.health_checks.sort_by(|one, other| one.name.cmp(&other.name));
        to.peer_sets.sort_by(|one, other| one.name.cmp(&other.name));
    }
}

/// The `VirtualIPGroup` that a group of a NodeConfig is made of; none for a `VirtualIP` that moves alone.
pub(crate) fn group_of(name: &str) -> Option<&str> {
    name.strip_prefix(GROUP_PREFIX)
}

fn goes_on<R: ConditionReason>(refusal: &Verdict<R>) -> Verdict<R> {
    let Verdict { reason, message } = refusal;
    Verdict::new(*reason, format!("{message}; until this is mended, what is in force goes on unchanged"))
}
