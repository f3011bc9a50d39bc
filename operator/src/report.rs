//! The state of affairs, for probes, people and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_crds::VirtualIPStatus;
use kube::ResourceExt;
use serde::Serialize;

use crate::drain::Draining;
use crate::heartbeat::Heartbeat;
use crate::world::{Cached, Kind, Store, World};

/// The state of affairs.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// The kinds that have not been listed yet.
    pub missing: Vec<Kind>,
    /// How many objects there are of each kind.
    pub objects: BTreeMap<&'static str, usize>,
    /// The objects that cannot be read, and why.
    pub unreadable: BTreeMap<String, String>,
    /// The nodes whose agents are not heard of.
    pub silent_nodes: BTreeMap<String, &'static str>,
    /// The nodes that are being emptied, and why.
    pub draining: BTreeMap<String, String>,
    /// How the `VirtualIPs` are, as the one who leads judges them.
    pub virtual_ips: Conditions,
}

/// The conditions of `VirtualIPs`: by name and type, the status and the reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Conditions {
    by_name: BTreeMap<String, BTreeMap<String, (String, String)>>,
}

impl Conditions {
    /// Of these statuses.
    pub fn of(statuses: &BTreeMap<String, VirtualIPStatus>) -> Self {
        let of_one = |status: &VirtualIPStatus| {
            let conditions = status.conditions.iter();
            conditions.map(|one| (one.type_.clone(), (one.status.clone(), one.reason.clone()))).collect()
        };
        Self { by_name: statuses.iter().map(|(name, status)| (name.clone(), of_one(status))).collect() }
    }

    /// Name, type, and whether it is true.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str, bool)> {
        self.by_name.iter().flat_map(|(name, conditions)| {
            conditions.iter().map(|(kind, (status, _))| (name.as_str(), kind.as_str(), status == "True"))
        })
    }
}

impl Report {
    /// Before anything was seen.
    pub fn unseen() -> Self {
        Self { missing: Kind::ALL.to_vec(), ..Self::default() }
    }

    /// Of what was seen until now.
    pub fn of(
        world: &World,
        missing: Vec<Kind>,
        draining: &BTreeMap<String, Draining>,
        virtual_ips: &Conditions,
        now: Duration,
    ) -> Self {
        let mut report = Self { missing, virtual_ips: virtual_ips.clone(), ..Self::default() };
        report.count(Kind::VirtualIP, &world.virtual_ips);
        report.count(Kind::HealthCheck, &world.health_checks);
        report.count(Kind::VirtualIPGroup, &world.groups);
        report.count(Kind::NodeConfig, &world.node_configs);
        report.count(Kind::Node, &world.nodes);
        for node in world.nodes.objects() {
            let silence = match world.heartbeats.of(&node.name_any(), now) {
                Heartbeat::Fresh => continue,
                Heartbeat::Late => "late",
                Heartbeat::Never => "never heard of",
            };
            report.silent_nodes.insert(node.name_any(), silence);
        }
        report.draining = draining.iter().map(|(node, reason)| (node.clone(), reason.to_string())).collect();
        report
    }

    fn count<K: Cached>(&mut self, kind: Kind, store: &Store<K>) {
        self.objects.insert(kind.as_str(), store.objects().len());
        let unreadable = store.unreadable().iter();
        self.unreadable
            .extend(unreadable.map(|(name, problem)| (format!("{} {name}", kind.as_str()), problem.error.clone())));
    }
}
