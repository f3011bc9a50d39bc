//! Metrics, with labels that are bounded by what is configured.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};

use crate::report::Report;
use crate::world::Kind;
use crate::write::Written;
use crate::write::failure::Failure;

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    kind: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfFailure {
    kind: &'static str,
    failure: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfNode {
    node: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfCondition {
    virtual_ip: String,
    condition: String,
}

/// What the operator counts.
pub struct Metrics {
    registry: Registry,
    objects: Family<OfKind, Gauge>,
    unreadable: Gauge,
    silent: Family<OfNode, Gauge>,
    draining: Family<OfNode, Gauge>,
    conditions: Family<OfCondition, Gauge>,
    watch_failures: Family<OfKind, Counter>,
    writes: Family<OfKind, Counter>,
    write_failures: Family<OfFailure, Counter>,
    backlog: Gauge,
    leads: Gauge,
    plan: Histogram,
    aggregate: Histogram,
    events: Family<OfKind, Counter>,
    events_lost: Counter,
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// All at zero.
    pub fn new() -> Self {
        let seconds = || Histogram::new([0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0]);
        let mut metrics = Self {
            registry: Registry::default(),
            objects: Family::default(),
            unreadable: Gauge::default(),
            silent: Family::default(),
            draining: Family::default(),
            conditions: Family::default(),
            watch_failures: Family::default(),
            writes: Family::default(),
            write_failures: Family::default(),
            backlog: Gauge::default(),
            leads: Gauge::default(),
            plan: seconds(),
            aggregate: seconds(),
            events: Family::default(),
            events_lost: Counter::default(),
        };
        metrics.register();
        metrics
    }

    fn register(&mut self) {
        let build = Info::new(vec![("version", env!("CARGO_PKG_VERSION"))]);
        self.registry.register("holdfast_operator_build", "The version of the operator", build);
        let operator = self.registry.sub_registry_with_prefix("holdfast_operator");
        operator.register("objects", "Objects that were seen", self.objects.clone());
        operator.register("unreadable_objects", "Objects that cannot be read", self.unreadable.clone());
        operator.register("node_silent", "1 for a node whose agent is not heard of", self.silent.clone());
        operator.register("node_draining", "1 for a node that is being emptied", self.draining.clone());
        let conditions = "1 for a condition of a VirtualIP that is true, 0 otherwise; by the one who leads";
        operator.register("virtual_ip_condition", conditions, self.conditions.clone());
        operator.register("watch_failures", "Watches that were interrupted", self.watch_failures.clone());
        operator.register("writes", "Objects that were written", self.writes.clone());
        operator.register("write_failures", "Writes that failed", self.write_failures.clone());
        operator.register("write_backlog", "Writes that wait or are under way", self.backlog.clone());
        operator.register("leader", "1 for the operator that leads", self.leads.clone());
        let events = "Events that were published, by the reason";
        operator.register("events", events, self.events.clone());
        operator.register("events_lost", "Events that could not be published", self.events_lost.clone());
        let plan = self.plan.clone();
        operator.register_with_unit("plan_duration", "How long it took to make a plan", Unit::Seconds, plan);
        let aggregate = self.aggregate.clone();
        let help = "How long it took to put the statuses together";
        operator.register_with_unit("aggregate_duration", help, Unit::Seconds, aggregate);
    }

    /// A watch was interrupted.
    pub fn watch_failed(&self, kind: Kind) {
        self.watch_failures.get_or_create(&OfKind { kind: kind.as_str() }).inc();
    }

    /// An object was written.
    pub fn written(&self, kind: Written) {
        self.writes.get_or_create(&OfKind { kind: kind.as_str() }).inc();
    }

    /// An object was not written.
    pub fn not_written(&self, kind: Written, failure: Failure) {
        self.write_failures.get_or_create(&OfFailure { kind: kind.as_str(), failure: failure.as_str() }).inc();
    }

    /// A plan was made.
    pub fn planned(&self, took: Duration) {
        self.plan.observe(took.as_secs_f64());
    }

    /// The statuses were put together.
    pub fn aggregated(&self, took: Duration) {
        self.aggregate.observe(took.as_secs_f64());
    }

    /// An Event was published, or not.
    pub fn event(&self, reason: &'static str) {
        self.events.get_or_create(&OfKind { kind: reason }).inc();
    }

    /// An Event could not be published.
    pub fn event_lost(&self) {
        self.events_lost.inc();
    }

    /// All of them, in the text format of `OpenMetrics`.
    pub fn render(&self, report: &Report, leads: bool, backlog: usize) -> Result<String, fmt::Error> {
        for (kind, count) in &report.objects {
            self.objects.get_or_create(&OfKind { kind }).set(gauge(*count));
        }
        self.unreadable.set(gauge(report.unreadable.len()));
        self.backlog.set(gauge(backlog));
        self.leads.set(i64::from(leads));
        mark(&self.silent, report.silent_nodes.keys());
        mark(&self.draining, report.draining.keys());
        self.conditions.clear();
        for (virtual_ip, condition, is_true) in report.virtual_ips.iter() {
            let labels = OfCondition { virtual_ip: virtual_ip.to_owned(), condition: condition.to_owned() };
            self.conditions.get_or_create(&labels).set(i64::from(is_true));
        }
        let mut text = String::new();
        text::encode(&mut text, &self.registry)?;
        Ok(text)
    }
}

fn mark<'a>(family: &Family<OfNode, Gauge>, nodes: impl Iterator<Item = &'a String>) {
    family.clear();
    for node in nodes {
        family.get_or_create(&OfNode { node: node.clone() }).set(1);
    }
}

fn gauge(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use holdfast_crds::VirtualIPStatus;
    use holdfast_crds::condition::{ReadyReason, condition};
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    use super::*;
    use crate::report::Conditions;

    #[test]
    fn everything_is_told_by_its_name() {
        let metrics = Metrics::new();
        metrics.watch_failed(Kind::Node);
        metrics.written(Written::NodeConfig);
        metrics.not_written(Written::VirtualIPStatus, Failure::Refused);
        metrics.planned(Duration::from_millis(2));
        metrics.event_lost();
        let now = Time(Timestamp::UNIX_EPOCH);
        let conditions = vec![condition(ReadyReason::MasterElected, "", None, now)];
        let status = VirtualIPStatus { conditions, ..VirtualIPStatus::default() };
        let report = Report {
            objects: [("VirtualIP", 3)].into(),
            silent_nodes: [("a".to_owned(), "late")].into(),
            draining: [("b".to_owned(), "a taint".to_owned())].into(),
            virtual_ips: Conditions::of(&[("web".to_owned(), status)].into()),
            ..Report::default()
        };
        let text = metrics.render(&report, true, 4).unwrap();
        for line in [
            "holdfast_operator_objects{kind=\"VirtualIP\"} 3",
            "holdfast_operator_node_silent{node=\"a\"} 1",
            "holdfast_operator_node_draining{node=\"b\"} 1",
            "holdfast_operator_virtual_ip_condition{virtual_ip=\"web\",condition=\"Ready\"} 1",
            "holdfast_operator_watch_failures_total{kind=\"Node\"} 1",
            "holdfast_operator_writes_total{kind=\"NodeConfig\"} 1",
            "holdfast_operator_write_failures_total{kind=\"VirtualIP/status\",failure=\"refused\"} 1",
            "holdfast_operator_write_backlog 4",
            "holdfast_operator_leader 1",
            "holdfast_operator_plan_duration_seconds_count 1",
            "holdfast_operator_events_lost_total 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("holdfast_operator_build_info{version="), "{text}");
        let quiet = metrics.render(&Report::default(), false, 0).unwrap();
        assert!(!quiet.contains("node=\"a\""), "a node that is heard of again, or gone, is not told of\n{quiet}");
    }
}
