//! What can happen to a simulated world from outside: faults, their ends, and what people do.

use std::time::Duration;

use super::grouping::Grouping;
use super::link::Quality;
use super::setup::{ElectionIndex, NodeIndex};
use crate::config::{Announcements, Preemption};
use crate::tracking::TrackState;
use crate::types::Family;

/// One thing that happens to the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The agent dies without a word. Its addresses stay until their lease ends, or vanish with the node.
    Crash {
        /// Whose.
        node: NodeIndex,
        /// Whether the node dies as well.
        vanish: bool,
    },
    /// The agent starts; one that still runs is killed first.
    Restart {
        /// Whose.
        node: NodeIndex,
    },
    /// The agent is asked to leave.
    Drain {
        /// Whose.
        node: NodeIndex,
    },
    /// The agent is asked to leave at once.
    Abort {
        /// Whose.
        node: NodeIndex,
    },
    /// The agent does not run for a while: its clock goes on, and its socket fills.
    Stall {
        /// Whose.
        node: NodeIndex,
        /// For how long.
        duration: Duration,
    },
    /// The interface goes down or comes up.
    Interface {
        /// Whose.
        node: NodeIndex,
        /// Whether it works from now on.
        up: bool,
    },
    /// The kernel refuses something, or does not any more.
    Refuse {
        /// Whose kernel.
        node: NodeIndex,
        /// What.
        what: Refusal,
        /// Whether it refuses from now on.
        on: bool,
    },
    /// Somebody takes an address off the interface by hand.
    Delete {
        /// Whose interface.
        node: NodeIndex,
        /// Which address.
        address: AddressPlace,
    },
    /// A health check has a new result.
    Track {
        /// On which node.
        node: NodeIndex,
        /// In which election.
        election: ElectionIndex,
        /// The place of the tracker.
        tracker: usize,
        /// Its state from now on.
        state: TrackState,
    },
    /// Somebody changes the configuration.
    Reconfigure {
        /// Of which node.
        node: NodeIndex,
        /// In which election.
        election: ElectionIndex,
        /// What about it.
        change: Change,
    },
    /// Nothing gets from one side of the network to the other.
    Partition {
        /// The nodes on one side.
        side: NodeSet,
        /// Whether packets still get from the other side to this one.
        one_way: bool,
        /// Only packets of this family are stopped, if one is named.
        family: Option<Family>,
    },
    /// All partitions end.
    Mend,
    /// All links have this quality from now on.
    Degrade {
        /// Which.
        quality: Quality,
    },
    /// A machine that is no node sends adverts that are valid in themselves.
    Stranger {
        /// For which virtual router.
        router: RouterPlace,
        /// The last byte of its address.
        host: u8,
        /// What it claims; 0 is a release.
        priority: u8,
        /// Its interval.
        interval: Duration,
        /// How many it sends.
        count: u8,
    },
    /// A machine sends what no receiver may obey.
    Junk {
        /// For which virtual router.
        router: RouterPlace,
        /// What is wrong with it.
        kind: Junk,
    },
    /// A machine that is no node says that it has an address.
    Claim {
        /// Which address.
        address: AddressPlace,
    },
    /// The network gives a node its own packets back, or does not any more.
    Echo {
        /// Which node.
        node: NodeIndex,
        /// Whether it does from now on.
        on: bool,
    },
}

/// A virtual router of an election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RouterPlace {
    /// The election.
    pub election: ElectionIndex,
    /// The place of the virtual router in it.
    pub member: u8,
}

/// A virtual address of an election.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AddressPlace {
    /// The virtual router that has it.
    pub router: RouterPlace,
    /// Its place in the list.
    pub place: u8,
}

/// What a kernel can refuse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Refusal {
    /// To send packets.
    #[default]
    Send,
    /// To add addresses.
    Add,
    /// To remove addresses.
    Remove,
}

/// What a new configuration changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// The priority.
    Priority(u8),
    /// The advertisement interval.
    Interval(Duration),
    /// Whether to preempt.
    Preemption(Preemption),
    /// How many of the addresses there are.
    Addresses(u8),
    /// Whether adverts go to each node's address.
    Unicast(bool),
    /// Which virtual routers the node has, and which of them move together.
    Grouping(Grouping),
    /// The weight of the first tracker.
    Weight(i32),
    /// How takeovers are announced.
    Announcements(Announcements),
}

/// What can be wrong with a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Junk {
    /// It is not an IP packet.
    #[default]
    Noise,
    /// It ends early.
    Truncated,
    /// It goes on after its end.
    TrailingBytes,
    /// It was forwarded by a router.
    HopLimit,
    /// It is of the other protocol version.
    Version,
    /// It is no advertisement.
    Type,
    /// Its checksum is wrong.
    Checksum,
    /// It carries no password, or a wrong one (VRRPv2); its interval is zero (VRRPv3).
    Authentication,
    /// It is for another virtual router.
    OtherRouter,
}

/// Some of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeSet(u32);

// === impl Junk ===

impl Junk {
    /// Everything that can be wrong.
    pub const ALL: [Self; 9] = [
        Self::Noise,
        Self::Truncated,
        Self::TrailingBytes,
        Self::HopLimit,
        Self::Version,
        Self::Type,
        Self::Checksum,
        Self::Authentication,
        Self::OtherRouter,
    ];
}

// === impl NodeSet ===

impl NodeSet {
    /// The nodes below `count`.
    pub fn first(count: usize) -> Self {
        (0..count).collect()
    }

    /// Whether a node is one of them.
    pub const fn contains(self, node: NodeIndex) -> bool {
        node < 32 && self.0 & (1 << node) != 0
    }

    /// The nodes, in order.
    pub fn iter(self) -> impl Iterator<Item = NodeIndex> {
        (0..32).filter(move |node| self.contains(*node))
    }

    /// How many there are.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<NodeIndex> for NodeSet {
    fn from_iter<T: IntoIterator<Item = NodeIndex>>(nodes: T) -> Self {
        Self(nodes.into_iter().filter(|node| *node < 32).fold(0, |set, node| set | 1 << node))
    }
}
