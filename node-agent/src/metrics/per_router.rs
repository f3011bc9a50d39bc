//! Metrics that every virtual router has.
//!
//! Their samples are made while the page is written, one virtual router after the other: of thousands they would take more
//! memory than everything else that the agent has.

use std::fmt;
use std::sync::Arc;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;

use super::Labels;
use crate::snapshot::{AgentStatus, RouterSnapshot};

/// The samples of one virtual router.
pub(super) type Samples = Vec<(Labels, u64)>;

/// Registers metrics of the virtual routers of a status.
pub(super) struct PerRouter<'r> {
    pub(super) registry: &'r mut Registry,
    pub(super) status: &'r Arc<AgentStatus>,
}

struct Metric<F> {
    name: &'static str,
    help: &'static str,
    kind: MetricType,
    status: Arc<AgentStatus>,
    samples: F,
}

impl PerRouter<'_> {
    /// What may rise and fall.
    pub(super) fn gauge(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl Fn(&RouterSnapshot) -> Samples + Send + Sync + 'static,
    ) {
        self.register(name, help, MetricType::Gauge, samples);
    }

    /// What only grows.
    pub(super) fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        samples: impl Fn(&RouterSnapshot) -> Samples + Send + Sync + 'static,
    ) {
        self.register(name, help, MetricType::Counter, samples);
    }

    fn register(
        &mut self,
        name: &'static str,
        help: &'static str,
        kind: MetricType,
        samples: impl Fn(&RouterSnapshot) -> Samples + Send + Sync + 'static,
    ) {
        let metric = Metric { name, help, kind, status: Arc::clone(self.status), samples };
        self.registry.register_collector(Box::new(metric));
    }
}

impl<F: Fn(&RouterSnapshot) -> Samples + Send + Sync + 'static> Collector for Metric<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let help = format!("{}.", self.help);
        let mut family = encoder.encode_descriptor(self.name, &help, None, self.kind)?;
        for router in &self.status.snapshot.virtual_routers {
            for (labels, value) in (self.samples)(router) {
                let mut sample = family.encode_family(&labels)?;
                match self.kind {
                    MetricType::Counter => sample.encode_counter::<NoLabelSet, u64, u64>(&value, None)?,
                    _ => sample.encode_gauge(&i64::try_from(value).unwrap_or(i64::MAX))?,
                }
            }
        }
        Ok(())
    }
}

impl<F> fmt::Debug for Metric<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metric").field("name", &self.name).finish_non_exhaustive()
    }
}
