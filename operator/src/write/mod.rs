//! What is written, when, and what becomes of it.
//!
//! | file | holds |
//! | --- | --- |
//! | `mod.rs` | a write as a value |
//! | `rate.rs` | how often one object is written (pure) |
//! | `queue.rs` | which write is next: newest wins, failures wait, nobody holds up others (pure) |
//! | `failure.rs` | what a failure means for the next attempt (pure) |
//! | `request.rs` | a write as a request |
//! | `writer.rs` | carries writes out |

pub mod failure;
pub mod queue;
mod rate;
mod request;
mod writer;

use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use holdfast_crds::NodeConfigSpec;
use holdfast_plan::Plan;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use serde_json::Value;

use crate::status::{Status, Subject};

pub use self::writer::{Means, Writer, WriterReport};

/// The field manager of everything that the operator writes.
pub const FIELD_MANAGER: &str = "holdfast-operator";

/// A kind of objects that the operator writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Written {
    /// Of these all but the status.
    NodeConfig,
    /// What an agent reads with.
    ServiceAccount,
    /// What an agent may read.
    ClusterRole,
    /// Who may read it.
    ClusterRoleBinding,
    /// A heartbeat, or the Lease of the leader: who owns it is written, and that of a node that is gone is deleted.
    Lease,
    /// The status alone.
    VirtualIPStatus,
    /// Which node is its master, in place of an agent that does not write it: named, or taken back if the node is gone.
    VirtualIPClaim,
    /// The status alone.
    HealthCheckStatus,
    /// The status alone.
    VirtualIPGroupStatus,
}

impl Written {
    /// The word for logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NodeConfig => "NodeConfig",
            Self::ServiceAccount => "ServiceAccount",
            Self::ClusterRole => "ClusterRole",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
            Self::Lease => "Lease",
            Self::VirtualIPStatus => "VirtualIP/status",
            Self::VirtualIPClaim => "VirtualIP/status.master",
            Self::HealthCheckStatus => "HealthCheck/status",
            Self::VirtualIPGroupStatus => "VirtualIPGroup/status",
        }
    }
}

/// The object that a write is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Target {
    /// Its kind.
    pub kind: Written,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.as_str(), self.name)
    }
}

/// What to make of an object.
#[derive(Clone, Debug)]
pub enum Change {
    /// Its NodeConfig as the plan has it. Made into text only when it is sent: a thousand of them may wait.
    NodeConfig {
        /// The plan.
        plan: Arc<Plan>,
        /// Why the node is draining, if it is.
        draining: Option<String>,
        /// Why it was draining by what was seen, if it was.
        was_draining: Option<String>,
        /// Which object was seen, if any.
        uid: Option<String>,
    },
    /// Exactly these fields (server-side apply).
    Apply(Value),
    /// This status.
    Status {
        /// The object with those fields of the status that are written.
        object: Value,
        /// The status.
        status: Box<Status>,
        /// Which object it is.
        subject: Box<Subject>,
    },
    /// With this node as its master.
    Claim {
        /// Which object.
        uid: Option<String>,
        /// The node.
        node: String,
        /// Since when.
        since: Option<Time>,
    },
    /// Without the claim of this node, provided that the node does not exist.
    Release {
        /// Which object.
        uid: Option<String>,
        /// The node that left.
        node: String,
    },
    /// Nothing: delete it, provided that the node does not exist.
    Delete {
        /// Which object.
        uid: Option<String>,
        /// The node that left.
        node: String,
    },
}

/// A write.
#[derive(Clone, Debug)]
pub struct Write {
    /// The object.
    pub target: Target,
    /// What to make of it.
    pub change: Change,
    /// What tells this write from another one of the same object.
    pub stamp: Stamp,
}

/// What is written, and what it was decided by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// A digest of what is written.
    pub digest: u64,
    /// The version of the object that was seen.
    pub seen: Option<String>,
}

impl Change {
    /// The specification that the plan has for a node.
    fn spec<'a>(plan: &'a Plan, node: &str) -> Option<&'a NodeConfigSpec> {
        plan.node_configs.get(node)
    }
}

/// A digest of a value, the same within one process.
pub fn digest(value: &impl serde::Serialize) -> u64 {
    let mut hasher = DefaultHasher::new();
    // What cannot be made into text cannot be sent either: the request will say so.
    serde_json::to_vec(value).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
