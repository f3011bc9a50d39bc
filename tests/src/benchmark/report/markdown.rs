//! The page for people.

use std::fmt::Write as _;

use super::Findings;
use crate::benchmark::goal::Verdict;
use crate::benchmark::row::Row;
use crate::benchmark::samples::Samples;
use crate::benchmark::unit::Unit;

/// A picture beside the page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::benchmark) struct Illustration {
    /// What it shows.
    pub(in crate::benchmark) title: String,
    /// Where it lies, as seen from the page.
    pub(in crate::benchmark) path: String,
}

/// The whole page.
pub(in crate::benchmark) fn markdown(findings: &Findings, method: &str, illustrations: &[Illustration]) -> String {
    let mut page = format!(
        "# Benchmarks\n\nHoldfast and keepalived, measured side by side in the same run on the same work. This page is written by \
         the program that measured: `{}`.\n\n## The machine\n\n{}\n## Method\n\n{}\n\n## Results\n\n{}\n{}",
        findings.command,
        machine(findings),
        method.trim(),
        outcome(findings),
        table(&findings.rows),
    );
    section(&mut page, "Not measured", &findings.failures);
    section(&mut page, "Limits", &findings.notes);
    if !illustrations.is_empty() {
        page.push_str(
            "\n## Plots\n\nBars are medians, lines the range of all runs; a dash in front of a group is the goal.\n",
        );
    }
    for Illustration { title, path } in illustrations {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n![{title}]({path})\n");
    }
    page
}

/// One item a line.
fn lines<T>(items: impl IntoIterator<Item = T>, show: impl Fn(T) -> String) -> String {
    items.into_iter().fold(String::new(), |text, item| text + &show(item) + "\n")
}

fn section(page: &mut String, title: &str, items: &[String]) {
    if !items.is_empty() {
        let lines = lines(items, |item| format!("- {item}"));
        let _ = write!(page, "\n## {title}\n\n{lines}");
    }
}

fn machine(findings: &Findings) -> String {
    let facts = findings.machine.facts().into_iter().chain([("seed", findings.seed.to_string())]);
    let rows = lines(facts, |(what, fact)| format!("| {what} | {fact} |"));
    format!("| | |\n| --- | --- |\n{rows}")
}

/// `31 goals: 28 reached, 3 missed`, and the misses in words.
fn outcome(findings: &Findings) -> String {
    let verdicts = || findings.rows.iter().map(|row| (row, row.verdict()));
    let reached = verdicts().filter(|(_, verdict)| *verdict == Verdict::Reached).count();
    let open = verdicts().filter(|(_, verdict)| *verdict == Verdict::NotMeasured).count();
    let misses: Vec<String> = verdicts().filter_map(|(row, verdict)| miss(row, verdict)).collect();
    let counted = format!("{reached} goals reached, {} missed, {open} not measured.\n", misses.len());
    counted + &lines(&misses, |miss| format!("- {miss}"))
}

fn miss(row: &Row, verdict: Verdict) -> Option<String> {
    let Verdict::Missed(by) = verdict else { return None };
    Some(format!("missed by {}: {}, {}", row.unit.show(by), row.subject, row.measure))
}

/// The table of all rows.
pub(in crate::benchmark) fn table(rows: &[Row]) -> String {
    let mut text =
        "| what | measure | runs | keepalived | Holdfast | goal | reached |\n| --- | --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    let mut last = "";
    for row in rows {
        let subject = if row.subject == last { "" } else { &row.subject };
        last = &row.subject;
        let (peer, ours) = (range(&row.keepalived, row.unit), range(&row.holdfast, row.unit));
        let runs = row.keepalived.runs().max(row.holdfast.runs());
        let (goal, reached) = (row.goal.describe(row.unit), verdict(row));
        let _ = writeln!(text, "| {subject} | {} | {runs} | {peer} | {ours} | {goal} | {reached} |", row.measure);
    }
    text
}

/// `319 ms [305 ms..331 ms]`, or one figure if there was one run or all were the same.
fn range(samples: &Samples, unit: Unit) -> String {
    let Some(summary) = samples.summary() else { return "-".to_owned() };
    let (median, least, most) = (unit.show(summary.median), unit.show(summary.least), unit.show(summary.most));
    if least == most { median } else { format!("{median} [{least}..{most}]") }
}

fn verdict(row: &Row) -> String {
    match row.verdict() {
        Verdict::Reported => "-".to_owned(),
        Verdict::Reached => "yes".to_owned(),
        Verdict::Missed(by) => format!("**no**, by {}", row.unit.show(by)),
        Verdict::NotMeasured => "not measured".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::benchmark::contender::Contender;
    use crate::benchmark::goal::Goal;
    use crate::benchmark::machine::Machine;

    fn rows() -> Vec<Row> {
        let mut lost = Row::new("planned stop", "A = 1 s", Unit::Probes, Goal::at_most(0.0));
        for (contender, figure) in
            [(Contender::Keepalived, 610.0), (Contender::Keepalived, 611.0), (Contender::Holdfast, 0.0)]
        {
            lost.add(contender, figure);
        }
        let mut gap = Row::new("planned stop", "gap", Unit::Milliseconds, Goal::at_most(38.0));
        gap.add(Contender::Holdfast, 40.5);
        vec![lost, gap, Row::new("start", "first advert", Unit::Milliseconds, Goal::REPORT)]
    }

    #[test]
    fn a_table_names_each_subject_once_and_judges_every_row() {
        let expected = "\
            | what | measure | runs | keepalived | Holdfast | goal | reached |\n\
            | --- | --- | --- | --- | --- | --- | --- |\n\
            | planned stop | A = 1 s | 2 | 610 [610..611] | 0 | ≤ 0 | yes |\n\
            |  | gap | 1 | - | 40.5 ms | ≤ 38.0 ms | **no**, by 2.5 ms |\n\
            | start | first advert | 0 | - | - | report | - |\n";
        assert_eq!(table(&rows()), expected);
    }

    #[test]
    fn the_page_counts_goals_and_says_what_was_not_measured() {
        let findings = Findings {
            machine: Machine::default(),
            command: "make bench".to_owned(),
            seed: 7,
            rows: rows(),
            notes: vec!["one note".to_owned()],
            failures: vec!["cpu: no such thing".to_owned()],
        };
        let picture = Illustration { title: "gap".to_owned(), path: "benchmarks/gap.svg".to_owned() };
        let page = markdown(&findings, "As it is.", &[picture]);
        for part in [
            "`make bench`",
            "| seed | 7 |",
            "1 goals reached, 1 missed, 0 not measured.\n- missed by 2.5 ms: planned stop, gap\n",
            "## Not measured\n\n- cpu: no such thing\n",
            "## Limits\n\n- one note\n",
            "![gap](benchmarks/gap.svg)\n",
        ] {
            assert!(page.contains(part), "{part} is not in {page}");
        }
    }
}
