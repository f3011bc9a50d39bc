//! From what was seen to the plan. Pure; `plan()` itself has a crate of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::NodeConfig;
use holdfast_plan::{Cluster, Input, Memory, Plan};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;

use crate::drain::{self, Draining};
use crate::node_config;
use crate::world::World;

/// The nodes that are being emptied, and why.
pub fn draining(world: &World, taints: &BTreeSet<String>) -> BTreeMap<String, Draining> {
    let of_node = |node: &Node| {
        let name = node.name_any();
        let remembered = world.node_configs.get(&name).and_then(node_config::reason_of);
        let reason = drain::draining(node, taints, world.evictions.from(&name), remembered)?;
        Some((name, reason))
    };
    world.nodes.objects().iter().filter_map(of_node).collect()
}

/// What every node must run.
///
/// The plan remembers by the `NodeConfigs`. Where somebody has deleted one, what was planned for it last is remembered: it
/// comes back as it was.
pub fn plan(world: &World, last: Option<&Plan>) -> Plan {
    let earlier = remembered(world, last);
    holdfast_plan::plan(&Input {
        virtual_ips: world.virtual_ips.objects(),
        health_checks: world.health_checks.objects(),
        groups: world.groups.objects(),
        nodes: world.nodes.objects(),
        memory: Memory::Cluster(Cluster { node_configs: &earlier, ..Cluster::default() }),
    })
}

fn remembered<'a>(world: &'a World, earlier: Option<&Plan>) -> Cow<'a, [NodeConfig]> {
    let seen = world.node_configs.objects();
    let planned = earlier.into_iter().flat_map(|plan| &plan.node_configs);
    let lost = planned.filter(|(name, _)| !world.node_configs.contains(name) && world.nodes.contains(name));
    let lost: Vec<NodeConfig> = lost.map(|(name, spec)| NodeConfig::new(name, spec.clone())).collect();
    if lost.is_empty() { Cow::Borrowed(seen) } else { Cow::Owned([seen, &lost].concat()) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use kube::runtime::watcher::Event;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::world::{Cached, Seen, Sighting};

    fn seen<K: Cached + DeserializeOwned>(object: Value, tell: fn(Seen<K>) -> Sighting) -> Sighting {
        tell(Event::Apply(serde_json::from_value(object).unwrap()).into())
    }

    fn world(sightings: impl IntoIterator<Item = Sighting>) -> World {
        let mut world = World::default();
        for sighting in sightings {
            world.apply(sighting, Duration::ZERO);
        }
        world
    }

    fn node(name: &str) -> Sighting {
        let spec = json!({ "unschedulable": true, "taints": [{ "key": "gone", "effect": "NoExecute" }] });
        seen(json!({ "metadata": { "name": name, "uid": name }, "spec": spec }), Sighting::Node)
    }

    fn virtual_ip(name: &str, address: &str) -> Sighting {
        let metadata = json!({ "name": name, "uid": name, "generation": 1 });
        let spec = json!({ "addresses": [address], "interface": "eth0" });
        seen(json!({ "metadata": metadata, "spec": spec }), Sighting::VirtualIP)
    }

    #[test]
    fn a_config_that_was_deleted_by_hand_comes_back_as_it_was() {
        let before = world([node("a"), virtual_ip("web", "192.0.2.1"), virtual_ip("db", "192.0.2.2")]);
        let first = plan(&before, None);
        assert_eq!(first.node_configs["a"].virtual_routers.len(), 2);
        assert_eq!(remembered(&before, Some(&first)).len(), 1);
        assert_eq!(plan(&before, Some(&first)).node_configs, first.node_configs);
    }

    #[test]
    fn a_node_that_left_is_not_remembered() {
        let first = plan(&world([node("a"), node("b"), virtual_ip("web", "192.0.2.1")]), None);
        let after = world([node("a"), virtual_ip("web", "192.0.2.1")]);
        let names: Vec<String> = remembered(&after, Some(&first)).iter().map(ResourceExt::name_any).collect();
        assert_eq!(names, ["a"]);
    }

    #[test]
    fn a_drain_is_told_by_the_taint_or_by_what_the_config_remembers() {
        let config = json!({
            "metadata": { "name": "b", "annotations": { drain::ANNOTATION: Draining::Evictions.to_string() } },
            "spec": {},
        });
        let world = world([node("a"), node("b"), seen(config, Sighting::NodeConfig)]);
        let by_taint = draining(&world, &BTreeSet::from(["gone".to_owned()]));
        assert_eq!(by_taint.len(), 2);
        let by_memory = draining(&world, &BTreeSet::new());
        assert_eq!(by_memory, BTreeMap::from([("b".to_owned(), Draining::Evictions)]));
    }
}
