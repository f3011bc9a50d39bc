//! Claims that nobody is left to give back. Pure.
//!
//! Who holds a `VirtualIP` is written by the agents: each claims for its own node, and gives the claim back. The agent of a
//! node that was deleted may be dead, or may not write any more. So the operator does it in its name.

use holdfast_crds::{API_VERSION, VirtualIP};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};

use crate::world::World;
use crate::write::{Change, Stamp, Target, Write, Written, digest};

/// With the name of its node, the field manager of an agent's claims.
pub const AGENT: &str = "holdfast-agent-";

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
