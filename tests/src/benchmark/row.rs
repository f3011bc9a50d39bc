//! One line of the report: a measure, the samples of both programs, and the goal.

use serde::Serialize;

use super::contender::Contender;
use super::goal::{Goal, Verdict};
use super::samples::Samples;
use super::unit::Unit;

/// See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// What happens, such as `node crash`.
    pub subject: String,
    /// What is measured of it, and under which circumstances.
    pub measure: String,
    /// What the samples count.
    pub unit: Unit,
    /// Keepalived's samples; empty where it has no such thing.
    pub keepalived: Samples,
    /// Holdfast's samples.
    pub holdfast: Samples,
    /// What Holdfast shall reach.
    pub goal: Goal,
    /// The plot that shows it, and as which category.
    pub plot: Option<(Plot, String)>,
}

/// A plot of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Plot {
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
    pub fn new(subject: &str, measure: impl Into<String>, unit: Unit, goal: Goal) -> Self {
        let (keepalived, holdfast) = (Samples::default(), Samples::default());
        Self { subject: subject.to_owned(), measure: measure.into(), unit, keepalived, holdfast, goal, plot: None }
    }

    /// Shown in `plot` as `category`.
    #[must_use]
    pub fn plotted(mut self, plot: Plot, category: impl Into<String>) -> Self {
        self.plot = Some((plot, category.into()));
        self
    }

    /// Adds a sample.
    pub fn add(&mut self, contender: Contender, figure: f64) {
        match contender {
            Contender::Keepalived => self.keepalived.push(figure),
            Contender::Holdfast => self.holdfast.push(figure),
        }
    }

    /// The samples of one program.
    pub fn samples(&self, contender: Contender) -> &Samples {
        match contender {
            Contender::Keepalived => &self.keepalived,
            Contender::Holdfast => &self.holdfast,
        }
    }

    /// What came of the goal.
    pub fn verdict(&self) -> Verdict {
        self.goal.judge(&self.keepalived, &self.holdfast)
    }
}
