//! What was seen of this node's NodeConfig (pure).

use holdfast_crds::{NodeConfig, NodeConfigSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::core::DeserializeGuard;

use super::failure::Failure;

/// One look at the NodeConfig.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Seen {
    /// It is there.
    Present(Box<LiveNodeConfig>),
    /// It is there, and makes no sense to this agent.
    Unreadable {
        /// Why, with the field.
        error: String,
    },
    /// The API server says that it does not exist.
    Absent,
    /// The API server does not say.
    Failed(Failure),
    /// Nobody may read it for this node: there is no such Node, or its account is gone, which goes with the Node.
    Dismissed(Failure),
}

/// The NodeConfig as it is in the cluster.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct LiveNodeConfig {
    /// Which object and which version of it.
    pub identity: Identity,
    /// What this node must run.
    pub spec: NodeConfigSpec,
    /// The conditions that its status has.
    pub conditions: Vec<Condition>,
}

/// Which object it is, and which version of its spec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Identity {
    /// The UID: another one after it was deleted and made anew.
    pub uid: String,
    /// The generation of the spec.
    pub generation: i64,
}

/// A NodeConfig as the API server tells it. One that cannot be parsed does not break the watch.
pub(super) type Guarded = DeserializeGuard<NodeConfig>;

impl From<Guarded> for Seen {
    fn from(DeserializeGuard(parsed): Guarded) -> Self {
        match parsed {
            Ok(NodeConfig { metadata, spec, status }) => Self::Present(Box::new(LiveNodeConfig {
                identity: Identity {
                    uid: metadata.uid.unwrap_or_default(),
                    generation: metadata.generation.unwrap_or_default(),
                },
                spec,
                conditions: status.map(|status| status.conditions).unwrap_or_default(),
            })),
            Err(invalid) => Self::Unreadable { error: invalid.error },
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn seen(object: Value) -> Seen {
        serde_json::from_value::<Guarded>(object).expect("metadata at least").into()
    }

    #[test]
    fn an_object_is_told_by_its_uid_and_generation() {
        let object = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig",
            "metadata": { "name": "a", "uid": "7f3c", "generation": 4 },
            "spec": { "groups": [{ "name": "web", "virtualIPs": ["web"] }] },
        });
        let Seen::Present(live) = seen(object) else { panic!("it makes sense") };
        assert_eq!(live.identity, Identity { uid: "7f3c".to_owned(), generation: 4 });
        assert_eq!(live.spec.groups[0].name, "web");
    }

    #[test]
    fn one_that_makes_no_sense_is_seen_too_with_the_reason() {
        let object = json!({ "metadata": { "name": "a" }, "spec": { "groups": [{ "name": 7 }] } });
        let Seen::Unreadable { error } = seen(object) else { panic!("it makes no sense") };
        assert!(error.contains("string"), "{error}");
    }
}
