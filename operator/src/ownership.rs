//! Who owns what is made for the agents: the `ClusterRole` of the installation, so that the garbage collector of
//! Kubernetes removes them when the installation is removed. Pure.
//!
//! A NodeConfig has no owner. It would take the addresses of all nodes down if somebody deleted that `ClusterRole` by
//! mistake, and what stands in it is worth keeping: which virtual router ID and which nodes an address had.

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::rbac::v1::ClusterRole;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::heartbeat;
use crate::world::{Store, World};
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The owner as it is now; none if there is no such `ClusterRole`. Made again, it is another owner.
pub fn reference(roles: &Store<ClusterRole>, name: &str) -> Option<OwnerReference> {
    Some(OwnerReference {
        api_version: ClusterRole::api_version(&()).into_owned(),
        kind: ClusterRole::kind(&()).into_owned(),
        name: name.to_owned(),
        uid: roles.get(name)?.uid()?,
        ..OwnerReference::default()
    })
}

/// The Leases that lack the owner: the agents' and that of the leader. Others make and renew them, with no right to read
/// who the owner is.
pub fn leases(world: &World, namespace: &str, leader: &str, owner: Option<&str>) -> Vec<Write> {
    let Some(owner) = owner.and_then(|name| reference(&world.access.cluster_roles, name)) else { return Vec::new() };
    let ours = world.leases.objects().iter().filter(|lease| {
        let name = lease.name_any();
        name == leader || heartbeat::node_of(&name).is_some_and(|node| world.nodes.contains(node))
    });
    ours.filter(|lease| !lease.owner_references().contains(&owner)).map(|lease| own(lease, namespace, &owner)).collect()
}

/// The identity is a condition: a Lease that is gone meanwhile must not come back for this.
fn own(lease: &Lease, namespace: &str, owner: &OwnerReference) -> Write {
    let name = lease.name_any();
    let object = json!({
        "apiVersion": Lease::api_version(&()),
        "kind": Lease::kind(&()),
        "metadata": { "name": name, "namespace": namespace, "uid": lease.uid(), "ownerReferences": [owner] },
    });
    // Its version changes with every beat of the heart; that is no reason to write this again.
    let stamp = Stamp { digest: digest(&object), seen: lease.uid() };
    Write { target: Target { kind: Written::Lease, name }, change: Change::Apply(object), stamp }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher::Event;
    use serde::de::DeserializeOwned;
    use serde_json::Value;

    use super::*;
    use crate::world::{Cached, Seen, Sighting};

    fn world(sightings: impl IntoIterator<Item = Sighting>) -> World {
        let mut world = World::default();
        for sighting in sightings {
            world.apply(sighting, Duration::ZERO);
        }
        world
    }

    fn seen<K: Cached + DeserializeOwned>(metadata: &Value, tell: fn(Seen<K>) -> Sighting) -> Sighting {
        tell(Event::Apply(serde_json::from_value(json!({ "metadata": metadata })).unwrap()).into())
    }

    fn role(uid: &str) -> Sighting {
        seen(&json!({ "name": "holdfast-operator", "uid": uid }), Sighting::ClusterRole)
    }

    fn lease(name: &str, owners: &Value) -> Sighting {
        seen(&json!({ "name": name, "uid": name, "ownerReferences": owners }), Sighting::Lease)
    }

    fn node(name: &str) -> Sighting {
        seen(&json!({ "name": name }), Sighting::Node)
    }

    fn written(world: &World) -> Vec<String> {
        let mut names: Vec<_> = leases(world, "holdfast", "holdfast-operator", Some("holdfast-operator"))
            .into_iter()
            .map(|write| write.target.name)
            .collect();
        names.sort();
        names
    }

    #[test]
    fn leases_of_the_installation_get_the_owner_once_and_others_never() {
        let none = json!([]);
        let names = ["holdfast-operator", "holdfast-agent-a", "holdfast-agent-gone", "somebody-elses"];
        let mut world = world(names.map(|name| lease(name, &none)).into_iter().chain([node("a"), role("r")]));
        assert_eq!(written(&world), ["holdfast-agent-a", "holdfast-operator"]);

        let owner = json!([reference(&world.access.cluster_roles, "holdfast-operator")]);
        for name in names {
            world.apply(lease(name, &owner), Duration::ZERO);
        }
        assert_eq!(written(&world), Vec::<String>::new());
        world.apply(role("made-again"), Duration::ZERO);
        assert_eq!(written(&world), ["holdfast-agent-a", "holdfast-operator"]);
    }

    #[test]
    fn without_an_owner_nothing_is_written() {
        let world = world([lease("holdfast-agent-a", &json!([])), node("a")]);
        assert_eq!(written(&world), Vec::<String>::new());
        assert!(leases(&world, "holdfast", "holdfast-operator", None).is_empty());
    }

    #[test]
    fn a_lease_that_is_gone_does_not_come_back() {
        let world = world([lease("holdfast-operator", &json!([])), role("r")]);
        let writes = leases(&world, "holdfast", "holdfast-operator", Some("holdfast-operator"));
        let Change::Apply(object) = &writes[0].change else { panic!() };
        assert_eq!(object["metadata"]["uid"], "holdfast-operator");
    }
}
