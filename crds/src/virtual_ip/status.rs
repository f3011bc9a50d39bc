//! What is known about a VirtualIP: the status, written by the operator and, where it says so, by the master's agent.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::protocol::RouterState;

/// What Holdfast knows about a VirtualIP.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIPStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The virtual router ID in use: 1 to 255.
    #[serde(default, rename = "virtualRouterID", skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 255))]
    pub virtual_router_id: Option<u8>,
    /// The node that holds the addresses. Written by its agent when it becomes master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Since when it holds them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master_since: Option<Time>,
    /// How often any node has become master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transitions: Option<i64>,
    /// The state on each node.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub nodes: Vec<VirtualIPNodeStatus>,
    /// Scalars for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<VirtualIPSummary>,
    /// Accepted, Programmed, Ready, and Degraded (which is bad when true).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// A VirtualIP on one node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIPNodeStatus {
    /// The name of the node.
    pub name: String,
    /// MASTER, BACKUP, FAULT, INIT, or UNKNOWN when its agent is not heard of.
    pub state: RouterState,
    /// The effective priority, weights of the checks included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The interface in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// Since when it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Time>,
    /// Why it is in this state.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Scalars for the columns of `kubectl get virtualips`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIPSummary {
    /// All addresses, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub addresses: Option<String>,
    /// Backups that could take over now, of the backups there should be, such as `1/2`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backups: Option<String>,
    /// The interface of the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interface: Option<String>,
    /// The effective priority of the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u8>,
    /// The reason of the condition that tells most: what is wrong, or why the master is master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
