//! Which nodes are being emptied. Pure.
//!
//! A node is draining while it has one of the configured taints, or once pods are evicted from it while it is cordoned: that
//! is what `kubectl drain` does. A cordon alone moves nothing. Evictions are over long before the maintenance is, so that they
//! happened is remembered, by an annotation on the NodeConfig, until the node is uncordoned.

use std::collections::BTreeSet;
use std::fmt;

use k8s_openapi::api::core::v1::{Node, Pod};

/// The annotation on the NodeConfig of a draining node; it says why.
pub const ANNOTATION: &str = "holdfast.dev/draining";

/// The taint that tells of a node that is switched off for good or for long.
pub const DEFAULT_TAINT: &str = "node.kubernetes.io/out-of-service";

const EVICTED: &str = "pods are evicted";
const TAINTED: &str = "taint ";

/// Why a node is being emptied.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Draining {
    /// It has a taint with this key.
    Taint(String),
    /// It is cordoned, and pods are, or were, evicted from it.
    Evictions,
}

impl fmt::Display for Draining {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Taint(key) => write!(f, "{TAINTED}{key}"),
            Self::Evictions => f.write_str(EVICTED),
        }
    }
}

/// Whether a node is being emptied: by its taints, whether evictions from it have been seen, and what was remembered.
pub fn draining(node: &Node, taints: &BTreeSet<String>, evicted: bool, remembered: Option<&str>) -> Option<Draining> {
    let spec = node.spec.as_ref()?;
    let keys = spec.taints.iter().flatten().map(|taint| &taint.key);
    if let Some(key) = keys.filter(|key| taints.contains(*key)).min() {
        return Some(Draining::Taint(key.clone()));
    }
    let evicted = evicted || remembered == Some(EVICTED);
    (spec.unschedulable == Some(true) && evicted).then_some(Draining::Evictions)
}

/// From which cordoned nodes pods have been evicted.
#[derive(Debug, Default)]
pub struct Evictions {
    nodes: BTreeSet<String>,
}

impl Evictions {
    /// A pod of a cordoned node was seen. Whether it is the first that is evicted from there.
    pub fn observe(&mut self, node: &str, pod: &Pod) -> bool {
        is_evicted(pod) && self.nodes.insert(node.to_owned())
    }

    /// Forgets all nodes but those that are cordoned.
    pub fn keep(&mut self, cordoned: &BTreeSet<String>) {
        self.nodes.retain(|node| cordoned.contains(node));
    }

    /// Whether pods have been evicted from this node.
    pub fn from(&self, node: &str) -> bool {
        self.nodes.contains(node)
    }
}

/// The API server says so before it deletes the pod. Preemption and taints have reasons of their own.
fn is_evicted(pod: &Pod) -> bool {
    let conditions = pod.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    let mut targets = conditions.filter(|condition| condition.type_ == "DisruptionTarget");
    targets.any(|target| target.status == "True" && target.reason.as_deref() == Some("EvictionByEvictionAPI"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn node(cordoned: bool, taints: &[&str]) -> Node {
        let taints: Vec<_> = taints.iter().map(|key| json!({ "key": key, "effect": "NoExecute" })).collect();
        serde_json::from_value(json!({ "spec": { "unschedulable": cordoned, "taints": taints } })).unwrap()
    }

    #[test]
    fn a_node_is_draining_by_a_configured_taint_or_by_evictions_while_it_is_cordoned() {
        let taints = BTreeSet::from([DEFAULT_TAINT.to_owned(), "example.com/maintenance".to_owned()]);
        let taint = |key: &str| Some(Draining::Taint(key.to_owned()));
        let evictions = Some(Draining::Evictions);
        for (cordoned, keys, evicted, remembered, expected) in [
            (false, &[][..], false, None, None),
            (true, &[], false, None, None),
            (true, &["node.kubernetes.io/unschedulable"], false, None, None),
            (true, &[], true, None, evictions.clone()),
            (true, &[], false, Some("pods are evicted"), evictions),
            (true, &[], false, Some("taint example.com/maintenance"), None),
            (false, &[], true, None, None),
            (false, &[], false, Some("pods are evicted"), None),
            (false, &[DEFAULT_TAINT], false, None, taint(DEFAULT_TAINT)),
            (true, &["example.com/maintenance"], true, None, taint("example.com/maintenance")),
            (false, &["node.kubernetes.io/not-ready"], false, None, None),
        ] {
            let found = draining(&node(cordoned, keys), &taints, evicted, remembered);
            assert_eq!(found, expected, "cordoned {cordoned}, taints {keys:?}, evicted {evicted}, {remembered:?}");
        }
    }

    #[test]
    fn what_is_written_is_what_is_remembered() {
        let cordoned = node(true, &[]);
        let written = Draining::Evictions.to_string();
        let remembered = draining(&cordoned, &BTreeSet::new(), false, Some(&written));
        assert_eq!(remembered, Some(Draining::Evictions));
    }

    #[test]
    fn only_evictions_through_the_api_count() {
        for (kind, status, reason, expected) in [
            ("DisruptionTarget", "True", "EvictionByEvictionAPI", true),
            ("DisruptionTarget", "False", "EvictionByEvictionAPI", false),
            ("DisruptionTarget", "True", "PreemptionByScheduler", false),
            ("DisruptionTarget", "True", "DeletionByTaintManager", false),
            ("Ready", "True", "EvictionByEvictionAPI", false),
        ] {
            let condition = json!({ "type": kind, "status": status, "reason": reason });
            let pod: Pod = serde_json::from_value(json!({ "status": { "conditions": [condition] } })).unwrap();
            assert_eq!(Evictions::default().observe("a", &pod), expected, "{kind} {status} {reason}");
        }
        assert!(!Evictions::default().observe("a", &Pod::default()));
    }
}
