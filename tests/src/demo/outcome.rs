//! Expected and measured, as a table.

use std::fmt;
use std::time::Duration;

/// One promise and what became of it.
pub(crate) struct Outcome {
    /// What happened.
    pub(crate) step: &'static str,
    /// What was promised.
    pub(crate) expected: String,
    /// What was measured.
    pub(crate) measured: String,
    /// Whether the promise was kept.
    pub(crate) met: bool,
}

/// All promises of a demo.
#[derive(Default)]
pub(crate) struct Outcomes(Vec<Outcome>);

impl Outcomes {
    /// Adds one, and says it.
    pub(crate) fn add(&mut self, outcome: Outcome) {
        let verdict = if outcome.met { "as promised" } else { "MISSED" };
        println!("   {} ({}): {verdict}", outcome.measured, outcome.expected);
        self.0.push(outcome);
    }

    /// How many promises were not kept.
    pub(crate) fn missed(&self) -> usize {
        self.0.iter().filter(|outcome| !outcome.met).count()
    }
}

impl fmt::Display for Outcomes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width =
            |column: fn(&Outcome) -> &str| self.0.iter().map(|row| column(row).chars().count()).max().unwrap_or(0);
        let (step, expected) = (width(|row| row.step), width(|row| &row.expected).max("EXPECTED".len()));
        let measured = width(|row| &row.measured).max("MEASURED".len());
        writeln!(formatter, "{:step$}  {:expected$}  {:measured$}  ", "STEP", "EXPECTED", "MEASURED")?;
        for row in &self.0 {
            let verdict = if row.met { "ok" } else { "MISSED" };
            let (title, promise, figure) = (row.step, &row.expected, &row.measured);
            writeln!(formatter, "{title:step$}  {promise:expected$}  {figure:measured$}  {verdict}")?;
        }
        Ok(())
    }
}

/// A duration in milliseconds, or in seconds once they are easier to read.
pub(crate) fn time(duration: Duration) -> String {
    if duration < Duration::from_secs(10) {
        format!("{} ms", duration.as_millis())
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
