//! From what was seen to the plan. Pure; `plan()` itself has a crate of its own.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use holdfast_crds::{ElectionGroup, NodeConfig};
use holdfast_plan::{Cluster, Input, Memory, Plan};
use k8s_openapi::api::core::v1::Node;
use kube::ResourceExt;

use crate::drain::{self, Draining};
use crate::node_config;
use crate::world::{Cached, Store, World};

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
/// The plan remembers by the `NodeConfigs`, and by the last plan where one was lost, edited, or has not come back from the
/// API server yet: what is seen in parts only must not make it choose otherwise.
pub fn plan(world: &World, draining: &BTreeMap<String, Draining>, last: Option<&Plan>) -> Plan {
    let earlier = remembered(world, last);
    let draining: Vec<String> = draining.keys().cloned().collect();
    let unreadable = unreadable(world, &earlier);
    holdfast_plan::plan(&Input {
        virtual_ips: world.virtual_ips.objects(),
        health_checks: world.health_checks.objects(),
        groups: world.groups.objects(),
        nodes: world.nodes.objects(),
        memory: Memory::Cluster(Cluster { node_configs: &earlier, draining: &draining, unreadable: &unreadable }),
    })
}

/// The `VirtualIPs` that go on unchanged because no version of them, of their group or of a check of theirs could be read
/// since the operator was started.
fn unreadable(world: &World, earlier: &[NodeConfig]) -> Vec<String> {
    let groups: BTreeSet<String> = never_read(&world.groups).map(|name| format!("group/{name}")).collect();
    let checks: BTreeSet<&str> = never_read(&world.health_checks).collect();
    let is_touched = |group: &&ElectionGroup| {
        groups.contains(&group.name) || group.health_checks.iter().any(|check| checks.contains(check.name.as_str()))
    };
    let touched = earlier.iter().flat_map(|config| &config.spec.groups).filter(is_touched);
    let members = touched.flat_map(|group| &group.virtual_ips).cloned();
    let names: BTreeSet<String> = members.chain(never_read(&world.virtual_ips).map(str::to_owned)).collect();
    names.into_iter().collect()
}

fn never_read<K: Cached>(store: &Store<K>) -> impl Iterator<Item = &str> {
    store.unreadable().keys().map(String::as_str).filter(|name| store.get(name).is_none())
}

fn remembered<'a>(world: &'a World, before: Option<&Plan>) -> Cow<'a, [NodeConfig]> {
    let seen = world.node_configs.objects();
    let Some(before) = before else { return Cow::Borrowed(seen) };
    let planned = |config: &NodeConfig| {
        let name = config.metadata.name.as_deref()?;
        before.node_configs.get(name).filter(|spec| **spec != config.spec)
    };
    let is_lost = |name: &str| world.node_configs.get(name).is_none() && world.nodes.contains(name);
    let lost = before.node_configs.iter().filter(|(name, _)| is_lost(name));
    let lost: Vec<NodeConfig> = lost.map(|(name, spec)| NodeConfig::new(name, spec.clone())).collect();
    if lost.is_empty() && seen.iter().all(|config| planned(config).is_none()) {
        return Cow::Borrowed(seen);
    }
    let as_planned = seen.iter().map(|config| match planned(config) {
        None => config.clone(),
        Some(spec) => {
            NodeConfig { metadata: config.metadata.clone(), spec: spec.clone(), status: config.status.clone() }
        }
    });
    as_planned.chain(lost).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_crds::NodeConfigSpec;
    use kube::runtime::watcher::Event;
    use serde::de::DeserializeOwned;
    use serde_json::{Value, json};

    use super::*;
    use crate::world::{Seen, Sighting};

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
        let first = plan(&before, &BTreeMap::new(), None);
        assert_eq!(first.node_configs["a"].virtual_routers.len(), 2);
        assert_eq!(remembered(&before, Some(&first)).len(), 1);
        assert_eq!(plan(&before, &BTreeMap::new(), Some(&first)).node_configs, first.node_configs);
    }

    #[test]
    fn what_was_planned_counts_until_it_is_seen() {
        let first = plan(&world([node("a"), virtual_ip("web", "192.0.2.1")]), &BTreeMap::new(), None);
        let interfaces = json!([{ "name": "eth0", "up": true }]);
        let edited = json!({ "metadata": { "name": "a" }, "spec": {}, "status": { "interfaces": interfaces } });
        let after = world([node("a"), virtual_ip("web", "192.0.2.1"), seen(edited, Sighting::NodeConfig)]);
        assert_eq!(remembered(&after, None)[0].spec, NodeConfigSpec::default(), "nothing was planned yet");
        let remembered = remembered(&after, Some(&first));
        assert_eq!(remembered[0].spec, first.node_configs["a"]);
        assert_eq!(remembered[0].status.as_ref().unwrap().interfaces.len(), 1, "what the agent reports counts");
    }

    #[test]
    fn a_node_that_left_is_not_remembered() {
        let first = plan(&world([node("a"), node("b"), virtual_ip("web", "192.0.2.1")]), &BTreeMap::new(), None);
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
    /// The world after a restart of the operator: an object is stored that cannot be read, and the `NodeConfig` is there.
    fn after_restart(unreadable: Sighting, before: &Plan) -> World {
        let config = json!({ "metadata": { "name": "a" }, "spec": before.node_configs["a"] });
        world([node("a"), virtual_ip("other", "192.0.2.9"), unreadable, seen(config, Sighting::NodeConfig)])
    }

    #[test]
    fn what_cannot_be_read_keeps_what_it_had_also_after_a_restart() {
        let check = json!({ "metadata": { "name": "nginx" }, "spec": { "tcp": { "port": 80 } } });
        let web = json!({
            "metadata": { "name": "web", "uid": "web", "generation": 1 },
            "spec": { "addresses": ["192.0.2.1"], "interface": "eth0", "healthChecks": [{ "name": "nginx" }] },
        });
        let mail = virtual_ip("mail", "192.0.2.2");
        let group = json!({ "metadata": { "name": "both" }, "spec": { "members": ["web", "mail"] } });
        let before = world([
            node("a"),
            seen(check, Sighting::HealthCheck),
            seen(web.clone(), Sighting::VirtualIP),
            mail,
            seen(group, Sighting::VirtualIPGroup),
        ]);
        let before = plan(&before, &BTreeMap::new(), None);
        let routers = |plan: &Plan| plan.node_configs["a"].virtual_routers.clone();
        assert_eq!(routers(&before).len(), 2);

        let bad = |name: &str| json!({ "metadata": { "name": name }, "spec": 5 });
        for unreadable in [
            seen(bad("web"), Sighting::VirtualIP),
            seen(bad("both"), Sighting::VirtualIPGroup),
            seen(bad("nginx"), Sighting::HealthCheck),
        ] {
            let told = format!("{unreadable:?}");
            let after = plan(&after_restart(unreadable, &before), &BTreeMap::new(), None);
            for router in routers(&before) {
                assert!(routers(&after).contains(&router), "{} is gone because of {told}", router.name);
            }
            assert_eq!(routers(&after).len(), 3, "and the other one is added");
        }
    }

    #[test]
    fn a_node_that_is_emptied_comes_last() {
        let world = world([node("a"), node("b"), virtual_ip("web", "192.0.2.1")]);
        for emptied in ["a", "b"] {
            let draining = BTreeMap::from([(emptied.to_owned(), Draining::Evictions)]);
            let plan = plan(&world, &draining, None);
            let priority = |node: &str| plan.node_configs[node].virtual_routers[0].priority;
            let (other, own) = if emptied == "a" { ("b", "a") } else { ("a", "b") };
            assert!(priority(own) == 1 && priority(other) > 1, "{emptied}: {} {}", priority(own), priority(other));
        }
    }
}
