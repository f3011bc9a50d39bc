//! Everything that the operator watches, as last seen. Pure: the watches tell it what they saw, and it tells what that
//! concerns.

mod kinds;
mod store;

use std::time::Duration;

use holdfast_crds::{HealthCheck, NodeConfig, VirtualIP, VirtualIPGroup};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, Pod, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use kube::ResourceExt;
use kube::core::DeserializeGuard;
use kube::runtime::watcher::Event;

pub use self::store::{Cached, Difference, Store, Unreadable};
use crate::drain::Evictions;
use crate::heartbeat::{self, Heartbeat, Heartbeats};

/// A kind that is watched all the time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
pub enum Kind {
    /// What users write.
    VirtualIP,
    /// What users write.
    HealthCheck,
    /// What users write.
    VirtualIPGroup,
    /// What the operator writes, and the agents report in.
    NodeConfig,
    /// The nodes.
    Node,
    /// The heartbeats, in the operator's namespace.
    Lease,
    /// What the agents read with, in the operator's namespace.
    ServiceAccount,
    /// What the agents may read.
    ClusterRole,
    /// The same.
    ClusterRoleBinding,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::VirtualIP,
        Self::HealthCheck,
        Self::VirtualIPGroup,
        Self::NodeConfig,
        Self::Node,
        Self::Lease,
        Self::ServiceAccount,
        Self::ClusterRole,
        Self::ClusterRoleBinding,
    ];

    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::VirtualIP => "VirtualIP",
            Self::HealthCheck => "HealthCheck",
            Self::VirtualIPGroup => "VirtualIPGroup",
            Self::NodeConfig => "NodeConfig",
            Self::Node => "Node",
            Self::Lease => "Lease",
            Self::ServiceAccount => "ServiceAccount",
            Self::ClusterRole => "ClusterRole",
            Self::ClusterRoleBinding => "ClusterRoleBinding",
        }
    }
}

/// What a watch saw of its objects.
pub type Seen<K> = Box<Event<DeserializeGuard<K>>>;

/// What a watch tells.
#[derive(Debug)]
pub enum Sighting {
    /// A VirtualIP.
    VirtualIP(Seen<VirtualIP>),
    /// A HealthCheck.
    HealthCheck(Seen<HealthCheck>),
    /// A VirtualIPGroup.
    VirtualIPGroup(Seen<VirtualIPGroup>),
    /// A NodeConfig.
    NodeConfig(Seen<NodeConfig>),
    /// A Node.
    Node(Seen<Node>),
    /// A Lease.
    Lease(Seen<Lease>),
    /// A `ServiceAccount`.
    ServiceAccount(Seen<ServiceAccount>),
    /// A `ClusterRole`.
    ClusterRole(Seen<ClusterRole>),
    /// A `ClusterRoleBinding`.
    ClusterRoleBinding(Seen<ClusterRoleBinding>),
    /// A Pod on a node that is cordoned.
    Pod(String, Seen<Pod>),
    /// A watch is interrupted; it lists everything anew when it is back.
    Interrupted(Kind),
}

/// Everything that is watched.
#[derive(Debug, Default)]
pub struct World {
    /// What users write.
    pub virtual_ips: Store<VirtualIP>,
    /// What users write.
    pub health_checks: Store<HealthCheck>,
    /// What users write.
    pub groups: Store<VirtualIPGroup>,
    /// What the operator writes, and the agents report in.
    pub node_configs: Store<NodeConfig>,
    /// The nodes.
    pub nodes: Store<Node>,
    /// The leases of the operator's namespace.
    pub leases: Store<Lease>,
    /// What the agents read with.
    pub access: Access,
    /// Which agents are heard of.
    pub heartbeats: Heartbeats,
    /// From which cordoned nodes pods are evicted.
    pub evictions: Evictions,
}

/// What the agents read their `NodeConfigs` with.
#[derive(Debug, Default)]
pub struct Access {
    /// In the operator's namespace.
    pub service_accounts: Store<ServiceAccount>,
    /// For the whole cluster.
    pub cluster_roles: Store<ClusterRole>,
    /// For the whole cluster.
    pub cluster_role_bindings: Store<ClusterRoleBinding>,
}

impl World {
    /// Takes note of what a watch saw at a time.
    pub fn apply(&mut self, sighting: Sighting, now: Duration) -> Difference {
        match sighting {
            Sighting::VirtualIP(event) => self.virtual_ips.apply(*event),
            Sighting::HealthCheck(event) => self.health_checks.apply(*event),
            Sighting::VirtualIPGroup(event) => self.groups.apply(*event),
            Sighting::NodeConfig(event) => self.node_configs.apply(*event),
            Sighting::Node(event) => self.apply_node(*event),
            Sighting::Lease(event) => self.apply_lease(*event, now),
            Sighting::ServiceAccount(event) => self.access.service_accounts.apply(*event),
            Sighting::ClusterRole(event) => self.access.cluster_roles.apply(*event),
            Sighting::ClusterRoleBinding(event) => self.access.cluster_role_bindings.apply(*event),
            Sighting::Pod(node, event) => self.apply_pod(&node, &event),
            Sighting::Interrupted(Kind::Lease) => {
                self.heartbeats.lose_sight(now);
                Difference::NONE
            }
            Sighting::Interrupted(_) => Difference::NONE,
        }
    }

    /// The kinds that have not been listed yet.
    pub fn missing(&self) -> Vec<Kind> {
        let complete = |kind: &Kind| match kind {
            Kind::VirtualIP => self.virtual_ips.is_complete(),
            Kind::HealthCheck => self.health_checks.is_complete(),
            Kind::VirtualIPGroup => self.groups.is_complete(),
            Kind::NodeConfig => self.node_configs.is_complete(),
            Kind::Node => self.nodes.is_complete(),
            Kind::Lease => self.leases.is_complete(),
            Kind::ServiceAccount => self.access.service_accounts.is_complete(),
            Kind::ClusterRole => self.access.cluster_roles.is_complete(),
            Kind::ClusterRoleBinding => self.access.cluster_role_bindings.is_complete(),
        };
        Kind::ALL.into_iter().filter(|kind| !complete(kind)).collect()
    }

    /// The cordoned nodes.
    pub fn cordoned(&self) -> impl Iterator<Item = String> {
        let cordoned = |node: &&Node| node.spec.as_ref().and_then(|spec| spec.unschedulable) == Some(true);
        self.nodes.objects().iter().filter(cordoned).map(ResourceExt::name_any)
    }

    fn apply_node(&mut self, event: Event<DeserializeGuard<Node>>) -> Difference {
        let difference = self.nodes.apply(event);
        if difference.plan {
            let cordoned = self.cordoned().collect();
            self.evictions.keep(&cordoned);
        }
        difference
    }

    fn apply_pod(&mut self, node: &str, event: &Event<DeserializeGuard<Pod>>) -> Difference {
        let (Event::Apply(pod) | Event::InitApply(pod) | Event::Delete(pod)) = event else { return Difference::NONE };
        let Ok(pod) = &pod.0 else { return Difference::NONE };
        if self.evictions.observe(node, pod) { Difference::ALL } else { Difference::NONE }
    }

    /// A renewal changes nothing unless the agent was late.
    fn apply_lease(&mut self, event: Event<DeserializeGuard<Lease>>, now: Duration) -> Difference {
        match &event {
            Event::Init => self.heartbeats.lose_sight(now),
            Event::InitDone => {}
            Event::Apply(lease) | Event::InitApply(lease) | Event::Delete(lease) => {
                let name = lease.name_any();
                let Some(node) = heartbeat::node_of(&name) else {
                    return Difference { status: false, ..self.leases.apply(event) };
                };
                let before = self.pulse(node, now);
                match (&event, &lease.0) {
                    (Event::Delete(_), _) => self.heartbeats.forget(node),
                    (_, Ok(lease)) => self.heartbeats.observe(node, lease, now),
                    (_, Err(_)) => {}
                }
                let changed = self.pulse(node, now) != before;
                // Who owns it is a matter of the plan.
                return Difference { status: changed, ..self.leases.apply(event) };
            }
        }
        let done = matches!(event, Event::InitDone);
        let difference = self.leases.apply(event);
        if done {
            self.heartbeats.regain_sight(now);
            let gone: Vec<String> =
                self.heartbeats.nodes().filter(|node| !self.has_lease(node)).map(str::to_owned).collect();
            for node in gone {
                self.heartbeats.forget(&node);
            }
        }
        difference
    }

    /// Whether an agent is heard of, and whether that is known or only assumed.
    fn pulse(&self, node: &str, now: Duration) -> (Heartbeat, bool) {
        (self.heartbeats.of(node, now), self.heartbeats.last_renewal(node).is_some())
    }

    fn has_lease(&self, node: &str) -> bool {
        self.leases.contains(&heartbeat::agent_of(node))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::heartbeat::Heartbeat;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn lease(node: &str, second: u64) -> DeserializeGuard<Lease> {
        serde_json::from_value(json!({
            "metadata": { "name": format!("holdfast-agent-{node}") },
            "spec": { "renewTime": format!("2026-01-01T00:00:{second:02}.000000Z"), "leaseDurationSeconds": 15 },
        }))
        .unwrap()
    }

    fn node(name: &str, cordoned: bool) -> Sighting {
        let node = json!({ "metadata": { "name": name }, "spec": { "unschedulable": cordoned } });
        Sighting::Node(Box::new(Event::Apply(serde_json::from_value(node).unwrap())))
    }

    fn pod(conditions: &Value) -> DeserializeGuard<Pod> {
        serde_json::from_value(json!({ "metadata": { "name": "web" }, "status": { "conditions": conditions } }))
            .unwrap()
    }

    fn list_leases(world: &mut World, leases: impl IntoIterator<Item = DeserializeGuard<Lease>>, now: Duration) {
        world.apply(Sighting::Lease(Event::Init.into()), now);
        for lease in leases {
            world.apply(Sighting::Lease(Event::InitApply(lease).into()), now);
        }
        world.apply(Sighting::Lease(Event::InitDone.into()), now);
    }

    #[test]
    fn it_says_which_kinds_have_not_been_listed() {
        let mut world = World::default();
        assert_eq!(world.missing(), Kind::ALL);
        world.apply(Sighting::Node(Event::Init.into()), s(0));
        world.apply(Sighting::Node(Event::InitDone.into()), s(0));
        assert!(!world.missing().contains(&Kind::Node));
    }

    #[test]
    fn a_renewal_concerns_nobody_unless_the_agent_was_not_heard_of() {
        let mut world = World::default();
        list_leases(&mut world, [lease("b", 0)], s(0));
        let mut renew = |second, now| world.apply(Sighting::Lease(Event::Apply(lease("a", second)).into()), now);
        assert_eq!(renew(0, s(0)), Difference::ALL, "the first, which nobody owns yet");
        assert_eq!(renew(5, s(5)), Difference::NONE);
        assert_eq!(renew(30, s(30)), Difference::STATUS, "it was late");
        let mut renew = |second, now| world.apply(Sighting::Lease(Event::Apply(lease("b", second)).into()), now);
        assert_eq!(renew(5, s(31)), Difference::STATUS, "it is the first sign of life");
        assert_eq!(renew(10, s(36)), Difference::NONE);
    }

    #[test]
    fn no_agent_is_late_for_what_an_interrupted_watch_could_not_see() {
        let mut world = World::default();
        list_leases(&mut world, [lease("a", 0), lease("b", 0)], s(0));
        world.apply(Sighting::Interrupted(Kind::Lease), s(5));
        list_leases(&mut world, [lease("a", 59)], s(100));
        assert_eq!(world.heartbeats.of("a", s(110)), Heartbeat::Fresh);
        assert_eq!(world.heartbeats.of("b", s(110)), Heartbeat::Never, "its Lease is gone");
    }

    #[test]
    fn an_eviction_counts_while_the_node_is_cordoned() {
        let mut world = World::default();
        let evicted = json!([{ "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI" }]);
        world.apply(node("a", true), s(0));
        let seen = |event: Event<_>| Sighting::Pod("a".to_owned(), event.into());
        assert_eq!(world.apply(seen(Event::Apply(pod(&json!([])))), s(0)), Difference::NONE);
        assert_eq!(world.apply(seen(Event::Delete(pod(&evicted))), s(0)), Difference::ALL);
        assert_eq!(world.apply(seen(Event::Delete(pod(&evicted))), s(0)), Difference::NONE, "once is enough");
        assert!(world.evictions.from("a"));
        world.apply(node("a", false), s(0));
        assert!(!world.evictions.from("a"));
    }
}
