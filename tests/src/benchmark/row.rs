//! One line of the report: a measure, the samples of both programs, and the goal.

use serde::Serialize;

use super::contender::Contender;
use super::goal::{Goal, Verdict};
use super::samples::Samples;
use super::unit::Unit;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// What happens, such as `node crash`.
    pub(super) subject: String,
    /// What is measured of it, and under which circumstances.
    pub(super) measure: String,
    /// What the samples count.
    pub(super) unit: Unit,
    /// Keepalived's samples; empty where it has no such thing.
    pub(super) keepalived: Samples,
    /// Holdfast's samples.
    pub(super) holdfast: Samples,
    /// What Holdfast shall reach.
    pub(super) goal: Goal,
    /// The plot that shows it, and as which category.
    pub(super) plot: Option<(Plot, String)>,
}

/// A plot of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Plot {
    /// Probes lost in a planned stop, by interval.
    PlannedStop,
    /// Gap of a node crash, by interval.
    Failover,
    /// Last VIP after a node crash, by number of VIPs.
    MassFailover,
    /// CPU of the master, by number of VIPs.
    CpuMaster,
    /// CPU of the backup, by number of VIPs.
    CpuBackup,
}

impl Row {
    /// Without samples yet.
    pub(super) fn new(subject: &str, measure: impl Into<String>, unit: Unit, goal: Goal) -> Self {
        let (keepalived, holdfast) = (Samples::default(), Samples::default());
        Self { subject: subject.to_owned(), measure: measure.into(), unit, keepalived, holdfast, goal, plot: None }
    }

    /// Shown in `plot` as `category`.
    #[must_use]
    pub(super) fn plotted(mut self, plot: Plot, category: impl Into<String>) -> Self {
        self.plot = Some((plot, category.into()));
        self
    }

    /// Adds a sample.
    pub(super) fn add(&mut self, contender: Contender, figure: f64) {
        match contender {
            Contender::Keepalived => self.keepalived.push(figure),
            Contender::Holdfast => self.holdfast.push(figure),
        }
    }

    /// What came of the goal.
    pub(super) fn verdict(&self) -> Verdict {
        self.goal.judge(&self.keepalived, &self.holdfast)
    }
}
