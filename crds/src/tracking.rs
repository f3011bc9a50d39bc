//! What an election watches: health checks and interfaces, and what their failure costs.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::rules;

/// Lets a HealthCheck decide about a VIP.
///
/// Weight 0: while the check fails, the node is in FAULT and cannot hold the VIP. A positive weight is added to the
/// priority while the check passes; a negative one is subtracted while it fails. The sum is kept within 1..254.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HealthCheckReference {
    /// The name of the HealthCheck.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// Overrides the weight of the HealthCheck: -253 to 253.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = -253, max = 253))]
    pub weight: Option<i32>,
    /// Turns the result around: passing counts as failing. Default false.
    #[serde(default)]
    pub reverse: bool,
}

/// Lets a health check decide about a group, as in a VirtualIP, with its weight resolved.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct TrackedHealthCheck {
    /// The name of the HealthCheck.
    #[schemars(length(min = 1, max = 253))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
    /// What the check adds or subtracts: -253 to 253; 0 makes its failure a FAULT.
    #[schemars(range(min = -253, max = 253))]
    pub weight: i32,
    /// Whether passing counts as failing.
    #[serde(default)]
    pub reverse: bool,
}

/// Lets an interface decide about a VIP: it passes while it is up and has carrier.
///
/// The interface of the VIP itself is always watched, with weight 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TrackedInterface {
    /// The name of the interface on the node, such as `eth1`; at most 15 characters.
    #[schemars(length(min = 1, max = 15))]
    #[x_kube(validation = rules::interface_name())]
    pub name: String,
    /// What the interface adds or subtracts: -253 to 253. Default 0: a lost interface is a FAULT.
    #[serde(default)]
    #[schemars(range(min = -253, max = 253))]
    pub weight: i32,
    /// Turns the result around: an interface that is up counts as failing. Default false.
    #[serde(default)]
    pub reverse: bool,
}
