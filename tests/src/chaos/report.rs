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
use super::{ROWS, peers};

/// How to read it.
const INTRODUCTION: &str = "\
# What happens when: the chaos matrix

Everything is broken on purpose, on a Kubernetes of three nodes (kubelet, containerd, pods) with Holdfast installed by its chart, and this
is what came of it. The page is written by the program that measured; `make chaos` takes about 45 minutes, `make chaos ROWS='split impostor'`
plays some. What is *not* promised is said in [limits](limits.md).

- Five addresses, IPv4 and IPv6, of four VirtualIPs: three with the default fence, one with `fencing: Strict`. The advertisement interval
  is the default of 200 ms, the priorities of the nodes are 200, 150 and 100. Figures are those of the worst address, and of the strict
  one where it differs.
- A client asks each address by ICMP once a millisecond, and the web server behind one of them for a page each 5 ms, with a new
  connection each time. An answer that takes longer than 50 ms (a page: 500 ms) is a loss. *gap*: the longest time without an answer.
- A second host asks each 20 ms who has each address, by ARP and neighbour solicitation. *nobody answered* and
  *two answered* are the longest times: the first hurts clients without a neighbour entry, the second those with an old one.
- The statuses are asked for each 20 ms. *wrong master named*: the longest time for which the status named none of those who
  answered.
- A promise is missed if a figure exceeds it by more than the resolution of these questions and what the machine itself held programs up at
  that time, which is measured too. For losses there is no such allowance. All nodes, the control plane and the clients share one machine of
  2 processors.
- Requests that are under way at a move are no promise: the node that has the address then does not know their connection.
";

/// So much of a failure is shown, in characters; all of it is in the JSON.
const LONGEST_FAILURE: usize = 160;

/// The table of all rows.
const OVERVIEW: &str = "\
| fault | probes lost | longest gap | nobody answered | two answered | wrong master named | requests failed | promises |
| --- | --- | --- | --- | --- | --- | --- | --- |
";

/// The table of one row.
const PARTS: &str = "\
| | promised | probes lost | longest gap | nobody answered | two answered | wrong master named | requests failed |
| --- | --- | --- | --- | --- | --- | --- | --- |
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

/// The worst of each row, in Markdown.
fn overview(matrix: &Matrix) -> String {
    let mut text = OVERVIEW.to_owned();
    for row in &matrix.rows {
        let name = match row.parts.as_slice() {
            [] => row.fault.clone(),
            _ => format!("[{}](#{})", row.fault, row.name),
        };
        let _ = writeln!(text, "| {name} | {} | {} |", worst(row), verdict(row));
    }
    text
}

/// The worst figures of a row, and how many requests failed in all of it.
fn worst(row: &RowResult) -> String {
    let overlap = row.parts.iter().map(|part| part.overlap).reduce(Figures::worst);
    let strict = row.parts.iter().map(|part| part.strict).reduce(Figures::worst);
    let Some((overlap, strict)) = overlap.zip(strict).filter(|_| row.failure.is_none()) else {
        return ["-"; 6].join(" | ");
    };
    let failed: usize = row.parts.iter().map(|part| part.requests.failed).sum();
    format!("{} | {failed}", columns(&overlap, &strict))
}

fn verdict(row: &RowResult) -> String {
    match &row.failure {
        None if row.is_kept() => "kept".to_owned(),
        None => "**missed**".to_owned(),
        Some(failure) => {
            let line = failure.lines().next().unwrap_or_default().replace('|', " ");
            format!("**not played to its end**: {}", line.chars().take(LONGEST_FAILURE).collect::<String>())
        }
    }
}

/// What may be expected of a fault, and what came of each part of it.
fn section(row: &RowResult) -> String {
    let says = ROWS.iter().find(|known| known.name == row.name).map_or("", |known| known.says);
    let mut text = format!("\n### {}\n\n**{}.** {says}\n\n{PARTS}", row.name, capitalized(&row.fault));
    for part in &row.parts {
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} of {} |",
            part.what,
            part.promise,
            columns(&part.overlap, &part.strict),
            part.requests.failed,
            part.requests.sent,
        );
    }
    let remarks = row.parts.iter().flat_map(|part| {
        let notes = part.notes.iter().map(|note| format!("- {}: {note}", part.what));
        notes.chain(part.misses.iter().map(|miss| format!("- {}: **missed**: {miss}", part.what)))
    });
    let remarks: Vec<String> = remarks.collect();
    if remarks.is_empty() { text } else { format!("{text}\n{}\n", remarks.join("\n")) }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// The figures of both kinds of fence; where they differ, both.
fn columns(overlap: &Figures, strict: &Figures) -> String {
    let both = |figure: fn(&Figures) -> String| {
        let (overlap, strict) = (figure(overlap), figure(strict));
        if overlap == strict { overlap } else { format!("{overlap}; strict {strict}") }
    };
    let figures = [
        both(|figures| figures.lost.to_string()),
        both(|figures| time(figures.gap)),
        both(|figures| time(figures.unanswered)),
        both(|figures| time(figures.two)),
        both(|figures| time(figures.wrong)),
    ];
    figures.join(" | ")
}

/// Writes the page, and everything that was measured as JSON beside it. Rows that an earlier run has left there and this one has not
/// played stay on the page.
///
/// # Errors
///
/// If a file cannot be written, or the earlier JSON not be read.
pub fn write(matrix: Matrix, command: &str, page: &Path) -> Result<()> {
    if let Some(folder) = page.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    let samples = page.with_extension("json");
    let names: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
    let matrix = matrix.merged(earlier(&samples)?, &names);
    fs::write(page, text(&matrix, command)).with_context(|| format!("cannot write {}", page.display()))?;
    fs::write(&samples, format!("{:#}\n", json!(matrix))).with_context(|| format!("cannot write {}", samples.display()))
}

/// What an earlier run has left; nothing if there was none.
fn earlier(samples: &Path) -> Result<Matrix> {
    match fs::read(samples) {
        Ok(bytes) => serde_json::from_slice(&bytes),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Matrix::default()),
        Err(error) => Err(serde_json::Error::io(error)),
    }
    .with_context(|| format!("cannot read {}", samples.display()))
}

fn text(matrix: &Matrix, command: &str) -> String {
    let kept = matrix.rows.len() - matrix.missed();
    let rows = format!("`{command}`: {} faults, {kept} of them with every promise kept.", matrix.rows.len());
    let sections: String = matrix.rows.iter().filter(|row| !row.parts.is_empty()).map(section).collect();
    let (overview, peers) = (overview(matrix), peers::table(matrix));
    format!("{INTRODUCTION}\n{rows}\n\n{overview}{peers}\n## Fault by fault\n{sections}")
}

/// In milliseconds, or in seconds once they are easier to read.
pub(super) fn time(duration: Duration) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chaos::matrix::Requests;

    fn part(what: &str, lost: usize, misses: &[&str]) -> Part {
        Part {
            what: what.to_owned(),
            promise: "0 lost".to_owned(),
            took: Duration::from_secs(1),
            overlap: Figures { lost, gap: Duration::from_millis(7), ..Figures::default() },
            strict: Figures::default(),
            requests: Requests { sent: 9, failed: 2, gap: Duration::ZERO },
            notes: vec!["noted".to_owned()],
            misses: misses.iter().map(|&miss| miss.to_owned()).collect(),
        }
    }

    #[test]
    fn a_row_is_shown_with_its_worst_figures_and_each_of_its_parts() {
        let parts = vec![part("down", 3, &["too long"]), part("up", 0, &[])];
        let row = RowResult { name: "link-down".to_owned(), fault: "a link".to_owned(), parts, failure: None };
        let page = text(&Matrix { rows: vec![row] }, "make chaos");
        assert!(page.contains("`make chaos`: 1 faults, 0 of them with every promise kept."), "{page}");
        assert!(page.contains("| [a link](#link-down) | 3; strict 0 | 7 ms; strict 0 | 0 | 0 | 0 | 4 | **missed** |"));
        assert!(page.contains("### link-down\n\n**A link.** The next node"), "{page}");
        assert!(page.contains("| down | 0 lost | 3; strict 0 | 7 ms; strict 0 | 0 | 0 | 0 | 2 of 9 |"), "{page}");
        assert!(page.contains("- down: noted\n- down: **missed**: too long\n- up: noted\n"), "{page}");
        assert!(page.contains("| the link of the owner goes down and up | gap 17,591 ms |"), "{page}");
    }

    #[test]
    fn the_operations_guide_refers_to_rows_that_there_are() {
        let guide = include_str!("../../../docs/operations.md");
        let named = guide.split("](chaos.md#").skip(1).filter_map(|rest| rest.split(')').next());
        let named: Vec<&str> = named.collect();
        assert!(named.len() > 15, "{named:?}");
        for name in named {
            assert!(ROWS.iter().any(|row| row.name == name), "there is no row {name}");
        }
    }
}
