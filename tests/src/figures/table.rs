//! Figures as a table in Markdown.

use std::time::Duration;

/// One line: what was measured, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// The figure with its unit.
    pub measured: String,
}

impl Figure {
    /// One line.
    pub fn new(what: impl Into<String>, measured: impl Into<String>) -> Self {
        Self { what: what.into(), measured: measured.into() }
    }
}

/// A table of them.
pub fn table(figures: &[Figure]) -> String {
    let rows = figures.iter().map(|figure| format!("| {} | {} |\n", figure.what, figure.measured));
    "| what | measured |\n| --- | --- |\n".chars().chain(rows.collect::<String>().chars()).collect()
}

/// `0.8 ms`, `17 ms`, `2.41 s`.
pub(super) fn time(duration: Duration) -> String {
    let milliseconds = duration.as_secs_f64() * 1e3;
    match milliseconds {
        ..10.0 => format!("{milliseconds:.1} ms"),
        ..1_000.0 => format!("{milliseconds:.0} ms"),
        _ => format!("{:.2} s", duration.as_secs_f64()),
    }
}

/// `512 B`, `14.2 KiB`, `3.1 MiB`.
#[allow(clippy::cast_precision_loss, reason = "a digit behind the point is shown")]
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        ..1_024 => format!("{bytes} B"),
        1_024..1_048_576 => format!("{:.1} KiB", bytes as f64 / 1_024.0),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// `1,234,567`.
pub(super) fn count(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_has_as_many_digits_as_can_be_read() {
        for (duration, expected) in [(840, "0.8 ms"), (17_400, "17 ms"), (2_410_000, "2.41 s")] {
            assert_eq!(time(Duration::from_micros(duration)), expected);
        }
        for (bytes, expected) in [(512, "512 B"), (14_541, "14.2 KiB"), (3 << 20, "3.0 MiB")] {
            assert_eq!(size(bytes), expected);
        }
        for (number, expected) in [(7, "7"), (250, "250"), (2_000, "2,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), expected);
        }
    }

    #[test]
    fn a_table_has_a_row_for_each_figure() {
        let figures = [Figure::new("first", "1 ms"), Figure::new("second", "2")];
        assert_eq!(table(&figures), "| what | measured |\n| --- | --- |\n| first | 1 ms |\n| second | 2 |\n");
    }
}
