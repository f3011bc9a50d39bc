//! `VirtualIPGroup`: VIPs that always move together.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use crate::tracking::{HealthCheckReference, TrackedInterface};

/// VirtualIPs that always are on the same node, like a sync group of keepalived: the inside and the outside address of a
/// gateway.
#[derive(CustomResource, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "holdfast.dev",
    version = "v1alpha1",
    kind = "VirtualIPGroup",
    plural = "virtualipgroups",
    singular = "virtualipgroup",
    shortname = "vipgroup",
    category = "holdfast",
    status = "VirtualIPGroupStatus",
    derive = "PartialEq",
    cel
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualIPGroupSpec {
    /// The names of the VirtualIPs: 2 to 64. A VirtualIP is in at most one group.
    #[schemars(length(min = 2, max = 64), inner(length(min = 1, max = 253)))]
    #[x_kube(merge_strategy = ListMerge::Set)]
    pub members: Vec<String>,

    /// Health checks that decide about the whole group, at most 32, beside those of its members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub health_checks: Vec<HealthCheckReference>,

    /// Interfaces that decide about the whole group, at most 32, beside those of its members.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["name".into()]))]
    pub track_interfaces: Vec<TrackedInterface>,
}

/// What Holdfast knows about a VirtualIPGroup.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIPGroupStatus {
    /// The generation of the spec that this status is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// The node that holds all members.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub master: Option<String>,
    /// Scalars for the columns of `kubectl get`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub summary: Option<VirtualIPGroupSummary>,
    /// Accepted and Ready.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["type".into()]))]
    pub conditions: Vec<Condition>,
}

/// Scalars for the columns of `kubectl get virtualipgroups`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct VirtualIPGroupSummary {
    /// The members, separated by commas.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<String>,
    /// The status of the condition Ready.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
}
