//! What this node must run, resolved: the one form in which the control side hands work to the election thread and to
//! the health checks. Values only.
//!
//! `translate.rs` makes it from a `NodeConfig`; nothing behind this point knows Kubernetes.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use holdfast_vrrp::{Family, GroupConfig};
use serde::{Deserialize, Serialize};

/// Everything that this node must run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Desired {
    /// The groups of virtual routers, by name. They are shared: who runs them and who shows them see the same ones.
    pub groups: Vec<Arc<DesiredGroup>>,
}

/// One election unit: virtual routers that move together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredGroup {
    /// The name of the group in the `NodeConfig`: unique on the node.
    pub name: String,
    /// What belongs to each member of `config` beside the protocol, in the same order.
    pub routers: Vec<DesiredRouter>,
    /// The protocol's part.
    pub config: GroupConfig,
    /// Where the state of each tracker of `config` comes from, in the same order.
    pub trackers: Vec<TrackerSource>,
}

/// A virtual router, beside what the protocol knows of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DesiredRouter {
    /// The name of the virtual router in the `NodeConfig`: unique on the node.
    pub name: String,
    /// The `VirtualIP` that it belongs to.
    pub virtual_ip: String,
    /// The address family.
    pub family: Family,
    /// Where it runs.
    pub interface: InterfaceChoice,
    /// The virtual addresses, in the order of the configuration, with the prefix length to be set on the interface.
    pub addresses: Vec<DesiredAddress>,
    /// When its addresses fall silent if the agent does.
    pub fencing: Fencing,
}

/// When addresses fall silent if the agent is dead or stuck while the node lives on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Fencing {
    /// Soon after another node has taken over: nothing is lost.
    #[default]
    Overlap,
    /// Before another node can take over: there are never two holders.
    Strict,
    /// When their kernel lifetime ends.
    None,
}

impl Desired {
    /// Takes the groups that are the same from `earlier`, so that they are not kept twice.
    pub fn share(&mut self, earlier: &Self) {
        let earlier: HashMap<&str, &Arc<DesiredGroup>> =
            earlier.groups.iter().map(|group| (group.name.as_str(), group)).collect();
        for group in &mut self.groups {
            if let Some(same) = earlier.get(group.name.as_str()).filter(|same| **same == group) {
                *group = Arc::clone(same);
            }
        }
    }
}

impl FromIterator<DesiredGroup> for Desired {
    fn from_iter<I: IntoIterator<Item = DesiredGroup>>(groups: I) -> Self {
        Self { groups: groups.into_iter().map(Arc::new).collect() }
    }
}

/// What a takeover may need on a busy machine. With the ticks of the kernel no more than 50 ms.
const TAKEOVER: Duration = Duration::from_millis(40);

impl Fencing {
    /// For how long an advert keeps the addresses alive, by the interval of the adverts. A backup takes over when it has heard
    /// none for three intervals and its skew time, which is less than one (RFC 9568, section 6.1), and what it needs to add
    /// and announce the addresses.
    pub fn timeout(self, interval: Duration) -> Option<Duration> {
        match self {
            Self::Overlap => Some(interval.saturating_mul(4) + TAKEOVER),
            Self::Strict => Some(interval.saturating_mul(5) / 2),
            Self::None => None,
        }
    }
}

/// For how long a release, an advert of priority 0, keeps the addresses alive: as long as they are held for a successor,
/// which is given by that bound. Whoever leaves in order answers until it is sure that another does.
pub fn release_timeout(bound: Duration) -> Duration {
    bound + TAKEOVER
}

/// A virtual address as it stands on the interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DesiredAddress {
    /// The address.
    pub address: IpAddr,
    /// The prefix length: 32 or 128 unless configured otherwise.
    pub prefix_length: u8,
}

/// How a virtual router finds its interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum InterfaceChoice {
    /// The interface of this name, whenever there is one.
    Named(String),
    /// The interface that has an address in the same subnet.
    HoldingSubnetOf(IpAddr),
}

/// Where the state of a tracker comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum TrackerSource {
    /// The health check of this name.
    HealthCheck(String),
    /// Whether the interface of this name is up.
    Interface(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::election::test_groups::vip_group;

    #[test]
    fn groups_that_stay_the_same_are_kept_once() {
        let earlier: Desired = [vip_group("a", 51), vip_group("b", 52)].into_iter().collect();
        let mut desired: Desired = [vip_group("b", 52), vip_group("a", 53)].into_iter().collect();
        let expected = desired.clone();
        desired.share(&earlier);
        assert_eq!(desired, expected);
        assert!(Arc::ptr_eq(&desired.groups[0], &earlier.groups[1]));
    }
}
