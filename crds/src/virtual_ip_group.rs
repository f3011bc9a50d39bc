//! `VirtualIPGroup`: VIPs that always move together.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::{CustomResource, KubeSchema};
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::rules;
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
    doc = "VirtualIPs that always are on the same node.",
    printcolumn(name = "MEMBERS", type_ = "string", json_path = ".status.summary.members"),
    printcolumn(name = "MASTER", type_ = "string", json_path = ".status.master"),
    printcolumn(name = "READY", type_ = "string", json_path = ".status.conditions[?(@.type==\"Ready\")].status"),
    printcolumn(name = "AGE", type_ = "date", json_path = ".metadata.creationTimestamp"),
    cel
)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VirtualIPGroupSpec {
    /// The names of the VirtualIPs: 2 to 64. A VirtualIP is in at most one group.
    #[schemars(schema_with = "member_list")]
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
}

/// The schema of `members`: rules stand on the item, so that an error names the item.
fn member_list(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array",
        "minItems": 2,
        "maxItems": 64,
        "items": {
            "type": "string",
            "minLength": 1,
            "maxLength": 253,
            "x-kubernetes-validations": [rules::object_name()],
        },
    })
}
