//! What Holdfast shall reach, and whether it did: computed from the samples, never written down.

use serde::Serialize;

use super::samples::Samples;
use super::unit::Unit;

/// Both parts must hold, as far as they are given.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Goal {
    at_most: Option<f64>,
    over_keepalived: Option<f64>,
}

/// What came of a goal.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", tag = "verdict", content = "by")]
pub(super) enum Verdict {
    /// There is no goal: the figure is there to be known.
    Reported,
    /// It is reached.
    Reached,
    /// It is missed by so much.
    Missed(f64),
    /// What it is about was not measured.
    NotMeasured,
}

impl Goal {
    /// Nothing but a report.
    pub(super) const REPORT: Self = Self { at_most: None, over_keepalived: None };

    /// No run is above this.
    pub(super) const fn at_most(limit: f64) -> Self {
        Self { at_most: Some(limit), over_keepalived: None }
    }

    /// The median is not above keepalived's of the same run by more than `slack`, which is what the measurement resolves.
    pub(super) const fn not_more_than_keepalived(slack: f64) -> Self {
        Self { at_most: None, over_keepalived: Some(slack) }
    }

    /// [`Goal::not_more_than_keepalived`] as well.
    #[must_use]
    pub(super) const fn and_not_more_than_keepalived(mut self, slack: f64) -> Self {
        self.over_keepalived = Some(slack);
        self
    }

    /// The limit that holds for every run.
    pub(super) fn limit(&self) -> Option<f64> {
        self.at_most
    }

    /// Judges the samples.
    pub(super) fn judge(&self, keepalived: &Samples, holdfast: &Samples) -> Verdict {
        if *self == Self::REPORT {
            return Verdict::Reported;
        }
        let Some(ours) = holdfast.summary() else { return Verdict::NotMeasured };
        let over_limit = self.at_most.map(|limit| ours.most - limit);
        let over_peer = match (self.over_keepalived, keepalived.summary()) {
            (None, _) => None,
            (Some(_), None) => return Verdict::NotMeasured,
            (Some(slack), Some(peer)) => Some(ours.median - peer.median - slack),
        };
        let by = [over_limit, over_peer].into_iter().flatten().fold(f64::NEG_INFINITY, f64::max);
        if by > 0.0 { Verdict::Missed(by) } else { Verdict::Reached }
    }

    /// In words.
    pub(super) fn describe(&self, unit: Unit) -> String {
        let limit = self.at_most.map(|limit| format!("≤ {}", unit.show(limit)));
        let peer = self.over_keepalived.map(|slack| {
            if slack > 0.0 {
                format!("median ≤ keepalived + {}", unit.show(slack))
            } else {
                "median ≤ keepalived".to_owned()
            }
        });
        let parts: Vec<String> = [limit, peer].into_iter().flatten().collect();
        if parts.is_empty() { "report".to_owned() } else { parts.join(", ") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(figures: &[f64]) -> Samples {
        figures.iter().copied().collect()
    }

    #[test]
    fn a_limit_holds_for_the_worst_run_and_a_comparison_for_the_median() {
        let (limit, peer) = (Goal::at_most(10.0), Goal::not_more_than_keepalived(1.0));
        let both = Goal::at_most(10.0).and_not_more_than_keepalived(1.0);
        let table: [(Goal, &[f64], &[f64], Verdict); 10] = [
            (Goal::REPORT, &[], &[], Verdict::Reported),
            (limit, &[], &[1.0, 10.0], Verdict::Reached),
            (limit, &[], &[1.0, 12.0], Verdict::Missed(2.0)),
            (limit, &[1.0], &[], Verdict::NotMeasured),
            (peer, &[5.0], &[1.0, 6.0, 99.0], Verdict::Reached),
            (peer, &[5.0], &[1.0, 9.0, 9.0], Verdict::Missed(3.0)),
            (peer, &[], &[1.0], Verdict::NotMeasured),
            (both, &[9.5], &[10.0], Verdict::Reached),
            (both, &[5.0], &[9.0], Verdict::Missed(3.0)),
            (both, &[50.0], &[11.0], Verdict::Missed(1.0)),
        ];
        for (goal, keepalived, holdfast, verdict) in table {
            assert_eq!(goal.judge(&samples(keepalived), &samples(holdfast)), verdict, "{goal:?} of {holdfast:?}");
        }
    }

    #[test]
    fn a_goal_is_shown_with_its_unit() {
        let unit = Unit::Milliseconds;
        assert_eq!(Goal::REPORT.describe(unit), "report");
        assert_eq!(Goal::at_most(150.0).describe(unit), "≤ 150 ms");
        assert_eq!(Goal::not_more_than_keepalived(0.0).describe(unit), "median ≤ keepalived");
        let both = Goal::at_most(362.9).and_not_more_than_keepalived(2.0);
        assert_eq!(both.describe(unit), "≤ 363 ms, median ≤ keepalived + 2.0 ms");
    }
}
