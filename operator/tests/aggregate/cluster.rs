//! A cluster of values: what users wrote, what nodes report, and the statuses that come of it.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_crds::{
    HealthCheck, HealthCheckResult, HealthCheckStatus, NodeConfig, NodeConfigSpec, NodeConfigStatus, RouterProblem,
    RouterProblemReason, RouterState, VirtualIP, VirtualIPGroup, VirtualIPGroupSpec, VirtualIPNodeStatus,
    VirtualIPSpec, VirtualIPStatus, VirtualRouter, VirtualRouterStatus,
};
use holdfast_operator::aggregate::{Aggregate, Memory, Observed, Pulse, UnreadableObjects, aggregate};
use holdfast_operator::drain::Draining;
use holdfast_operator::heartbeat::Heartbeat;
use holdfast_operator::world::Unreadable;
use holdfast_plan::{Cluster as Remembered, Input, Memory as PlanMemory, Plan, plan};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::Node;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, ObjectMeta, Time};
use serde_json::json;

/// A cluster of nodes that are all ready and heard of.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cluster {
    pub(crate) virtual_ips: BTreeMap<String, VirtualIP>,
    pub(crate) health_checks: BTreeMap<String, HealthCheck>,
    pub(crate) groups: BTreeMap<String, VirtualIPGroup>,
    pub(crate) nodes: BTreeMap<String, Node>,
    pub(crate) configs: BTreeMap<String, NodeConfig>,
    pub(crate) beats: BTreeMap<String, Pulse>,
    pub(crate) draining: BTreeMap<String, Draining>,
    pub(crate) unreadable: BTreeMap<String, Unreadable>,
    pub(crate) memory: Memory,
    /// Seconds since the operator started, and the time of day.
    pub(crate) clock: Duration,
    /// Whether lists are given the other way round.
    pub(crate) backwards: bool,
}

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// A time of day.
pub(crate) fn at(second: i64) -> Time {
    Time(Timestamp::from_second(1_790_000_000 + second).unwrap())
}

fn node(name: &str, ready: bool) -> Node {
    let status = if ready { "True" } else { "False" };
    serde_json::from_value(json!({
        "metadata": { "name": name },
        "status": { "conditions": [{ "type": "Ready", "status": status }] },
    }))
    .unwrap()
}

fn created(metadata: &mut ObjectMeta) {
    metadata.uid = Some(format!("uid of {}", metadata.name.clone().unwrap()));
    metadata.generation = Some(1);
}

impl Cluster {
    pub(crate) fn of(nodes: &[&str]) -> Self {
        let mut cluster = Self { clock: seconds(1000), ..Self::default() };
        for name in nodes {
            cluster.nodes.insert((*name).to_owned(), node(name, true));
            cluster
                .beats
                .insert((*name).to_owned(), Pulse { heartbeat: Heartbeat::Fresh, renewed: Some(seconds(999)) });
        }
        cluster
    }

    /// Three nodes with a `VirtualIP` called web, whose master is a.
    pub(crate) fn settled() -> Self {
        let mut cluster = Self::of(&["a", "b", "c"]);
        cluster.create("web", VirtualIPSpec::new(["192.0.2.1/24"]));
        cluster.carry_out();
        cluster.settle("web", "a");
        cluster.look();
        cluster
    }

    pub(crate) fn create(&mut self, name: &str, spec: VirtualIPSpec) {
        let mut vip = VirtualIP::new(name, VirtualIPSpec { interface: Some("eth0".to_owned()), ..spec });
        created(&mut vip.metadata);
        self.virtual_ips.insert(name.to_owned(), vip);
    }

    /// A user changes the spec of a `VirtualIP`.
    pub(crate) fn edit(&mut self, name: &str, change: impl FnOnce(&mut VirtualIPSpec)) {
        let vip = self.virtual_ips.get_mut(name).unwrap();
        change(&mut vip.spec);
        vip.metadata.generation = vip.metadata.generation.map(|generation| generation + 1);
    }

    pub(crate) fn create_group(&mut self, name: &str, members: &[&str]) {
        let members = members.iter().map(ToString::to_string).collect();
        let mut group = VirtualIPGroup::new(name, VirtualIPGroupSpec { members, ..VirtualIPGroupSpec::default() });
        created(&mut group.metadata);
        self.groups.insert(name.to_owned(), group);
    }

    pub(crate) fn create_check(&mut self, name: &str) {
        let mut check = HealthCheck::new(name, serde_json::from_value(json!({ "tcp": { "port": 80 } })).unwrap());
        created(&mut check.metadata);
        self.health_checks.insert(name.to_owned(), check);
    }

    pub(crate) fn plan(&self) -> Plan {
        let (virtual_ips, health_checks, groups): (Vec<_>, Vec<_>, Vec<_>) = (
            self.virtual_ips.values().cloned().collect(),
            self.health_checks.values().cloned().collect(),
            self.groups.values().cloned().collect(),
        );
        let nodes: Vec<_> = self.nodes.values().cloned().collect();
        let configs: Vec<_> = self.configs.values().cloned().collect();
        let draining: Vec<String> = self.draining.keys().cloned().collect();
        let never_read = self.unreadable.keys().filter(|name| !self.virtual_ips.contains_key(*name));
        let unreadable: Vec<String> = never_read.cloned().collect();
        let cluster = Remembered { node_configs: &configs, draining: &draining, unreadable: &unreadable };
        plan(&Input {
            virtual_ips: &virtual_ips,
            health_checks: &health_checks,
            groups: &groups,
            nodes: &nodes,
            memory: PlanMemory::Cluster(cluster),
        })
    }

    /// The operator writes the plan into the `NodeConfigs`; no agent has seen it yet.
    pub(crate) fn write_configs(&mut self) {
        for (name, spec) in self.plan().node_configs {
            let config =
                self.configs.entry(name.clone()).or_insert_with(|| NodeConfig::new(&name, NodeConfigSpec::default()));
            if config.spec != spec || config.metadata.generation.is_none() {
                config.spec = spec;
                config.metadata.generation = Some(config.metadata.generation.unwrap_or_default() + 1);
            }
        }
        self.configs.retain(|name, _| self.nodes.contains_key(name));
    }

    /// The agents take over their `NodeConfigs`: what is new begins as backup.
    pub(crate) fn carry_out(&mut self) {
        self.write_configs();
        let names: Vec<String> = self.configs.keys().cloned().collect();
        for name in &names {
            self.obey(name);
        }
    }

    /// One agent takes over its NodeConfig.
    pub(crate) fn obey(&mut self, name: &str) {
        let config = self.configs.get_mut(name).unwrap();
        let mut status = config.status.take().unwrap_or_default();
        let mut before: BTreeMap<String, VirtualRouterStatus> =
            status.virtual_routers.drain(..).map(|router| (router.name.clone(), router)).collect();
        let routers = config.spec.virtual_routers.iter();
        status.virtual_routers =
            routers.map(|router| before.remove(&router.name).unwrap_or_else(|| begun(router))).collect();
        status.observed_generation = config.metadata.generation;
        config.status = Some(status);
    }

    pub(crate) fn report(&mut self, node: &str) -> &mut NodeConfigStatus {
        self.configs.get_mut(node).unwrap().status.get_or_insert_default()
    }

    /// A node reports a state of a `VirtualIP`, reached at a second of its clock.
    pub(crate) fn state(&mut self, node: &str, virtual_ip: &str, state: RouterState, second: i64) {
        for router in self.routers(node, virtual_ip) {
            router.state = state;
            router.since = Some(at(second));
            router.reason = Some(match state {
                RouterState::Master => "MasterSilent: 192.0.2.13 has not advertised in time".to_owned(),
                RouterState::Fault => "CheckFailed: nginx".to_owned(),
                _ => "HigherPriority".to_owned(),
            });
        }
    }

    pub(crate) fn routers(&mut self, node: &str, virtual_ip: &str) -> Vec<&mut VirtualRouterStatus> {
        let prefix = format!("{virtual_ip}/");
        let of = move |router: &&mut VirtualRouterStatus| router.name == virtual_ip || router.name.starts_with(&prefix);
        self.report(node).virtual_routers.iter_mut().filter(of).collect()
    }

    pub(crate) fn problem(&mut self, node: &str, virtual_ip: &str, reason: RouterProblemReason, message: &str) {
        for router in self.routers(node, virtual_ip) {
            router.problems.push(RouterProblem { reason, message: message.to_owned() });
        }
    }

    /// An agent becomes master, and says so in the `VirtualIP`.
    pub(crate) fn claim(&mut self, node: &str, virtual_ip: &str, second: i64) {
        let vip = self.virtual_ips.get_mut(virtual_ip).unwrap();
        let status = vip.status.get_or_insert_default();
        status.master = Some(node.to_owned());
        status.master_since = Some(at(second));
    }

    /// All nodes agree that this one is master.
    pub(crate) fn settle(&mut self, virtual_ip: &str, master: &str) {
        let names: Vec<String> = self.configs.keys().cloned().collect();
        for name in &names {
            let state = if name == master { RouterState::Master } else { RouterState::Backup };
            self.state(name, virtual_ip, state, 10);
        }
        self.claim(master, virtual_ip, 10);
    }

    pub(crate) fn check(&mut self, node: &str, check: &str, passing: Option<bool>, message: &str) {
        let results = &mut self.report(node).health_checks;
        results.retain(|result| result.name != check);
        let since = passing.map(|_| at(20));
        results.push(HealthCheckResult { name: check.to_owned(), passing, message: Some(message.to_owned()), since });
    }

    pub(crate) fn heartbeat(&mut self, node: &str, heartbeat: Heartbeat) {
        self.beats.get_mut(node).unwrap().heartbeat = heartbeat;
    }

    pub(crate) fn beat(&mut self, node: &str) {
        self.beats.insert(node.to_owned(), Pulse { heartbeat: Heartbeat::Fresh, renewed: Some(self.clock) });
    }

    pub(crate) fn not_ready(&mut self, name: &str) {
        self.nodes.insert(name.to_owned(), node(name, false));
    }

    pub(crate) fn delete_node(&mut self, name: &str) {
        self.nodes.remove(name);
    }

    pub(crate) fn unread(&mut self, name: &str, error: &str, generation: i64) {
        let problem = Unreadable {
            error: error.to_owned(),
            uid: Some(format!("uid of {name}")),
            generation: Some(generation),
            resource_version: None,
        };
        self.unreadable.insert(name.to_owned(), problem);
    }

    /// What the operator makes of it; nothing is written.
    pub(crate) fn aggregate(&self) -> Aggregate {
        self.aggregate_of(&self.plan())
    }

    pub(crate) fn aggregate_of(&self, plan: &Plan) -> Aggregate {
        fn list<T: Clone>(objects: &BTreeMap<String, T>, backwards: bool) -> Vec<T> {
            let objects = objects.values().cloned();
            if backwards { objects.rev().collect() } else { objects.collect() }
        }
        let mut configs = list(&self.configs, self.backwards);
        if self.backwards {
            configs.iter_mut().for_each(backwards);
        }
        let nobody = BTreeMap::new();
        aggregate(
            &Observed {
                virtual_ips: &list(&self.virtual_ips, self.backwards),
                health_checks: &list(&self.health_checks, self.backwards),
                groups: &list(&self.groups, self.backwards),
                unreadable: UnreadableObjects {
                    virtual_ips: &self.unreadable,
                    health_checks: &nobody,
                    groups: &nobody,
                },
                nodes: &list(&self.nodes, self.backwards),
                node_configs: &configs,
                plan,
                draining: &self.draining,
                heartbeats: &self.beats,
                now: at(i64::try_from(self.clock.as_secs()).unwrap()).0,
                monotonic: self.clock,
            },
            &self.memory,
        )
    }

    /// The operator looks, and writes what it found.
    pub(crate) fn look(&mut self) -> Aggregate {
        let result = self.aggregate();
        self.write(&result);
        self.memory = result.memory.clone();
        result
    }

    /// The statuses are written, but for what belongs to the agents.
    pub(crate) fn write(&mut self, result: &Aggregate) {
        for (name, status) in &result.virtual_ips {
            if let Some(vip) = self.virtual_ips.get_mut(name) {
                let before = vip.status.take().unwrap_or_default();
                let (master, master_since) = (before.master, before.master_since);
                vip.status = Some(VirtualIPStatus { master, master_since, ..status.clone() });
            }
        }
        for (name, status) in &result.health_checks {
            self.health_checks.get_mut(name).unwrap().status = Some(status.clone());
        }
        for (name, status) in &result.groups {
            self.groups.get_mut(name).unwrap().status = Some(status.clone());
        }
    }

    /// Time goes by; the operator looks every second, and the nodes that are given renew their leases.
    pub(crate) fn wait(&mut self, seconds: u64, alive: &[&str]) {
        for _ in 0..seconds {
            self.clock += Duration::from_secs(1);
            if self.clock.as_secs().is_multiple_of(5) {
                for node in alive {
                    self.beat(node);
                }
            }
            self.look();
        }
    }

    /// Another operator takes over, which knows nothing but the API.
    pub(crate) fn restart_operator(&mut self) {
        self.memory = Memory::default();
        self.beats.values_mut().for_each(|beat| beat.renewed = None);
        self.clock = seconds(5);
    }

    pub(crate) fn status(&self, virtual_ip: &str) -> &VirtualIPStatus {
        self.virtual_ips[virtual_ip].status.as_ref().unwrap()
    }

    pub(crate) fn check_status(&self, check: &str) -> &HealthCheckStatus {
        self.health_checks[check].status.as_ref().unwrap()
    }

    pub(crate) fn node(&self, virtual_ip: &str, node: &str) -> &VirtualIPNodeStatus {
        self.status(virtual_ip).nodes.iter().find(|found| found.name == node).unwrap()
    }

    /// The state on each node that is listed.
    pub(crate) fn states(&self, virtual_ip: &str) -> Vec<(&str, RouterState)> {
        self.status(virtual_ip).nodes.iter().map(|node| (node.name.as_str(), node.state)).collect()
    }

    /// Status and reason of a condition.
    pub(crate) fn is(&self, virtual_ip: &str, condition: &str) -> (&str, &str) {
        let condition = self.condition(virtual_ip, condition);
        (condition.status.as_str(), condition.reason.as_str())
    }

    pub(crate) fn message(&self, virtual_ip: &str, condition: &str) -> &str {
        &self.condition(virtual_ip, condition).message
    }

    pub(crate) fn condition(&self, virtual_ip: &str, condition: &str) -> &Condition {
        condition_of(&self.status(virtual_ip).conditions, condition)
    }
}

pub(crate) fn condition_of<'a>(conditions: &'a [Condition], condition: &str) -> &'a Condition {
    conditions.iter().find(|found| found.type_ == condition).unwrap()
}

fn begun(router: &VirtualRouter) -> VirtualRouterStatus {
    VirtualRouterStatus {
        name: router.name.clone(),
        state: RouterState::Backup,
        priority: Some(router.priority),
        interface: router.interface.clone(),
        since: Some(at(5)),
        reason: Some("Started".to_owned()),
        transitions: 0,
        fencing: None,
        master_address: None,
        problems: Vec::new(),
    }
}

/// What an agent reports has no particular order.
fn backwards(config: &mut NodeConfig) {
    if let Some(status) = &mut config.status {
        status.virtual_routers.reverse();
        status.health_checks.reverse();
        status.interfaces.reverse();
    }
}
