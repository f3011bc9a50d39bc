//! What a simulated world consists of before anything happens: plain values, as a script writes them down.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use thiserror::Error;

use super::clock::Clock;
use super::grouping::{Grouping, MemberNumber};
use super::link::Quality;
use crate::config::{Announcements, ConfigError, GroupConfig, MemberConfig, Preemption, Tracker, Transport, Weight};
use crate::types::{AdvertInterval, Family, Ipv4Checksum, OutOfRange, Password, Priority, Protocol, VirtualRouterId};

/// The place of a node in its world, from zero.
pub type NodeIndex = usize;

/// The place of an election in its world, from zero. Each node takes part in each election, with one group or several.
pub type ElectionIndex = usize;

/// A world: nodes on one LAN, and the elections that they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// The seed of everything that happens by itself: losses, delays, late wake-ups.
    pub seed: u64,
    /// What all nodes' drivers have in common.
    pub driver: DriverSetup,
    /// The quality of every link until a step changes it.
    pub quality: Quality,
    /// What is elected.
    pub elections: Vec<ElectionSetup>,
    /// Who takes part.
    pub nodes: Vec<NodeSetup>,
}

/// How well the drivers do their work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverSetup {
    /// The longest time from the moment at which a driver should wake to the one at which it does.
    pub lateness: Duration,
    /// How many packets a node's socket holds; more are lost.
    pub queue: usize,
    /// How long the kernel keeps an address that nobody renews.
    pub lease: Duration,
    /// Whether all events of a wake-up are handled before the first action is carried out.
    pub batch: bool,
    /// How long the kernel takes to report that it refused an address.
    pub report_delay: Duration,
}

/// One election: virtual routers that may move together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ElectionSetup {
    /// The protocol version and what belongs to it.
    pub protocol: Protocol,
    /// Whether the nodes know each other's addresses and obey nobody else.
    pub peers_known: bool,
    /// The address family of each virtual router.
    pub members: Vec<Family>,
}

/// A machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeSetup {
    /// Its clock.
    pub clock: Clock,
    /// The last byte of its IPv4 address.
    pub ipv4_host: u8,
    /// The last byte of its IPv6 link-local address.
    pub ipv6_host: u8,
    /// What it contributes to each election.
    pub instances: Vec<InstanceSetup>,
}

/// What one node contributes to one election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstanceSetup {
    /// Which virtual routers the node has, and which of them move together.
    pub grouping: Grouping,
    /// 1..=255.
    pub priority: u8,
    /// The advertisement interval of every member.
    pub interval: Duration,
    /// Whether to take over from a live master.
    pub preemption: Preemption,
    /// Whether the node is told the highest priority of the others.
    pub rival_known: bool,
    /// Whether adverts go to each node's address instead of to the group.
    pub unicast: bool,
    /// How many of the election's addresses each member has: 1..=[`MAXIMUM_ADDRESSES`].
    pub addresses: u8,
    /// How a takeover is announced.
    pub announcements: Announcements,
    /// What the priority depends on.
    pub trackers: Vec<Tracker>,
}

/// A group that a node has, and which virtual routers of the election its members are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupSetup {
    /// The number of each member in the election.
    pub numbers: Vec<MemberNumber>,
    /// What the group is configured to be.
    pub config: GroupConfig,
}

/// As many addresses as one member of a simulated election can have.
pub const MAXIMUM_ADDRESSES: u8 = 4;

/// A setup that cannot be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SetupError {
    /// A node or an election that is not there.
    #[error("there is no node {0} or no election {1}")]
    NotThere(NodeIndex, ElectionIndex),
    /// A number of the protocol is out of range.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
    /// The group cannot be configured.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

// === impl Setup ===

impl Setup {
    /// The configurations of a node's groups in an election.
    pub fn group_configs(&self, node: NodeIndex, election: ElectionIndex) -> Result<Vec<GroupSetup>, SetupError> {
        let instance = self.instance(node, election).ok_or(SetupError::NotThere(node, election))?;
        let group = |numbers: Vec<MemberNumber>| {
            let members = numbers.iter().map(|number| self.member_config(node, election, *number));
            let members: Result<Vec<_>, SetupError> = members.collect();
            let config = GroupConfig::new(members?, instance.preemption, instance.trackers.clone())?;
            Ok(GroupSetup { numbers, config })
        };
        instance.grouping.groups().into_iter().map(group).collect()
    }

    fn member_config(
        &self,
        node: NodeIndex,
        election: ElectionIndex,
        member: MemberNumber,
    ) -> Result<MemberConfig, SetupError> {
        let missing = SetupError::NotThere(node, election);
        let shared = self.elections.get(election).ok_or(missing)?;
        let instance = self.instance(node, election).ok_or(missing)?;
        let family = *shared.members.get(usize::from(member)).ok_or(missing)?;
        let peers: Vec<IpAddr> =
            (0..).zip(&self.nodes).filter(|(other, _)| *other != node).map(|(_, other)| other.source(family)).collect();
        Ok(MemberConfig {
            virtual_router_id: shared.virtual_router_id(election, member)?,
            family,
            protocol: shared.protocol,
            interval: shared.interval(instance.interval)?,
            priority: Priority::new(instance.priority)?,
            addresses: (0..instance.addresses).map(|place| virtual_address(election, member, family, place)).collect(),
            transport: if instance.unicast { Transport::Unicast(peers.clone()) } else { Transport::Multicast },
            known_peers: shared.peers_known.then_some(peers),
            rival: self.rival(node, election, instance)?,
            announcements: instance.announcements,
        })
    }

    /// The highest configured priority of the other nodes, if the node is told.
    fn rival(
        &self,
        node: NodeIndex,
        election: ElectionIndex,
        instance: &InstanceSetup,
    ) -> Result<Option<Priority>, OutOfRange> {
        let others = (0..self.nodes.len()).filter(|other| *other != node);
        let highest = others.filter_map(|other| self.instance(other, election)).map(|other| other.priority).max();
        highest.filter(|_| instance.rival_known).map(Priority::new).transpose()
    }

    /// What a node contributes to an election.
    pub fn instance(&self, node: NodeIndex, election: ElectionIndex) -> Option<&InstanceSetup> {
        self.nodes.get(node)?.instances.get(election)
    }

    /// The longest advertisement interval of all.
    pub fn longest_interval(&self) -> Duration {
        let instances = self.nodes.iter().flat_map(|node| &node.instances);
        instances.map(|instance| instance.interval).max().unwrap_or_default()
    }
}

// === impl ElectionSetup ===

impl ElectionSetup {
    /// `VRRPv3` with the usual checksum.
    pub const V3: Protocol = Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader };

    /// `VRRPv2` with or without simple text authentication.
    pub fn v2(with_password: bool) -> Protocol {
        Protocol::V2 { password: Password::new(b"secret12").ok().filter(|_| with_password) }
    }

    /// The virtual router ID of a member. Members of different families share one.
    pub fn virtual_router_id(&self, election: ElectionIndex, member: u8) -> Result<VirtualRouterId, OutOfRange> {
        let family = self.members.get(usize::from(member));
        let rank = self.members.iter().take(usize::from(member)).filter(|other| Some(*other) == family).count();
        VirtualRouterId::new(u8::try_from(51 + election * 8 + rank).unwrap_or_default())
    }

    /// An interval that the election's protocol can carry.
    pub fn interval(&self, interval: Duration) -> Result<AdvertInterval, OutOfRange> {
        match self.protocol {
            Protocol::V2 { .. } => AdvertInterval::v2(interval),
            Protocol::V3 { .. } => AdvertInterval::v3(interval),
        }
    }
}

// === impl NodeSetup ===

impl NodeSetup {
    /// The source address of the node's adverts.
    pub fn source(&self, family: Family) -> IpAddr {
        match family {
            Family::Ipv4 => Ipv4Addr::new(10, 77, 0, self.ipv4_host).into(),
            Family::Ipv6 => Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, u16::from(self.ipv6_host)).into(),
        }
    }
}

/// An address that an election is about.
pub(super) fn virtual_address(election: ElectionIndex, member: u8, family: Family, place: u8) -> IpAddr {
    let election = u8::try_from(election).unwrap_or_default();
    match family {
        Family::Ipv4 => Ipv4Addr::new(10, 77, 100 + election, member * 16 + place + 1).into(),
        Family::Ipv6 => {
            let [election, member, place] = [election, member, place + 1].map(u16::from);
            Ipv6Addr::new(0xfd77, 0, 0, 0, 0, election, member, place).into()
        }
    }
}

/// A tracker of this weight; weights beyond the allowed range count as 0.
pub(super) fn tracker(weight: i32, reverse: bool) -> Tracker {
    Tracker { weight: Weight::new(weight).unwrap_or(Weight::FAULT), reverse }
}
