//! What is kept of each kind, and what its changes concern.

use holdfast_crds::{HealthCheck, NodeConfig, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, NodeSpec, NodeStatus, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::store::{Cached, Difference};

/// A copy of the whole object, which `kubectl apply` leaves.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

fn trim_metadata(metadata: &mut ObjectMeta) {
    metadata.managed_fields = None;
    if let Some(annotations) = &mut metadata.annotations {
        annotations.remove(LAST_APPLIED);
    }
}

/// Whether the same is asked for. Generation and resource version are no wish of anybody.
fn same_wishes(one: &ObjectMeta, other: &ObjectMeta) -> bool {
    one.labels == other.labels && one.annotations == other.annotations
}

/// What users write: the spec concerns everything, a status only the statuses.
macro_rules! cached_with_status {
    ($($kind:ident),+) => {
        $(impl Cached for $kind {
            fn trim(&mut self) {
                trim_metadata(&mut self.metadata);
            }

            fn difference(&self, earlier: &Self) -> Difference {
                if self.spec != earlier.spec || !same_wishes(&self.metadata, &earlier.metadata) {
                    return Difference::ALL;
                }
                let same = self.status == earlier.status && self.metadata.generation == earlier.metadata.generation;
                if same { Difference::NONE } else { Difference::STATUS }
            }
        })+
    };
}

cached_with_status!(VirtualIP, HealthCheck, VirtualIPGroup);

impl Cached for NodeConfig {
    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
    }

    fn difference(&self, earlier: &Self) -> Difference {
        let interfaces = |config: &Self| config.status.as_ref().map(|status| status.interfaces.clone());
        if self.spec != earlier.spec
            || !same_wishes(&self.metadata, &earlier.metadata)
            // The addresses of peers come from here.
            || interfaces(self) != interfaces(earlier)
        {
            return Difference::ALL;
        }
        let same = self.status == earlier.status && self.metadata.generation == earlier.metadata.generation;
        if same { Difference::NONE } else { Difference::STATUS }
    }
}

impl Cached for Node {
    /// Of a node little matters, and its images alone may take 50 kB.
    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
        self.metadata.annotations = None;
        self.metadata.generation = None;
        if let Some(spec) = self.spec.take() {
            self.spec =
                Some(NodeSpec { taints: spec.taints, unschedulable: spec.unschedulable, ..NodeSpec::default() });
        }
        if let Some(status) = self.status.take() {
            let conditions = status.conditions.map(|mut conditions| {
                conditions.retain(|condition| condition.type_ == "Ready");
                for condition in &mut conditions {
                    condition.last_heartbeat_time = None;
                }
                conditions
            });
            self.status = Some(NodeStatus { addresses: status.addresses, conditions, ..NodeStatus::default() });
        }
    }

    fn difference(&self, earlier: &Self) -> Difference {
        let same = self.metadata.labels == earlier.metadata.labels
            && self.spec == earlier.spec
            && self.status == earlier.status;
        if same { Difference::NONE } else { Difference::ALL }
    }
}

impl Cached for Lease {
    fn trim(&mut self) {
        trim_metadata(&mut self.metadata);
        self.metadata.annotations = None;
    }

    /// What leases say is a matter of time: see [`Heartbeats`](crate::heartbeat::Heartbeats).
    fn difference(&self, earlier: &Self) -> Difference {
        let same = self.metadata.owner_references == earlier.metadata.owner_references;
        if same { Difference::NONE } else { Difference { plan: true, status: false } }
    }
}

/// What the agents read with: it is compared when the plan is carried out.
macro_rules! cached_access {
    ($($kind:ident: $($field:ident),*;)+) => {
        $(impl Cached for $kind {
            fn trim(&mut self) {
                trim_metadata(&mut self.metadata);
            }

            fn difference(&self, earlier: &Self) -> Difference {
                let same = self.metadata.labels == earlier.metadata.labels
                    && self.metadata.owner_references == earlier.metadata.owner_references
                    $(&& self.$field == earlier.$field)*;
                if same { Difference::NONE } else { Difference { plan: true, status: false } }
            }
        })+
    };
}

cached_access! {
    ServiceAccount:;
    ClusterRole: rules;
    ClusterRoleBinding: role_ref, subjects;
}

#[cfg(test)]
mod tests {
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;

    fn read<K: Cached + DeserializeOwned>(object: Value) -> K {
        let mut object: K = serde_json::from_value(object).unwrap();
        object.trim();
        object
    }

    fn node(labels: &Value, heartbeat: &str, address: &str) -> Node {
        read(json!({
            "metadata": { "name": "a", "resourceVersion": heartbeat, "labels": labels, "annotations": { "beat": heartbeat } },
            "spec": { "podCIDR": "10.0.0.0/24" },
            "status": {
                "addresses": [{ "type": "InternalIP", "address": address }],
                "conditions": [
                    { "type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:00:00Z" },
                    { "type": "DiskPressure", "status": "False", "reason": heartbeat },
                ],
                "images": [{ "names": [heartbeat] }],
            },
        }))
    }

    #[test]
    fn of_a_node_only_what_is_read_counts() {
        let earlier = node(&json!({ "rack": "1" }), "1", "192.0.2.1");
        assert_eq!(node(&json!({ "rack": "1" }), "2", "192.0.2.1").difference(&earlier), Difference::NONE);
        assert_eq!(node(&json!({ "rack": "2" }), "1", "192.0.2.1").difference(&earlier), Difference::ALL);
        assert_eq!(node(&json!({ "rack": "1" }), "1", "192.0.2.2").difference(&earlier), Difference::ALL);
    }

    fn config(generation: i64, annotation: &str, interface: &str, master: i32) -> NodeConfig {
        read(json!({
            "metadata": { "name": "a", "generation": generation, "annotations": { "note": annotation } },
            "spec": {},
            "status": { "interfaces": [{ "name": interface, "up": true }], "summary": { "master": master } },
        }))
    }

    #[test]
    fn a_report_of_an_agent_concerns_the_plan_only_if_addresses_of_peers_may_have_changed() {
        let earlier = config(1, "x", "eth0", 1);
        for (later, difference) in [
            (config(1, "x", "eth0", 1), Difference::NONE),
            (config(1, "x", "eth0", 2), Difference::STATUS),
            (config(2, "x", "eth0", 1), Difference::STATUS),
            (config(1, "x", "eth1", 1), Difference::ALL),
            (config(1, "y", "eth0", 1), Difference::ALL),
        ] {
            assert_eq!(later.difference(&earlier), difference, "{later:?}");
        }
    }
}
