//! `VirtualIPs` that cannot be read, because they were stored under another schema: they go on as the `NodeConfigs` have
//! them, with everything that moves with them. What nobody can read must not take an address away.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use holdfast_crds::condition::{AcceptedReason, GroupAcceptedReason};
use holdfast_crds::{NodeConfig, NodeConfigSpec, VirtualIP, VirtualIPGroup, VirtualRouter};

use crate::Plan;
use crate::accept::name_of;
use crate::verdict::{Verdict, VirtualIPVerdict};

/// What is copied from the `NodeConfigs` instead of being planned.
pub(crate) struct Retained<'a> {
    earlier: &'a [NodeConfig],
    /// The names of the groups in the `NodeConfigs`.
    groups: BTreeSet<&'a str>,
    virtual_ips: BTreeSet<&'a str>,
}

impl<'a> Retained<'a> {
    pub(crate) fn of(unreadable: &'a [String], earlier: &'a [NodeConfig]) -> Self {
        let unreadable: BTreeSet<&str> = unreadable.iter().map(String::as_str).collect();
        let touched = |names: &[String]| names.iter().any(|name| unreadable.contains(name.as_str()));
        let groups = earlier.iter().flat_map(|config| &config.spec.groups);
        let groups: Vec<_> = groups.filter(|group| touched(&group.virtual_ips)).collect();
        Self {
            earlier,
            virtual_ips: groups.iter().flat_map(|group| &group.virtual_ips).map(String::as_str).collect(),
            groups: groups.iter().map(|group| group.name.as_str()).collect(),
        }
    }

    pub(crate) fn is_planned(&self, virtual_ip: &VirtualIP) -> bool {
        !self.virtual_ips.contains(name_of(&virtual_ip.metadata))
    }

    /// Whether a `VirtualIPGroup` is planned. One that is retained is named after it in the `NodeConfigs`.
    pub(crate) fn is_planned_group(&self, group: &VirtualIPGroup) -> bool {
        !self.groups.contains(format!("group/{}", name_of(&group.metadata)).as_str())
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
            let accepted = Verdict::new(
                AcceptedReason::Accepted,
                "The VirtualIP is valid; it goes on unchanged as long as another member of its group cannot be read",
            );
            let virtual_router_id =
                self.routers().find(|router| router.virtual_ip == name).map(|router| router.virtual_router_id);
            plan.virtual_ips.insert(name.to_owned(), VirtualIPVerdict { accepted, virtual_router_id });
        }
        for group in groups.iter().filter(|group| !self.is_planned_group(group)) {
            let message = "spec.members: a member cannot be read; the group goes on unchanged";
            let verdict = Verdict::new(GroupAcceptedReason::MemberNotAccepted, message);
            plan.groups.insert(name_of(&group.metadata).to_owned(), verdict);
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
