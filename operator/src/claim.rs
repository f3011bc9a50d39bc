//! Claims that no agent writes. Pure.
//!
//! Who holds a `VirtualIP` is written by the agents: each claims for its own node, and gives the claim back. The agent of a
//! node that was deleted may be dead, or may not write any more; and a claim that was lost is not missed by the agent that
//! wrote it. So the operator does both in the agents' names.

use std::collections::BTreeMap;

use holdfast_crds::VirtualIP;
use kube::ResourceExt;

use crate::aggregate::Naming;
use crate::world::World;
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The kind that this file decides about.
pub const KINDS: &[Written] = &[Written::VirtualIPClaim];

/// The masters to be named, and the claims of nodes that are gone, to be given back.
pub fn writes(world: &World, namings: &BTreeMap<String, Naming>) -> Vec<Write> {
    let write = |vip: &VirtualIP| match namings.get(&vip.name_any()) {
        Some(naming) => Some(claim(vip, naming)),
        None => orphan(world, vip).map(|node| release(vip, node)),
    };
    world.virtual_ips.objects().iter().filter_map(write).collect()
}

/// The master that a `VirtualIP` names, if that node is gone.
fn orphan<'a>(world: &World, vip: &'a VirtualIP) -> Option<&'a str> {
    vip.status.as_ref()?.master.as_deref().filter(|node| !world.nodes.contains(node))
}

fn claim(vip: &VirtualIP, Naming { node, since }: &Naming) -> Write {
    let (uid, node, since) = (vip.uid(), node.clone(), since.clone());
    write(vip, digest(&("claim", &node)), Change::Claim { uid, node, since })
}

fn release(vip: &VirtualIP, node: &str) -> Write {
    write(vip, digest(&("release", node)), Change::Release { uid: vip.uid(), node: node.to_owned() })
}

fn write(vip: &VirtualIP, digest: u64, change: Change) -> Write {
    let target = Target { kind: Written::VirtualIPClaim, name: vip.name_any() };
    Write { target, change, stamp: Stamp { digest, seen: vip.resource_version() } }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher::Event;
    use serde_json::json;

    use super::*;
    use crate::world::Sighting;

    fn see(world: &mut World, sighting: Sighting) {
        world.apply(sighting, Duration::ZERO);
    }

    fn held_by(name: &str, master: Option<&str>) -> Sighting {
        let object = json!({
            "metadata": { "name": name, "uid": name, "resourceVersion": "7" },
            "spec": { "addresses": ["192.0.2.1"] }, "status": { "master": master },
        });
        Sighting::VirtualIP(Event::Apply(serde_json::from_value(object).unwrap()).into())
    }

    #[test]
    fn what_a_node_that_is_gone_has_claimed_is_given_back_and_nothing_else() {
        let mut world = World::default();
        let node = serde_json::from_value(json!({ "metadata": { "name": "here" } })).unwrap();
        see(&mut world, Sighting::Node(Event::Apply(node).into()));
        for (name, master) in [("a", Some("here")), ("b", Some("gone")), ("c", None)] {
            see(&mut world, held_by(name, master));
        }
        let releases = writes(&world, &BTreeMap::new());
        assert_eq!(releases.len(), 1, "{releases:?}");
        assert_eq!(releases[0].target.to_string(), "VirtualIP/status.master b");
        assert!(
            matches!(&releases[0].change, Change::Release { node, uid } if node == "gone" && uid.as_deref() == Some("b"))
        );
    }

    #[test]
    fn a_master_that_is_not_named_is_named_also_instead_of_one_that_is_gone() {
        let mut world = World::default();
        for (name, master) in [("a", None), ("b", Some("gone"))] {
            see(&mut world, held_by(name, master));
        }
        let naming = Naming { node: "here".to_owned(), since: None };
        let namings = ["a", "b", "deleted"].map(|name| (name.to_owned(), naming.clone())).into();
        let writes = writes(&world, &namings);
        let claims = |write: &Write| matches!(&write.change, Change::Claim { node, .. } if node == "here");
        assert!(writes.len() == 2 && writes.iter().all(claims), "{writes:?}");
        assert!(writes.iter().all(|write| write.stamp.seen.as_deref() == Some("7")), "{writes:?}");
    }
}
