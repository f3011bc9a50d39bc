//! Every sample, for programs.

use serde_json::{Value, json};

use super::Findings;
use crate::benchmark::row::Row;

/// The whole report.
pub(in crate::benchmark) fn json(findings: &Findings) -> Value {
    json!({
        "machine": findings.machine,
        "command": findings.command,
        "seed": findings.seed,
        "rows": findings.rows.iter().map(row).collect::<Vec<_>>(),
        "notes": findings.notes,
        "failures": findings.failures,
    })
}

fn row(row: &Row) -> Value {
    json!({
        "subject": row.subject,
        "measure": row.measure,
        "unit": row.unit,
        "keepalived": row.keepalived,
        "holdfast": row.holdfast,
        "goal": row.goal.describe(row.unit),
        "result": row.verdict(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::contender::Contender;
    use crate::benchmark::goal::Goal;
    use crate::benchmark::unit::Unit;

    #[test]
    fn a_row_holds_its_samples_and_what_came_of_the_goal() {
        let mut measured = Row::new("node crash", "A = 10 ms", Unit::Milliseconds, Goal::at_most(38.0));
        measured.add(Contender::Holdfast, 40.5);
        assert_eq!(
            row(&measured),
            json!({
                "subject": "node crash", "measure": "A = 10 ms", "unit": "ms", "keepalived": [], "holdfast": [40.5],
                "goal": "≤ 38.0 ms", "result": { "verdict": "missed", "by": 2.5 },
            })
        );
    }
}
