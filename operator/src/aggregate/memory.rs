//! What is remembered from one aggregation to the next: durations that no status holds. It is made anew each time from what
//! still exists, so it cannot grow.
//!
//! Losing it is harmless: what a status says already is taken from there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_crds::{HealthCheckStatus, VirtualIPGroupStatus, VirtualIPStatus};

/// What is remembered. Times are those of the monotonic clock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Memory {
    pub(super) elections: BTreeMap<String, Election>,
    /// Since when nodes whose agents are heard of have not carried out the newest NodeConfig.
    pub(super) behind: BTreeMap<String, Duration>,
    /// The nodes whose agents were silent when the operator began, and still are; none before the first look.
    pub(super) silent: Option<BTreeSet<String>>,
    /// The statuses of objects of which no version could ever be read: nobody can tell what the API server has.
    pub(super) unread: Unread,
}

/// The last statuses of objects that cannot be read at all, by name.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Unread {
    pub(super) virtual_ips: BTreeMap<String, VirtualIPStatus>,
    pub(super) health_checks: BTreeMap<String, HealthCheckStatus>,
    pub(super) groups: BTreeMap<String, VirtualIPGroupStatus>,
}

/// What is remembered of a `VirtualIP`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Election {
    /// Which object it is: another one of the same name begins anew.
    pub(super) uid: Option<String>,
    /// The claims of the nodes that claim to be master.
    pub(super) claims: BTreeMap<String, Claim>,
    /// Whether several nodes hold the addresses.
    pub(super) split_brain: bool,
    /// The node that was master last. None once nobody was.
    pub(super) master: Option<String>,
    /// How often a node has become master.
    pub(super) transitions: i64,
    /// The master, if the `VirtualIP` does not name it.
    pub(super) unnamed: Option<Unnamed>,
}

/// A node is master, and the `VirtualIP` does not say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unnamed {
    /// The node.
    pub(super) node: String,
    /// Since when that is known.
    pub(super) since: Duration,
}

/// A node claims to be master.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// When the claim will have lasted, or has lasted, as long as an election takes.
    pub(super) ripe: Duration,
    /// When the node was first heard of while another claim was ripe too.
    pub(super) heard: Option<Duration>,
}
