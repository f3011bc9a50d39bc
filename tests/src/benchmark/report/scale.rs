//! The axis of a chart: from figures to heights, and the lines that a reader counts by.

/// How figures become heights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    /// Twice as much is twice as high.
    Linear,
    /// Ten times as much is one step higher; for figures that differ by magnitudes.
    Logarithmic,
}

/// The axis for figures up to a largest one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Axis {
    scale: Scale,
    least: f64,
    most: f64,
}

impl Axis {
    /// For these figures. A logarithmic axis begins at the magnitude of the smallest one above `0`.
    pub(super) fn of(scale: Scale, figures: &[f64]) -> Self {
        let most = figures.iter().copied().fold(0.0, f64::max);
        match scale {
            Scale::Linear => Self { scale, least: 0.0, most: if most > 0.0 { most * 1.05 } else { 1.0 } },
            Scale::Logarithmic => {
                let positive = figures.iter().copied().filter(|figure| *figure > 0.0);
                let least = magnitude(positive.fold(most.max(1.0), f64::min));
                Self { scale, least, most: (magnitude(most) * 10.0).max(least * 10.0) }
            }
        }
    }

    /// Where a figure is between the bottom (0) and the top (1).
    pub(super) fn height(&self, figure: f64) -> f64 {
        let height = match self.scale {
            Scale::Linear => figure / self.most,
            Scale::Logarithmic if figure <= 0.0 => 0.0,
            Scale::Logarithmic => (figure / self.least).log10() / (self.most / self.least).log10(),
        };
        height.clamp(0.0, 1.0)
    }

    /// Figures to draw lines at.
    pub(super) fn ticks(&self) -> Vec<f64> {
        let next = |tick: f64, step: f64| match self.scale {
            Scale::Linear => tick + step,
            Scale::Logarithmic => tick * 10.0,
        };
        let step = nice(self.most / 5.0);
        std::iter::successors(Some(self.least), |tick| Some(next(*tick, step)))
            .take_while(|tick| *tick <= self.most * 1.000_001)
            .collect()
    }
}

/// The power of ten that is not above `figure`; 1 for nothing.
fn magnitude(figure: f64) -> f64 {
    if figure > 0.0 { 10_f64.powf(figure.log10().floor()) } else { 1.0 }
}

/// The next of 1, 2, 5, 10, 20, .. that is not below `step`.
fn nice(step: f64) -> f64 {
    let magnitude = magnitude(step);
    let candidates = [1.0, 2.0, 5.0].map(|digit| digit * magnitude);
    candidates.into_iter().find(|candidate| *candidate >= step).unwrap_or(magnitude * 10.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(one: &[f64], other: &[f64]) -> bool {
        one.len() == other.len() && one.iter().zip(other).all(|(one, other)| (one - other).abs() < 1e-9)
    }

    #[test]
    fn a_linear_axis_begins_at_nothing_and_has_round_lines() {
        let axis = Axis::of(Scale::Linear, &[3.0, 20.0]);
        assert!(same(&axis.ticks(), &[0.0, 5.0, 10.0, 15.0, 20.0]), "{:?}", axis.ticks());
        assert!((axis.height(10.5) - 0.5).abs() < 1e-9);
        assert!(same(&[axis.height(-1.0), axis.height(99.0)], &[0.0, 1.0]));
    }

    #[test]
    fn a_logarithmic_axis_goes_by_magnitudes_and_shows_nothing_at_its_bottom() {
        let axis = Axis::of(Scale::Logarithmic, &[0.0, 28.0, 3_232.0]);
        assert!(same(&axis.ticks(), &[10.0, 100.0, 1_000.0, 10_000.0]), "{:?}", axis.ticks());
        assert!(same(&[axis.height(0.0), axis.height(10.0), axis.height(10_000.0)], &[0.0, 0.0, 1.0]));
        assert!((axis.height(100.0) - 1.0 / 3.0).abs() < 1e-9);
    }

    #[test]
    fn an_axis_without_figures_is_an_axis_yet() {
        for scale in [Scale::Linear, Scale::Logarithmic] {
            assert!(Axis::of(scale, &[]).ticks().len() > 1);
            assert!(Axis::of(scale, &[0.0]).height(0.0) <= 0.0);
        }
    }
}
