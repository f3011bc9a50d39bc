//! Which `NodeConfigs` must be written for the plan to be in force. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use holdfast_crds::NodeConfig;
use holdfast_plan::Plan;
use k8s_openapi::api::core::v1::Node;
use kube::{Resource, ResourceExt};

use crate::drain::{self, Draining};
use crate::events::{News, Severity};
use crate::world::Store;
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The writes: `NodeConfigs` that differ from the plan, and those whose nodes have left.
pub fn writes(
    seen: &Store<NodeConfig>,
    nodes: &Store<Node>,
    plan: &Arc<Plan>,
    draining: &BTreeMap<String, Draining>,
) -> Vec<Write> {
    let planned = plan.node_configs.iter().filter_map(|(name, spec)| {
        let reason = draining.get(name).map(ToString::to_string);
        let found = seen.get(name);
        let unreadable = seen.unreadable().get(name);
        let is_right = unreadable.is_none()
            && found.is_some_and(|found| found.spec == *spec && reason_of(found) == reason.as_deref());
        let version = unreadable.map_or_else(
            || found.and_then(|found| found.metadata.resource_version.clone()),
            |unreadable| unreadable.resource_version.clone(),
        );
        let was_draining = found.and_then(reason_of).map(str::to_owned);
        (!is_right).then(|| Write {
            target: Target { kind: Written::NodeConfig, name: name.clone() },
            stamp: Stamp { digest: digest(&(spec, &reason)), seen: version },
            change: Change::NodeConfig {
                plan: Arc::clone(plan),
                draining: reason,
                was_draining,
                uid: found.and_then(ResourceExt::uid),
            },
        })
    });
    let left = seen.objects().iter().filter(|config| {
        let name = config.name_any();
        !nodes.contains(&name) && !plan.node_configs.contains_key(&name)
    });
    planned.chain(left.map(|config| delete(Written::NodeConfig, config, config.name_any()))).collect()
}

/// Deletes an object that was made for a node which has left.
pub fn delete(kind: Written, object: &impl Resource, node: String) -> Write {
    let metadata = object.meta();
    Write {
        target: Target { kind, name: metadata.name.clone().unwrap_or_default() },
        stamp: Stamp { digest: digest(&"delete"), seen: metadata.resource_version.clone() },
        change: Change::Delete { uid: metadata.uid.clone(), node },
    }
}

/// Why the node was said to be draining.
pub fn reason_of(config: &NodeConfig) -> Option<&str> {
    config.metadata.annotations.as_ref()?.get(drain::ANNOTATION).map(String::as_str)
}

/// What there is to tell once a NodeConfig was written: that a drain has begun or is over.
pub fn news(write: &Write) -> Option<News> {
    let Change::NodeConfig { draining, was_draining, uid, .. } = &write.change else { return None };
    let (reason, note) = match (was_draining, draining) {
        (None, Some(reason)) => ("Draining", format!("The node is being emptied, its addresses leave it: {reason}")),
        (Some(reason), None) => ("DrainEnded", format!("The node is not emptied any more ({reason} before)")),
        _ => return None,
    };
    let name = write.target.name.clone();
    let (uid, severity) = (uid.clone(), Severity::Normal);
    Some(News { kind: "NodeConfig".to_owned(), name, uid, severity, reason, action: "Plan", note })
}

#[cfg(test)]
mod tests {
    use holdfast_crds::{NodeConfigSpec, PeerSet};
    use kube::core::DeserializeGuard;
    use kube::runtime::watcher::Event;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::world::Cached;

    fn store<K: Cached + DeserializeOwned>(objects: &[Value]) -> Store<K> {
        let mut store = Store::default();
        for object in objects {
            let object: DeserializeGuard<K> = serde_json::from_value(object.clone()).unwrap();
            store.apply(Event::Apply(object));
        }
        store
    }

    fn spec(set: &str) -> NodeConfigSpec {
        let peer_sets = vec![PeerSet { name: set.to_owned(), peers: Vec::new() }];
        NodeConfigSpec { peer_sets, ..NodeConfigSpec::default() }
    }

    fn config(name: &str, spec: &NodeConfigSpec, annotations: &Value) -> Value {
        json!({ "metadata": { "name": name, "resourceVersion": "7", "uid": "u", "annotations": annotations }, "spec": spec })
    }

    fn plan(specs: &[(&str, NodeConfigSpec)]) -> Arc<Plan> {
        let node_configs = specs.iter().map(|(name, spec)| ((*name).to_owned(), spec.clone())).collect();
        Arc::new(Plan { node_configs, ..Plan::default() })
    }

    fn node(name: &str) -> Value {
        json!({ "metadata": { "name": name } })
    }

    fn names(writes: &[Write]) -> Vec<(&str, bool)> {
        let deletes = |write: &Write| matches!(write.change, Change::Delete { .. });
        writes.iter().map(|write| (write.target.name.as_str(), deletes(write))).collect()
    }

    #[test]
    fn only_what_differs_is_written() {
        let seen = store(&[
            config("right", &spec("x"), &json!({})),
            config("wrong", &spec("y"), &json!({})),
            json!({ "metadata": { "name": "unreadable" }, "spec": { "virtualRouters": 1 } }),
        ]);
        let nodes = store(&[node("right"), node("wrong"), node("missing"), node("unreadable")]);
        let plan =
            plan(&[("right", spec("x")), ("wrong", spec("x")), ("missing", spec("x")), ("unreadable", spec("x"))]);
        let writes = writes(&seen, &nodes, &plan, &BTreeMap::new());
        assert_eq!(names(&writes), [("missing", false), ("unreadable", false), ("wrong", false)]);
        let versions: Vec<_> = writes.iter().map(|write| write.stamp.seen.as_deref()).collect();
        assert_eq!(versions, [None, None, Some("7")]);
    }

    #[test]
    fn a_drain_is_noted_and_its_end_too() {
        let seen = store(&[
            config("begins", &spec("x"), &json!({})),
            config("goes-on", &spec("x"), &json!({ "holdfast.dev/draining": "pods are evicted" })),
            config("ends", &spec("x"), &json!({ "holdfast.dev/draining": "pods are evicted" })),
        ]);
        let names_of = ["begins", "goes-on", "ends"];
        let nodes = store(&names_of.map(node));
        let plan = plan(&names_of.map(|name| (name, spec("x"))));
        let draining = ["begins", "goes-on"].map(|name| (name.to_owned(), Draining::Evictions)).into();
        let writes = writes(&seen, &nodes, &plan, &draining);
        assert_eq!(names(&writes), [("begins", false), ("ends", false)]);
        let told = |write| news(write).map(|news| (news.name, news.reason));
        let told: Vec<_> = writes.iter().filter_map(told).collect();
        assert_eq!(told, [("begins".to_owned(), "Draining"), ("ends".to_owned(), "DrainEnded")]);
    }

    #[test]
    fn the_config_of_a_node_that_left_is_deleted_and_no_other_of_that_name() {
        let seen = store(&[config("left", &spec("x"), &json!({})), config("there", &spec("x"), &json!({}))]);
        let nodes = store(&[node("there")]);
        let writes = writes(&seen, &nodes, &plan(&[("there", spec("x"))]), &BTreeMap::new());
        assert_eq!(names(&writes), [("left", true)]);
        let Change::Delete { uid, node } = &writes[0].change else { panic!("{writes:?}") };
        assert_eq!((uid.as_deref(), node.as_str()), (Some("u"), "left"));
    }
}
