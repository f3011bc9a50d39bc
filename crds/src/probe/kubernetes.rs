//! The probe of what Kubernetes says about a node.

use kube::KubeSchema;
use serde::{Deserialize, Serialize};

use crate::condition::ConditionStatus;
use crate::rules;

/// Passes by what Kubernetes says about the node: exactly one of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[x_kube(validation = rules::exactly_one_of(&["service", "nodeCondition"]))]
pub struct KubernetesProbe {
    /// Passes while a Service has a ready endpoint on the node, as externalTrafficPolicy Local needs it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<KubernetesService>,
    /// Passes while a condition of the node has the given status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub node_condition: Option<KubernetesNodeCondition>,
}

/// A Service with a ready endpoint on the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesService {
    /// The namespace of the Service.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::object_name())]
    pub namespace: String,
    /// The name of the Service.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(validation = rules::object_name())]
    pub name: String,
}

/// A condition of the node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KubernetesNodeCondition {
    /// The type of the condition. Default `Ready`.
    #[serde(default = "condition_ready", rename = "type")]
    #[schemars(length(min = 1, max = 316))]
    pub condition_type: String,
    /// The status that passes: `"True"` (default), `"False"` or `"Unknown"`; the quotes keep YAML from reading a boolean.
    #[serde(default)]
    pub status: ConditionStatus,
}

fn condition_ready() -> String {
    "Ready".to_owned()
}
