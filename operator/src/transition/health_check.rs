//! What there is to tell of a `HealthCheck`.

use std::collections::BTreeMap;

use holdfast_crds::HealthCheckStatus;
use holdfast_crds::condition::HealthCheckAcceptedReason;

use super::{HasTransitions, Transition, accepted};
use crate::aggregate::wording::{by_message, list};

impl HasTransitions for HealthCheckStatus {
    fn transitions_to(&self, new: &Self) -> Vec<Transition> {
        let accepted = accepted(&self.conditions, &new.conditions, HealthCheckAcceptedReason::ALL);
        let before: BTreeMap<&str, bool> =
            self.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.passing?))).collect();
        let changed = |passing: bool| {
            let is_new = move |before: Option<bool>| before != Some(passing);
            let of_kind = new.nodes.iter().filter(move |node| node.passing == Some(passing));
            of_kind.filter(|node| is_new(before.get(node.name.as_str()).copied())).collect::<Vec<_>>()
        };
        let failing: Vec<(&str, &str)> = changed(false)
            .into_iter()
            .map(|node| (node.name.as_str(), node.message.as_deref().unwrap_or("the probe failed")))
            .collect();
        // A first success is no news.
        let failed_before = |name: &str| before.get(name) == Some(&false);
        let passing: Vec<&str> =
            changed(true).into_iter().map(|node| node.name.as_str()).filter(|name| failed_before(name)).collect();
        let failing = (!failing.is_empty())
            .then(|| Transition::warning("HealthCheckFailing", "Probe", format!("Fails on {}", by_message(failing))));
        let passing = (!passing.is_empty())
            .then(|| Transition::normal("HealthCheckPassing", "Probe", format!("Passes again on {}", list(&passing))));
        [accepted, failing, passing].into_iter().flatten().collect()
    }
}
