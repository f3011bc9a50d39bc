//! The report: what is written of what was measured. Pure, down to the files that the program writes.
//!
//! | file | holds |
//! | --- | --- |
//! | `markdown` | the page for people |
//! | `json` | every sample, for programs |
//! | `svg`, `scale` | a chart of groups with median and range, readable in light and dark; its axis |
//! | `plots` | which rows become which chart |
//! | `prose` | how it was measured, and what it does not show |

mod json;
mod markdown;
mod plots;
mod prose;
mod scale;
mod svg;

use super::machine::Machine;
use super::row::Row;

pub(super) use self::json::json;
pub(super) use self::markdown::{Illustration, markdown, table};
pub(super) use self::plots::pictures;
pub(super) use self::prose::{METHOD, limits};

/// Everything that a report tells.
#[derive(Clone, Debug)]
pub struct Findings {
    /// What it was measured on.
    pub(super) machine: Machine,
    /// How the program was called.
    pub(super) command: String,
    /// What chance was made from.
    pub(super) seed: u64,
    /// The measures.
    pub(super) rows: Vec<Row>,
    /// What must be known to read them.
    pub(super) notes: Vec<String>,
    /// Subjects that could not be measured, and why.
    pub(super) failures: Vec<String>,
}

impl Findings {
    /// The table of all measures, in Markdown.
    pub fn table(&self) -> String {
        table(&self.rows)
    }

    /// True if every subject could be measured.
    pub fn is_complete(&self) -> bool {
        self.failures.is_empty()
    }
}
