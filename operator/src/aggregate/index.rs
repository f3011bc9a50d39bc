//! Everything that was observed, looked up once: nodes by name, and for each `VirtualIP` and `HealthCheck` the nodes that
//! are concerned. With a thousand nodes and hundreds of `VirtualIPs` nothing may be searched for a second time.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use holdfast_crds::condition::{ConditionReason, ConditionType, ProgrammedReason, find_condition};
use holdfast_crds::{
    HealthCheckResult, NodeConfig, NodeConfigSpec, NodeConfigStatus, RouterProblemReason, TrackedHealthCheck,
    VirtualRouter, VirtualRouterStatus,
};
use k8s_openapi::api::core::v1::Node;

use super::memory::Memory;
use super::nodes::is_unreachable;
use super::observed::{Observed, Pulse};
use crate::drain::Draining;
use crate::heartbeat::Heartbeat;

/// How long an agent that is heard of may take to carry out a NodeConfig. Shorter delays concern only those whose spec has
/// changed; otherwise every change of one `VirtualIP` would be seen in the statuses of all others on its nodes.
const PATIENCE: Duration = Duration::from_secs(10);

/// A node that exists.
pub(super) struct NodeView<'a> {
    pub(super) name: &'a str,
    /// Whether Kubernetes calls it ready.
    pub(super) is_ready: bool,
    pub(super) pulse: Pulse,
    pub(super) draining: Option<&'a Draining>,
    pub(super) progress: Progress,
    /// Why the agent cannot make sense of its NodeConfig as a whole.
    pub(super) rejection: Option<&'a str>,
    /// The checks that fail for each group, where any does.
    failing: HashMap<&'a str, Vec<&'a str>>,
}

/// Whether a node carries out the newest NodeConfig.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    /// It does.
    UpToDate,
    /// Not yet.
    Behind,
    /// Not for too long.
    Stuck,
}

/// A `VirtualIP` on a node.
pub(super) struct Placement<'a> {
    /// The place in the list of nodes.
    pub(super) node: usize,
    /// What the node must run of it.
    pub(super) planned: Vec<&'a VirtualRouter>,
    /// What the node reports of it.
    pub(super) reported: Vec<&'a VirtualRouterStatus>,
}

/// A `HealthCheck` on a node.
pub(super) struct Probing<'a> {
    /// The place in the list of nodes.
    pub(super) node: usize,
    /// What the node reports of it.
    pub(super) result: Option<&'a HealthCheckResult>,
}

/// The index. Nodes are in the order of their names, and so is everything that refers to them.
pub(super) struct Index<'a> {
    pub(super) nodes: Vec<NodeView<'a>>,
    virtual_ips: HashMap<&'a str, Vec<Placement<'a>>>,
    health_checks: HashMap<&'a str, Vec<Probing<'a>>>,
    /// See [`Memory::behind`].
    pub(super) behind: BTreeMap<String, Duration>,
    /// See [`Memory::silent`].
    pub(super) silent: BTreeSet<String>,
    /// When the next node will have been behind for too long.
    pub(super) look_again: Option<Duration>,
}

impl<'a> Index<'a> {
    pub(super) fn of(observed: &Observed<'a>, memory: &Memory) -> Self {
        let names: BTreeMap<&'a str, &'a Node> =
            observed.nodes.iter().filter_map(|node| Some((node.metadata.name.as_deref()?, node))).collect();
        let configs: HashMap<&'a str, &'a NodeConfig> = observed
            .node_configs
            .iter()
            .filter_map(|config| Some((config.metadata.name.as_deref()?, config)))
            .collect();
        let mut index = Self {
            nodes: Vec::with_capacity(names.len()),
            virtual_ips: HashMap::new(),
            health_checks: HashMap::new(),
            behind: BTreeMap::new(),
            silent: silent(observed, memory),
            look_again: None,
        };
        for (name, node) in names {
            let config = configs.get(name).copied();
            let planned = observed.plan.node_configs.get(name);
            index.place(planned, config.and_then(|config| config.status.as_ref()));
            let pulse = pulse(name, observed, &index.silent);
            let view = index.view((name, node, pulse), planned, config, observed, memory);
            index.nodes.push(view);
        }
        index
    }

    /// The nodes that are concerned with a `VirtualIP`.
    pub(super) fn placements(&self, virtual_ip: &str) -> &[Placement<'a>] {
        self.virtual_ips.get(virtual_ip).map_or(&[], Vec::as_slice)
    }

    /// The node of a placement.
    pub(super) fn node(&self, placement: &Placement<'_>) -> Option<&NodeView<'a>> {
        self.nodes.get(placement.node)
    }

    /// Whether there is such a node.
    pub(super) fn exists(&self, node: &str) -> bool {
        self.nodes.binary_search_by(|view| view.name.cmp(node)).is_ok()
    }

    /// The group of the plan that a `VirtualIP` moves with: the same on all nodes.
    pub(super) fn group_of(&self, virtual_ip: &str) -> Option<&'a str> {
        let mut planned = self.placements(virtual_ip).iter().filter_map(|placement| placement.planned.first());
        planned.next().map(|router| router.group.as_str())
    }

    /// The nodes that run a `HealthCheck`.
    pub(super) fn probings(&self, health_check: &str) -> &[Probing<'a>] {
        self.health_checks.get(health_check).map_or(&[], Vec::as_slice)
    }

    /// Notes what the next node must run and reports.
    fn place(&mut self, planned: Option<&'a NodeConfigSpec>, reported: Option<&'a NodeConfigStatus>) {
        let node = self.nodes.len();
        for router in planned.into_iter().flat_map(|spec| &spec.virtual_routers) {
            self.note(&router.virtual_ip, node, |placement| placement.planned.push(router));
        }
        for router in reported.into_iter().flat_map(|status| &status.virtual_routers) {
            self.note(virtual_ip_of(&router.name), node, |placement| placement.reported.push(router));
        }
        let results: HashMap<&str, &HealthCheckResult> = reported
            .into_iter()
            .flat_map(|status| &status.health_checks)
            .map(|result| (result.name.as_str(), result))
            .collect();
        for check in planned.into_iter().flat_map(|spec| &spec.health_checks) {
            let probing = Probing { node, result: results.get(check.name.as_str()).copied() };
            self.health_checks.entry(&check.name).or_default().push(probing);
        }
    }

    /// Notes something of a `VirtualIP` on a node. Nodes come one after the other.
    fn note(&mut self, virtual_ip: &'a str, node: usize, put: impl FnOnce(&mut Placement<'a>)) {
        let placements = self.virtual_ips.entry(virtual_ip).or_default();
        if placements.last().is_none_or(|last| last.node != node) {
            placements.push(Placement { node, planned: Vec::new(), reported: Vec::new() });
        }
        if let Some(last) = placements.last_mut() {
            put(last);
        }
    }

    fn view(
        &mut self,
        (name, node, pulse): (&'a str, &'a Node, Pulse),
        planned: Option<&'a NodeConfigSpec>,
        config: Option<&'a NodeConfig>,
        observed: &Observed<'a>,
        memory: &Memory,
    ) -> NodeView<'a> {
        let status = config.and_then(|config| config.status.as_ref());
        let is_behind = pulse.heartbeat == Heartbeat::Fresh && is_behind(planned, config);
        NodeView {
            name,
            is_ready: is_ready(node),
            pulse,
            draining: observed.draining.get(name),
            progress: if is_behind { self.lag(name, observed.monotonic, memory) } else { Progress::UpToDate },
            rejection: status.and_then(rejection),
            failing: planned.zip(status).map(|(planned, status)| failing(planned, status)).unwrap_or_default(),
        }
    }

    fn lag(&mut self, name: &str, now: Duration, memory: &Memory) -> Progress {
        let since = memory.behind.get(name).copied().unwrap_or(now);
        self.behind.insert(name.to_owned(), since);
        let limit = since + PATIENCE;
        if limit <= now {
            return Progress::Stuck;
        }
        self.look_again = Some(self.look_again.map_or(limit, |other| other.min(limit)));
        Progress::Behind
    }
}

/// The nodes that another operator did not hear of when it wrote last, as long as they have not been heard of since.
///
/// One that begins gives every agent the time to renew its Lease. But to take a node for alive until then that was known to
/// be silent would bring back what it said before it died.
fn silent(observed: &Observed<'_>, memory: &Memory) -> BTreeSet<String> {
    let is_unheard = |node: &String| observed.heartbeats.get(node).is_some_and(|pulse| pulse.renewed.is_none());
    let published = || {
        let statuses = observed.virtual_ips.iter().filter_map(|vip| vip.status.as_ref());
        let nodes = statuses.flat_map(|status| &status.nodes).filter(|node| is_unreachable(node));
        nodes.map(|node| node.name.clone()).collect()
    };
    let mut silent = memory.silent.clone().unwrap_or_else(published);
    silent.retain(is_unheard);
    silent
}

/// How an agent is heard of, for one who knows which were silent.
fn pulse(node: &str, observed: &Observed<'_>, silent: &BTreeSet<String>) -> Pulse {
    let pulse = observed.heartbeats.get(node).copied().unwrap_or(Pulse::NEVER);
    let is_silent = pulse.heartbeat == Heartbeat::Fresh && silent.contains(node);
    if is_silent { Pulse { heartbeat: Heartbeat::Late, ..pulse } } else { pulse }
}

impl NodeView<'_> {
    /// Whether its agent is heard of.
    pub(super) fn is_heard(&self) -> bool {
        self.pulse.heartbeat == Heartbeat::Fresh
    }

    /// The health checks that fail for a group.
    pub(super) fn failing_checks(&self, group: &str) -> &[&str] {
        self.failing.get(group).map_or(&[], Vec::as_slice)
    }
}

/// A dual-stack `VirtualIP` has two virtual routers; no name of a `VirtualIP` has a slash.
fn virtual_ip_of(router: &str) -> &str {
    router.split_once('/').map_or(router, |(virtual_ip, _)| virtual_ip)
}

fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_ref());
    conditions.into_iter().flatten().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

/// Whether the plan has not arrived yet: not in the NodeConfig, or not at the agent.
fn is_behind(planned: Option<&NodeConfigSpec>, config: Option<&NodeConfig>) -> bool {
    let Some(planned) = planned else { return false };
    let Some(config) = config else { return true };
    let carried_out = config.status.as_ref().and_then(|status| status.observed_generation);
    config.spec != *planned || carried_out.is_none() || carried_out < config.metadata.generation
}

/// What the agent says of its NodeConfig as a whole: what it says of single virtual routers stands with them.
fn rejection(status: &NodeConfigStatus) -> Option<&str> {
    let condition = find_condition(&status.conditions, ConditionType::Programmed)?;
    let is_of_router = || {
        let mut problems = status.virtual_routers.iter().flat_map(|router| &router.problems);
        problems.any(|problem| problem.reason == RouterProblemReason::NodeRejected)
    };
    let is_rejected = condition.reason == ProgrammedReason::NodeRejected.as_str() && !is_of_router();
    is_rejected.then_some(condition.message.as_str())
}

/// The checks that fail for each group.
fn failing<'a>(planned: &'a NodeConfigSpec, status: &NodeConfigStatus) -> HashMap<&'a str, Vec<&'a str>> {
    let results: HashMap<&str, Option<bool>> =
        status.health_checks.iter().map(|result| (result.name.as_str(), result.passing)).collect();
    let fails = |check: &&TrackedHealthCheck| {
        let passing = results.get(check.name.as_str()).copied().flatten();
        passing == Some(check.reverse)
    };
    let of_group = |group: &'a holdfast_crds::ElectionGroup| {
        let failing: Vec<&str> = group.health_checks.iter().filter(fails).map(|check| check.name.as_str()).collect();
        (!failing.is_empty()).then_some((group.name.as_str(), failing))
    };
    planned.groups.iter().filter_map(of_group).collect()
}
