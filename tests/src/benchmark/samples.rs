//! Figures of one kind, from several runs.

use std::time::Duration;

use serde::Serialize;

/// One figure a run, in the order of the runs.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[serde(transparent)]
pub(super) struct Samples(Vec<f64>);

/// What a table shows of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Summary {
    /// The middle one, or the mean of the two in the middle.
    pub(super) median: f64,
    /// The smallest.
    pub(super) least: f64,
    /// The largest.
    pub(super) most: f64,
}

impl Samples {
    /// Adds the figure of one more run.
    pub(super) fn push(&mut self, figure: f64) {
        self.0.push(figure);
    }

    /// Median and range; `None` if there was no run.
    pub(super) fn summary(&self) -> Option<Summary> {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let middle = |place: usize| sorted.get(place).copied();
        let (low, high) = (middle((sorted.len() - 1) / 2)?, middle(sorted.len() / 2)?);
        Some(Summary { median: f64::midpoint(low, high), least, most })
    }

    /// How many runs there were.
    pub(super) fn runs(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<f64> for Samples {
    fn from_iter<I: IntoIterator<Item = f64>>(figures: I) -> Self {
        Self(figures.into_iter().collect())
    }
}

/// A duration in milliseconds.
pub(super) fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Time from `earlier` to `later` in milliseconds; negative if they are the other way round.
pub(super) fn milliseconds_from(earlier: std::time::Instant, later: std::time::Instant) -> f64 {
    milliseconds(later.saturating_duration_since(earlier)) - milliseconds(earlier.saturating_duration_since(later))
}

/// A count as a figure.
pub(super) fn count(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::INFINITY, f64::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle_whatever_the_order() {
        let table: [(&[f64], f64, f64, f64); 4] = [
            (&[3.0], 3.0, 3.0, 3.0),
            (&[9.0, 1.0], 5.0, 1.0, 9.0),
            (&[9.0, 1.0, 2.0], 2.0, 1.0, 9.0),
            (&[4.0, 9.0, 1.0, 2.0], 3.0, 1.0, 9.0),
        ];
        for (figures, median, least, most) in table {
            let samples: Samples = figures.iter().copied().collect();
            assert_eq!(samples.summary(), Some(Summary { median, least, most }), "{figures:?}");
        }
        assert_eq!(Samples::default().summary(), None);
    }

    #[test]
    fn a_time_between_two_moments_has_a_sign() {
        let start = std::time::Instant::now();
        let later = start + Duration::from_millis(1_500);
        assert!((milliseconds_from(start, later) - 1_500.0).abs() < 1e-6);
        assert!((milliseconds_from(later, start) + 1_500.0).abs() < 1e-6);
        assert!((count(2_000) - 2_000.0).abs() < 1e-6);
    }
}
