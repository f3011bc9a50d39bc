//! The matrix as a line for each part, as a page, and as JSON. Pure, down to the files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::json;

use super::bounds::Bounds;
use super::figures::Figures;
use super::matrix::{Matrix, Part, Result as RowResult};

/// How to read it.
const INTRODUCTION: &str = "\
# The chaos matrix

Everything is broken on purpose, on a Kubernetes of three nodes with Holdfast installed by its chart. This page is written by
`make chaos`.

- A client asks five addresses (IPv4 and IPv6, with the default fence and a strict one) by ICMP, each once a millisecond, and the web
  server behind one of them by HTTP each 5 ms, with a new connection each time. An answer that takes longer than 50 ms (a page: 500 ms) is
  a loss. *gap*: the longest time without an answer.
- A second host asks each 20 ms who has each address, by ARP and neighbour solicitation. *nobody answered*, *two answered*: the
  longest times; a client with a fresh or with an old neighbour entry notices the one or the other.
- The statuses are asked for each 20 ms. *wrong master named*: the longest time for which the status named none of those who
  answered.
- The advertisement interval is 200 ms, the priorities of the nodes are 200, 150 and 100. Figures are the worst of all addresses. What a
  request that is under way at a move suffers is no promise: the node that has the address then does not know its connection.
";

/// The columns of the page.
const HEADLINE: &str = "\
| fault | promised | probes lost | longest gap | nobody answered | two answered | wrong master named | requests failed | |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
";

/// One part, for a terminal.
pub(super) fn line(part: &Part) -> String {
    let mut text = format!(
        "lost {}, gap {}, nobody {}, two {}, wrong master {}, requests failed {} (strict fence: {})",
        part.overlap.lost,
        time(part.overlap.gap),
        time(part.overlap.unanswered),
        time(part.overlap.two),
        time(part.overlap.wrong),
        part.requests.failed,
        strict(&part.strict),
    );
    for note in &part.notes {
        let _ = write!(text, "; {note}");
    }
    for miss in &part.misses {
        let _ = write!(text, "\n      MISSED: {miss}");
    }
    text
}

fn strict(figures: &Figures) -> String {
    format!("lost {}, nobody {}, two {}", figures.lost, time(figures.unanswered), time(figures.two))
}

/// The table of all rows, in Markdown.
fn table(matrix: &Matrix) -> String {
    let mut text = HEADLINE.to_owned();
    for row in &matrix.rows {
        let _ = writeln!(text, "| **{}** (`{}`) | | | | | | | | {} |", row.fault, row.name, verdict(row));
        for part in &row.parts {
            let _ = writeln!(text, "{}", part_row(part));
        }
    }
    text
}

fn verdict(row: &RowResult) -> String {
    match &row.failure {
        None if row.is_kept() => "kept".to_owned(),
        None => "**missed**".to_owned(),
        Some(failure) => format!("**not played to its end**: {}", failure.replace(['|', '\n'], " ")),
    }
}

fn part_row(part: &Part) -> String {
    let both = |figure: fn(&Figures) -> String| {
        let (overlap, strict) = (figure(&part.overlap), figure(&part.strict));
        if overlap == strict { overlap } else { format!("{overlap}; strict {strict}") }
    };
    let remarks = part.notes.iter().cloned().chain(part.misses.iter().map(|miss| format!("**missed**: {miss}")));
    format!(
        "| {} | {} | {} | {} | {} | {} | {} | {} of {} | {} |",
        part.what,
        part.promise,
        both(|figures| figures.lost.to_string()),
        both(|figures| time(figures.gap)),
        both(|figures| time(figures.unanswered)),
        both(|figures| time(figures.two)),
        both(|figures| time(figures.wrong)),
        part.requests.failed,
        part.requests.sent,
        remarks.collect::<Vec<_>>().join("; "),
    )
}

/// Writes the page, and everything that was measured as JSON beside it.
///
/// # Errors
///
/// If a file cannot be written.
pub fn write(matrix: &Matrix, page: &Path) -> Result<()> {
    if let Some(folder) = page.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let kept = matrix.rows.len() - matrix.missed();
    let text = format!("{INTRODUCTION}\n{} rows, {kept} kept.\n\n{}", matrix.rows.len(), table(matrix));
    fs::write(page, text).with_context(|| format!("cannot write {}", page.display()))?;
    let samples = page.with_extension("json");
    fs::write(&samples, format!("{:#}\n", json!(matrix))).with_context(|| format!("cannot write {}", samples.display()))
}

/// In milliseconds, or in seconds once they are easier to read.
fn time(duration: Duration) -> String {
    match duration.as_millis() {
        0 => "0".to_owned(),
        milliseconds if milliseconds < 10_000 => format!("{milliseconds} ms"),
        _ => format!("{:.1} s", duration.as_secs_f64()),
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let words = [
            self.lost.map(|lost| format!("{lost} lost")),
            self.gap.filter(|gap| !gap.is_zero()).map(|gap| format!("gap ≤ {}", time(gap))),
            self.two.map(|two| if two.is_zero() { "never two".to_owned() } else { format!("two ≤ {}", time(two)) }),
            self.wrong.map(|wrong| format!("status right within {}", time(wrong))),
        ];
        let words: Vec<String> = words.into_iter().flatten().collect();
        out.write_str(if words.is_empty() { "-".to_owned() } else { words.join(", ") }.as_str())
    }
}
