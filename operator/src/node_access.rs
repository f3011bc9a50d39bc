//! What the agent of each node reads with: a `ServiceAccount`, a `ClusterRole` that lets it read the NodeConfig of its node and
//! no other, and the `ClusterRoleBinding` of the two. Pure: which of them must be written.
//!
//! RBAC knows no better way to say that an agent reads its own object only: its rules name objects, not the node of a token.

use holdfast_crds::GROUP;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, PolicyRule, RoleRef, Subject};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::heartbeat;
use crate::node_config::delete;
use crate::ownership;
use crate::world::{Access, Cached, Store, World};
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The label of what the operator makes for the agents. It touches no others.
pub const MANAGED_BY: (&str, &str) = ("app.kubernetes.io/managed-by", "holdfast-operator");

/// The label of everything that belongs to an installation, its owner included.
pub const PART_OF: (&str, &str) = ("app.kubernetes.io/part-of", "holdfast");

/// The kinds that this file decides about.
pub const KINDS: &[Written] =
    &[Written::ServiceAccount, Written::ClusterRole, Written::ClusterRoleBinding, Written::Lease];

/// The writes: what is missing or differs, and what belongs to nodes that have left.
pub fn writes(world: &World, namespace: &str, owner: Option<&str>) -> Vec<Write> {
    let owner = owner.and_then(|name| ownership::reference(&world.access.cluster_roles, name));
    let nodes = world.nodes.objects().iter().map(ResourceExt::name_any);
    let mut writes: Vec<Write> =
        nodes.flat_map(|node| wanted(&world.access, &node, namespace, owner.as_ref())).collect();
    let Access { service_accounts, cluster_roles, cluster_role_bindings } = &world.access;
    writes.extend(left(world, Written::ServiceAccount, service_accounts, is_ours));
    writes.extend(left(world, Written::ClusterRole, cluster_roles, is_ours));
    writes.extend(left(world, Written::ClusterRoleBinding, cluster_role_bindings, is_ours));
    writes.extend(left(world, Written::Lease, &world.leases, |_: &Lease| true));
    writes
}

/// What a node must have, as far as it has not.
fn wanted(access: &Access, node: &str, namespace: &str, owner: Option<&OwnerReference>) -> Vec<Write> {
    let name = heartbeat::agent_of(node);
    let metadata = |namespace: Option<&str>| ObjectMeta {
        name: Some(name.clone()),
        namespace: namespace.map(str::to_owned),
        labels: Some([MANAGED_BY, PART_OF].map(|(key, value)| (key.to_owned(), value.to_owned())).into()),
        owner_references: owner.map(|owner| vec![owner.clone()]),
        ..ObjectMeta::default()
    };
    let account = ServiceAccount { metadata: metadata(Some(namespace)), ..ServiceAccount::default() };
    let rule = PolicyRule {
        api_groups: Some(vec![GROUP.to_owned()]),
        resources: Some(vec!["nodeconfigs".to_owned()]),
        resource_names: Some(vec![node.to_owned()]),
        verbs: ["get", "list", "watch"].map(str::to_owned).to_vec(),
        ..PolicyRule::default()
    };
    let cluster_role = ClusterRole { metadata: metadata(None), rules: Some(vec![rule]), ..ClusterRole::default() };
    let binding = ClusterRoleBinding {
        metadata: metadata(None),
        role_ref: RoleRef {
            api_group: ClusterRole::group(&()).into_owned(),
            kind: ClusterRole::kind(&()).into_owned(),
            name: name.clone(),
        },
        subjects: Some(vec![Subject {
            kind: ServiceAccount::kind(&()).into_owned(),
            name,
            namespace: Some(namespace.to_owned()),
            ..Subject::default()
        }]),
    };
    let writes = [
        apply(Written::ServiceAccount, &account, &access.service_accounts),
        apply(Written::ClusterRole, &cluster_role, &access.cluster_roles),
        apply(Written::ClusterRoleBinding, &binding, &access.cluster_role_bindings),
    ];
    writes.into_iter().flatten().collect()
}

fn apply<K: Cached + Serialize>(kind: Written, wanted: &K, seen: &Store<K>) -> Option<Write> {
    let name = wanted.name_any();
    let found = seen.get(&name);
    if found.is_some_and(|found| !wanted.difference(found).plan) {
        return None;
    }
    // Only what cannot be made into text fails, and there is no such thing in these objects.
    let object = serde_json::to_value(wanted).ok()?;
    Some(Write {
        target: Target { kind, name },
        stamp: Stamp { digest: digest(&object), seen: found.and_then(ResourceExt::resource_version) },
        change: Change::Apply(object),
    })
}

/// Whether the operator has made an object: the chart's own may have a name that looks like that of an agent.
fn is_ours(object: &impl Resource) -> bool {
    let label = object.meta().labels.as_ref().and_then(|labels| labels.get(MANAGED_BY.0));
    label.is_some_and(|manager| manager == MANAGED_BY.1)
}

/// What belongs to nodes that have left.
fn left<K: Cached>(world: &World, kind: Written, seen: &Store<K>, is_ours: fn(&K) -> bool) -> Vec<Write> {
    let left = seen.objects().iter().filter(|object| is_ours(object)).filter_map(|object| {
        let name = object.name_any();
        let node = heartbeat::node_of(&name)?;
        (!world.nodes.contains(node)).then(|| delete(kind, object, node.to_owned()))
    });
    left.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::world::{Seen, Sighting};

    fn see(world: &mut World, sighting: Sighting) {
        world.apply(sighting, Duration::ZERO);
    }

    fn seen<K: Cached + serde::de::DeserializeOwned>(object: Value, tell: fn(Seen<K>) -> Sighting) -> Sighting {
        tell(Event::Apply(serde_json::from_value(object).unwrap()).into())
    }

    fn with_node(node: &str) -> World {
        let mut world = World::default();
        see(&mut world, seen(json!({ "metadata": { "name": node } }), Sighting::Node));
        world
    }

    /// Puts what was written where it would be seen.
    fn carry_out(world: &mut World, writes: Vec<Write>) {
        for write in writes {
            let Change::Apply(object) = write.change else { panic!("{:?}", write.target) };
            see(
                world,
                match write.target.kind {
                    Written::ServiceAccount => seen(object, Sighting::ServiceAccount),
                    Written::ClusterRole => seen(object, Sighting::ClusterRole),
                    Written::ClusterRoleBinding => seen(object, Sighting::ClusterRoleBinding),
                    other => panic!("{other:?}"),
                },
            );
        }
    }

    fn targets(writes: &[Write]) -> Vec<String> {
        writes.iter().map(|write| write.target.to_string()).collect()
    }

    #[test]
    fn an_agent_may_read_the_config_of_its_node_and_nothing_else() {
        let writes = writes(&with_node("node-1"), "holdfast", None);
        let name = "holdfast-agent-node-1";
        let kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding"];
        assert_eq!(targets(&writes), kinds.map(|kind| format!("{kind} {name}")));
        let Change::Apply(role) = &writes[1].change else { panic!() };
        assert_eq!(
            role["rules"],
            json!([{
                "apiGroups": ["holdfast.dev"], "resources": ["nodeconfigs"], "resourceNames": ["node-1"],
                "verbs": ["get", "list", "watch"],
            }])
        );
        let Change::Apply(binding) = &writes[2].change else { panic!() };
        assert_eq!(binding["roleRef"]["name"], name);
        assert_eq!(binding["subjects"], json!([{ "kind": "ServiceAccount", "name": name, "namespace": "holdfast" }]));
    }

    #[test]
    fn what_is_right_is_not_written_again_and_what_was_changed_by_hand_is_put_back() {
        let mut world = with_node("node-1");
        let first = writes(&world, "holdfast", None);
        carry_out(&mut world, first);
        assert_eq!(targets(&writes(&world, "holdfast", None)), Vec::<String>::new());

        let mut role = world.access.cluster_roles.get("holdfast-agent-node-1").cloned().unwrap();
        role.rules.as_mut().unwrap()[0].resource_names = None;
        see(&mut world, seen(serde_json::to_value(role).unwrap(), Sighting::ClusterRole));
        assert_eq!(targets(&writes(&world, "holdfast", None)), ["ClusterRole holdfast-agent-node-1"]);
    }

    #[test]
    fn what_is_made_is_owned_by_the_role_of_the_installation_as_it_is_now() {
        let mut world = with_node("node-1");
        let owners = |writes: &[Write]| -> Vec<Value> {
            let owner = |write: &Write| match &write.change {
                Change::Apply(object) => object["metadata"]["ownerReferences"].clone(),
                _ => panic!("{:?}", write.target),
            };
            writes.iter().map(owner).collect()
        };
        let owned = |world: &World| writes(world, "holdfast", Some("holdfast-operator"));
        assert_eq!(owners(&owned(&world)), [Value::Null, Value::Null, Value::Null], "there is none yet");

        for uid in ["first", "made-again"] {
            let role = json!({ "metadata": { "name": "holdfast-operator", "uid": uid } });
            see(&mut world, seen(role, Sighting::ClusterRole));
            let writes = owned(&world);
            let reference = json!([{
                "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "name": "holdfast-operator", "uid": uid,
            }]);
            assert_eq!(owners(&writes), [reference.clone(), reference.clone(), reference]);
            carry_out(&mut world, writes);
            assert_eq!(targets(&owned(&world)), Vec::<String>::new());
        }
    }

    #[test]
    fn roles_of_the_installation_itself_are_not_those_of_a_node_that_left() {
        let mut world = with_node("node-1");
        let role = json!({ "metadata": { "name": "holdfast-agent-x-operator", "labels": { PART_OF.0: PART_OF.1 } } });
        see(&mut world, seen(role, Sighting::ClusterRole));
        assert!(writes(&world, "holdfast", None).iter().all(|write| matches!(write.change, Change::Apply(_))));
    }

    #[test]
    fn what_belongs_to_a_node_that_left_is_deleted() {
        let mut world = with_node("node-1");
        let first = writes(&world, "holdfast", None);
        carry_out(&mut world, first);
        let lease = |name: &str| seen(json!({ "metadata": { "name": name } }), Sighting::Lease);
        see(&mut world, lease("holdfast-agent-node-1"));
        see(&mut world, lease("holdfast-operator"));
        let node = serde_json::from_value(json!({ "metadata": { "name": "node-1" } })).unwrap();
        see(&mut world, Sighting::Node(Event::Delete(node).into()));
        let writes = writes(&world, "holdfast", None);
        let kinds = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Lease"];
        assert_eq!(targets(&writes), kinds.map(|kind| format!("{kind} holdfast-agent-node-1")));
        assert!(writes.iter().all(|write| matches!(write.change, Change::Delete { .. })));
    }
}
