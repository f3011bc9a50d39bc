//! What kube-vip and `MetalLB` did when the same was done to them: measured apart, with an HTTP request each 5 ms from a client
//! that knew the owner, and an ARP request each 20 ms from a second host. Pure.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use super::figures::Figures;
use super::matrix::{Matrix, Result as RowResult};
use super::report::time;

/// One fault, done to all.
struct Compared {
    /// The row of the matrix, and which of its parts.
    row: &'static str,
    parts: Range<usize>,
    fault: &'static str,
    kube_vip: &'static str,
    kube_vip_tuned: &'static str,
    metallb: &'static str,
}

const ALL: Range<usize> = 0..usize::MAX;

const COMPARED: [Compared; 11] = [
    Compared {
        row: "agent-pod-deleted",
        parts: ALL,
        fault: "the pod of the owner's agent is deleted",
        kube_vip: "nobody 640 ms",
        kube_vip_tuned: "nobody 200 ms",
        metallb: "two 220 ms",
    },
    Compared {
        row: "agents-rolled",
        parts: ALL,
        fault: "the DaemonSet is rolled",
        kube_vip: "nobody 700 ms",
        kube_vip_tuned: "nobody 100 ms",
        metallb: "two 230 ms",
    },
    Compared {
        row: "agent-killed",
        parts: ALL,
        fault: "the owner's agent is killed",
        kube_vip: "0",
        kube_vip_tuned: "0",
        metallb: "nobody 940 ms",
    },
    Compared {
        row: "agent-crash-loop",
        parts: ALL,
        fault: "it is killed again and again, for 45 s",
        kube_vip: "two 45 s and longer",
        kube_vip_tuned: "two 75 s and longer",
        metallb: "nobody 5,360 ms",
    },
    Compared {
        row: "agent-frozen",
        parts: ALL,
        fault: "it is frozen for 10 s",
        kube_vip: "0",
        kube_vip_tuned: "two 7,420 ms",
        metallb: "nobody 5,700 ms",
    },
    Compared {
        row: "node-crash",
        parts: 0..1,
        fault: "the owner's node dies",
        kube_vip: "gap 17,811 ms, wrong owner shown 16,360 ms",
        kube_vip_tuned: "gap 7,444 ms, wrong owner shown 5,260 ms",
        metallb: "gap 5,340 ms, wrong owner shown 5,500 ms",
    },
    Compared {
        row: "link-down",
        parts: ALL,
        fault: "the link of the owner goes down and up",
        kube_vip: "gap 17,591 ms",
        kube_vip_tuned: "gap 6,380 ms",
        metallb: "gap 5,905 ms, two 0.6 to 25 s",
    },
    Compared {
        row: "api-server-down",
        parts: 1..2,
        fault: "the API server is down for a minute",
        kube_vip: "nobody 50 s",
        kube_vip_tuned: "nobody 57 s",
        metallb: "0",
    },
    Compared {
        row: "api-server-down",
        parts: 0..1,
        fault: "the owner is lost meanwhile (here: its link; there: its node)",
        kube_vip: "no failover until the API server is back",
        kube_vip_tuned: "no failover until the API server is back",
        metallb: "gap 5,958 ms, wrong owner shown for 29 s after the return",
    },
    Compared {
        row: "api-server-cut-off",
        parts: ALL,
        fault: "the owner alone cannot reach the API server",
        kube_vip: "two 2,740 to 5,080 ms",
        kube_vip_tuned: "two 1,040 to 1,220 ms",
        metallb: "0",
    },
    Compared {
        row: "node-drained",
        parts: ALL,
        fault: "the owner's node is drained",
        kube_vip: "-",
        kube_vip_tuned: "-",
        metallb: "no reaction",
    },
];

const HEADLINE: &str = "
## Beside others

The same faults, done to kube-vip v1.2.3 (leases of 15/10/2 s, its default, and of 5/3/1 s) and to MetalLB v0.16.1 (layer 2) on three
kubelets of the same kind of machine. They were measured apart, another day, with a Service of type LoadBalancer, 1 to 5 runs each, the
median; Holdfast with its worst address here. *nobody*: the longest time for which no one answered ARP, *two*: with two answering.
Where a proxy on every node forwards, a client that has an old entry is often served by the old owner: judge planned moves by *nobody*
and *two*.

| fault | kube-vip, 15 s | kube-vip, 5 s | MetalLB | Holdfast |
| --- | --- | --- | --- | --- |
";

/// The rows of the matrix that were also played with others, in Markdown; nothing if there are none.
pub(super) fn table(matrix: &Matrix) -> String {
    let mut rows = String::new();
    for compared in &COMPARED {
        let Some(row) = matrix.rows.iter().find(|row| row.name == compared.row && row.failure.is_none()) else {
            continue;
        };
        let Compared { fault, kube_vip, kube_vip_tuned, metallb, .. } = compared;
        let ours = ours(row, &compared.parts);
        // Writing to a String cannot fail.
        let _ = writeln!(rows, "| {fault} | {kube_vip} | {kube_vip_tuned} | {metallb} | {ours} |");
    }
    if rows.is_empty() { rows } else { HEADLINE.to_owned() + &rows }
}

/// The worst figures of these parts for addresses with the default fence, without those that are nothing.
fn ours(row: &RowResult, parts: &Range<usize>) -> String {
    let parts = row.parts.iter().enumerate().filter(|(index, _)| parts.contains(index)).map(|(_, part)| part);
    let Some(worst) = parts.map(|part| part.overlap).reduce(Figures::worst) else { return "-".to_owned() };
    let figures =
        [("gap", worst.gap), ("nobody", worst.unanswered), ("two", worst.two), ("wrong master shown", worst.wrong)];
    let words: Vec<String> = figures
        .into_iter()
        .filter(|(_, figure)| *figure > Duration::ZERO)
        .map(|(what, figure)| format!("{what} {}", time(figure)))
        .collect();
    if words.is_empty() { "0".to_owned() } else { words.join(", ") }
}
