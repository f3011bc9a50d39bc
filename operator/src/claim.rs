//! Claims that nobody is left to give back. Pure.
//!
//! Who holds a `VirtualIP` is written by the agents: each claims for its own node, and gives the claim back. The agent of a
//! node that was deleted may be dead, or may not write any more. So the operator does it in its name.

use holdfast_crds::{API_VERSION, VirtualIP};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::world::World;
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// The kind that this file decides about.
pub const KINDS: &[Written] = &[Written::VirtualIPClaim];

/// The claims of nodes that are gone, to be given back.
pub fn releases(world: &World) -> Vec<Write> {
    let is_gone = |node: &&str| !world.nodes.contains(node);
    let orphaned = world.virtual_ips.objects().iter().filter_map(|vip| {
        let node = vip.status.as_ref()?.master.as_deref().filter(is_gone)?;
        Some(release(vip, node))
    });
    orphaned.collect()
}

fn release(vip: &VirtualIP, node: &str) -> Write {
    let stamp = Stamp { digest: digest(&node), seen: vip.resource_version() };
    let target = Target { kind: Written::VirtualIPClaim, name: vip.name_any() };
    Write { target, change: Change::Release { uid: vip.uid(), node: node.to_owned() }, stamp }
}

/// The `VirtualIP` as one writes it who claims nothing.
pub(crate) fn without(name: &str, uid: Option<&str>) -> Value {
    json!({
        "apiVersion": API_VERSION,
        "kind": VirtualIP::kind(&()),
        "metadata": { "name": name, "uid": uid },
        "status": {},
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher::Event;

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
        let releases = releases(&world);
        assert_eq!(releases.len(), 1, "{releases:?}");
        assert_eq!(releases[0].target.to_string(), "VirtualIP/status.master b");
        assert!(
            matches!(&releases[0].change, Change::Release { node, uid } if node == "gone" && uid.as_deref() == Some("b"))
        );
    }

    #[test]
    fn a_release_says_nothing_of_the_status() {
        assert_eq!(without("web", Some("7f3c"))["status"], json!({}));
    }
}
