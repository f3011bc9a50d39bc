//! The rows of the matrix with their results: a row has parts, each with a promise of its own.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::figures::Figures;

/// What came of one part of a row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Part {
    /// What was done.
    pub(super) what: String,
    /// What was promised, in words.
    pub(super) promise: String,
    /// How long it was watched.
    pub(super) took: Duration,
    /// The worst of all addresses with the default fence.
    pub(super) overlap: Figures,
    /// Those of the address with the strict fence.
    pub(super) strict: Figures,
    /// Requests for the page of the web server: sent, failed, and the longest time without one that was answered.
    pub(super) requests: Requests,
    /// What else was measured.
    pub(super) notes: Vec<String>,
    /// What was not kept.
    pub(super) misses: Vec<String>,
}

/// What a user of the web server noticed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Requests {
    pub(super) sent: usize,
    pub(super) failed: usize,
    pub(super) gap: Duration,
}

/// What came of one row.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Result {
    /// Its name.
    pub(super) name: String,
    /// What was broken.
    pub(super) fault: String,
    /// Its parts, in order.
    pub(super) parts: Vec<Part>,
    /// Why it could not be played to its end.
    pub(super) failure: Option<String>,
}

impl Result {
    /// Whether all of it could be played and every promise was kept.
    pub(super) fn is_kept(&self) -> bool {
        self.failure.is_none() && self.parts.iter().all(|part| part.misses.is_empty())
    }
}

/// What came of all rows that were played.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Matrix {
    /// In the order of playing.
    pub(super) rows: Vec<Result>,
}

impl Matrix {
    /// Whether every row was played to its end and every promise kept.
    pub fn is_kept(&self) -> bool {
        self.rows.iter().all(Result::is_kept)
    }

    /// These rows, and those of an earlier run that were not played again, in the order of `names`.
    pub(super) fn merged(self, earlier: Self, names: &[&str]) -> Self {
        let is_new = |name: &str| self.rows.iter().any(|row| row.name == name);
        let kept = earlier.rows.into_iter().filter(|row| !is_new(&row.name)).collect::<Vec<_>>();
        let mut rows: Vec<Result> = kept.into_iter().chain(self.rows).collect();
        rows.sort_by_key(|row| names.iter().position(|name| *name == row.name).unwrap_or(usize::MAX));
        Self { rows }
    }

    /// How many rows were not.
    pub fn missed(&self) -> usize {
        self.rows.iter().filter(|row| !row.is_kept()).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[(&str, &str)]) -> Matrix {
        let row = |&(name, fault): &(&str, &str)| Result {
            name: name.to_owned(),
            fault: fault.to_owned(),
            parts: Vec::new(),
            failure: None,
        };
        Matrix { rows: rows.iter().map(row).collect() }
    }

    #[test]
    fn rows_that_are_played_again_replace_those_of_an_earlier_run_in_their_place() {
        let earlier = matrix(&[("a", "old"), ("b", "old"), ("end", "old")]);
        let merged = matrix(&[("c", "new"), ("b", "new"), ("end", "new")]).merged(earlier, &["a", "b", "c"]);
        let rows: Vec<_> = merged.rows.iter().map(|row| (row.name.as_str(), row.fault.as_str())).collect();
        assert_eq!(rows, [("a", "old"), ("b", "new"), ("c", "new"), ("end", "new")]);
    }
}
