//! What a figure counts, and how it is written for people.

use serde::Serialize;

/// The unit of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(super) enum Unit {
    /// Probes that are sent a millisecond apart and had no answer within 50 ms.
    #[serde(rename = "probes lost")]
    Probes,
    /// Time.
    #[serde(rename = "ms")]
    Milliseconds,
    /// Time for one of many.
    #[serde(rename = "µs")]
    Microseconds,
    /// Part of the time of one core.
    #[serde(rename = "% of one core")]
    Percent,
    /// Memory.
    #[serde(rename = "MiB")]
    Mebibytes,
    /// Events or frames.
    #[serde(rename = "count")]
    Count,
}

impl Unit {
    /// `0`, `12`, `3.4 ms`, `23 %`: as many digits as can be read.
    pub(super) fn show(self, figure: f64) -> String {
        let unit = match self {
            Self::Probes | Self::Count => "",
            Self::Milliseconds => " ms",
            Self::Microseconds => " µs",
            Self::Percent => " %",
            Self::Mebibytes => " MiB",
        };
        format!("{}{unit}", self.digits(figure))
    }

    fn digits(self, figure: f64) -> String {
        let places = match (self, figure.abs()) {
            (Self::Probes | Self::Count, _) | (_, 100.0..) => 0,
            (Self::Percent, ..10.0) => 2,
            _ => 1,
        };
        // A zero has no sign.
        let text = format!("{figure:.places$}");
        if text.trim_start_matches(['-', '0', '.']).is_empty() { text.trim_start_matches('-').to_owned() } else { text }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_as_many_digits_as_can_be_read() {
        let table = [
            (Unit::Probes, 61.0, "61"),
            (Unit::Count, 0.0, "0"),
            (Unit::Milliseconds, 3232.4, "3232 ms"),
            (Unit::Milliseconds, 28.34, "28.3 ms"),
            (Unit::Milliseconds, -0.01, "0.0 ms"),
            (Unit::Microseconds, 24.6, "24.6 µs"),
            (Unit::Percent, 2.083, "2.08 %"),
            (Unit::Percent, 23.2, "23.2 %"),
            (Unit::Mebibytes, 6.1, "6.1 MiB"),
        ];
        for (unit, figure, shown) in table {
            assert_eq!(unit.show(figure), shown);
        }
    }
}
