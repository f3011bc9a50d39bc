//! What a group of virtual routers is told to be: values only, checked where they are built.

use std::net::IpAddr;
use std::time::Duration;

use thiserror::Error;

use crate::types::{AdvertInterval, Family, Priority, Protocol, VirtualRouterId};

/// Virtual routers that move together. A single virtual router is a group of one.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct GroupConfig {
    members: Vec<MemberConfig>,
    /// When to take over from a live master of lower priority.
    pub preemption: Preemption,
    /// What the group's priority and health depend on, in the order of the events that report it.
    pub trackers: Vec<Tracker>,
}

/// One virtual router of a group: one VRID in one address family on one interface.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MemberConfig {
    /// The virtual router ID.
    pub virtual_router_id: VirtualRouterId,
    /// The address family of the adverts and of every address.
    pub family: Family,
    /// Protocol version, and what only this version has.
    pub protocol: Protocol,
    /// The time between two own adverts.
    pub interval: AdvertInterval,
    /// The configured priority, before tracking.
    pub priority: Priority,
    /// The virtual addresses in the order of the advert; at most [`MemberConfig::MAX_ADDRESSES`].
    pub addresses: Vec<IpAddr>,
    /// How adverts reach the other routers. Adverts of peers are obeyed whichever way they come.
    pub transport: Transport,
    /// The source addresses of the routers that may take part; `None` obeys any router.
    pub known_peers: Option<Vec<IpAddr>>,
    /// The highest configured priority among the other routers, where it is known.
    pub rival: Option<Priority>,
    /// How a new master announces its addresses.
    pub announcements: Announcements,
}

/// When a router of higher priority takes over from a live master (RFC 9568 section 6.1, `Preempt_Mode`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Preemption {
    /// Take over, `delay` after the first advert of lower priority was heard.
    Preempt {
        /// Zero takes over as soon as the protocol allows.
        delay: Duration,
    },
    /// Leave a live master alone, whatever its priority.
    Never,
}

/// How adverts reach the other routers.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Transport {
    /// To the group of RFC 9568 section 5.1: 224.0.0.18 or `ff02::12`.
    Multicast,
    /// To each of these addresses. An empty list sends nothing; it never falls back to multicast.
    Unicast(Vec<IpAddr>),
}

/// The schedule of gratuitous ARP and unsolicited neighbour advertisements after a takeover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Announcements {
    /// How often each address is announced after a takeover, at least once.
    pub count: u8,
    /// When the last of them is sent, counted from the takeover. The others come before it, the first at once, ever
    /// further apart: a client that lost the first frame need not wait for the last.
    pub delay: Duration,
    /// The time between two repetitions while master, more than zero; `None` does not repeat.
    pub refresh: Option<Duration>,
}

/// Something that the group depends on, and by how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tracker {
    /// What a change of state does.
    pub weight: Weight,
    /// Swaps the meaning of up and down.
    pub reverse: bool,
}

/// The weight of a tracker: -253..=253, where zero means fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Weight(i16);

/// A configuration that no group can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ConfigError {
    /// A group without a member elects nothing.
    #[error("a group has 1..={max} virtual routers, not {0}", max = GroupConfig::MAX_MEMBERS)]
    Members(usize),
    /// The address count of an advert is one byte.
    #[error("a virtual router has 1..={max} addresses, not {0}", max = MemberConfig::MAX_ADDRESSES)]
    Addresses(usize),
    /// An address of the other family cannot stand in an advert.
    #[error("address {0} is not of the virtual router's family")]
    Family(IpAddr),
    /// VRRPv2 knows IPv4 only.
    #[error("VRRPv2 carries IPv4 addresses only")]
    Version2OverIpv6,
    /// The interval cannot be written into an advert of this version.
    #[error(transparent)]
    Interval(#[from] crate::types::OutOfRange),
    /// Announcements would be repeated without end.
    #[error("announcements cannot be repeated every 0s")]
    Refresh,
    /// A weight outside -253..=253.
    #[error("weight {0} is not within -253..=253")]
    Weight(i32),
}

// === impl GroupConfig ===

impl GroupConfig {
    /// More members than an operator would put into one group.
    pub const MAX_MEMBERS: usize = 255;

    /// A group of these members; checks every one.
    pub fn new(
        members: Vec<MemberConfig>,
        preemption: Preemption,
        trackers: Vec<Tracker>,
    ) -> Result<Self, ConfigError> {
        if members.is_empty() || members.len() > Self::MAX_MEMBERS {
            return Err(ConfigError::Members(members.len()));
        }
        members.iter().try_for_each(MemberConfig::check)?;
        Ok(Self { members, preemption, trackers })
    }

    /// The same for other members.
    pub(crate) fn with_members(&self, members: Vec<MemberConfig>) -> Self {
        Self { members, preemption: self.preemption, trackers: self.trackers.clone() }
    }

    /// The virtual routers of the group, in a fixed order.
    pub fn members(&self) -> &[MemberConfig] {
        &self.members
    }
}

// === impl MemberConfig ===

impl MemberConfig {
    /// The address count field of an advert is one byte.
    pub const MAX_ADDRESSES: usize = 255;

    fn check(&self) -> Result<(), ConfigError> {
        if self.addresses.is_empty() || self.addresses.len() > Self::MAX_ADDRESSES {
            return Err(ConfigError::Addresses(self.addresses.len()));
        }
        if let Some(stranger) = self.addresses.iter().find(|address| Family::of(**address) != self.family) {
            return Err(ConfigError::Family(*stranger));
        }
        if self.announcements.refresh == Some(Duration::ZERO) {
            return Err(ConfigError::Refresh);
        }
        match (self.protocol, self.family) {
            (Protocol::V2 { .. }, Family::Ipv6) => return Err(ConfigError::Version2OverIpv6),
            (Protocol::V2 { .. }, Family::Ipv4) => AdvertInterval::v2(self.interval.get())?,
            (Protocol::V3 { .. }, _) => AdvertInterval::v3(self.interval.get())?,
        };
        Ok(())
    }

    /// Whether adverts travel in another way than in an earlier configuration.
    pub(crate) fn changes_transport(&self, earlier: &Self) -> bool {
        (self.transport == Transport::Multicast) != (earlier.transport == Transport::Multicast)
    }

    /// Whether an advert from this source counts.
    pub(crate) fn obeys(&self, source: IpAddr) -> bool {
        self.known_peers.as_ref().is_none_or(|peers| peers.contains(&source))
    }
}

// === impl Weight ===

impl Weight {
    /// A failure of such a tracker is a fault.
    pub const FAULT: Self = Self(0);

    /// A weight within -253..=253.
    pub fn new(weight: i32) -> Result<Self, ConfigError> {
        i16::try_from(weight)
            .ok()
            .filter(|weight| (-253..=253).contains(weight))
            .map(Self)
            .ok_or(ConfigError::Weight(weight))
    }

    /// The number as configured.
    pub const fn get(self) -> i16 {
        self.0
    }
}

// === impl Announcements ===

impl Default for Announcements {
    /// Five announcements within five seconds, then one a minute.
    fn default() -> Self {
        Self { count: 5, delay: Duration::from_secs(5), refresh: Some(Duration::from_secs(60)) }
    }
}

impl Announcements {
    /// When announcement number `round` (from zero) is due after the takeover; `None` past the last.
    ///
    /// The distances grow with the cube of the round: 0, 78 ms, 625 ms, 2.1 s and 5 s for the defaults.
    pub fn due(&self, round: u8) -> Option<Duration> {
        match (round, self.count.max(1) - 1) {
            (0, _) => Some(Duration::ZERO),
            (round, last) if round <= last => {
                let cube = |number: u8| u32::from(number).pow(3);
                Some(self.delay.saturating_mul(cube(round)) / cube(last))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announcements_spread_from_at_once_to_the_delay() {
        let schedule = Announcements::default();
        let due: Vec<_> = (0..6).map(|round| schedule.due(round).map(|due| due.as_millis())).collect();
        assert_eq!(due, [Some(0), Some(78), Some(625), Some(2109), Some(5000), None]);
    }

    #[test]
    fn a_single_announcement_is_sent_at_once() {
        let schedule = Announcements { count: 1, ..Announcements::default() };
        assert_eq!(schedule.due(0), Some(Duration::ZERO));
        assert_eq!(schedule.due(1), None);
    }

    #[test]
    fn a_weight_stays_within_253() {
        assert!(Weight::new(-254).is_err());
        assert!(Weight::new(254).is_err());
        assert_eq!(Weight::new(-253).map(Weight::get), Ok(-253));
    }
}
