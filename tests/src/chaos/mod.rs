//! `make chaos`: everything is broken on purpose, on a real Kubernetes of three nodes, and what a client, a neighbour and a user
//! of `kubectl` notice of it is set beside what Holdfast promises.
//!
//! | file | holds |
//! | --- | --- |
//! | `vips` | the virtual IPs of the scene, and how they are elected |
//! | `stage` | the cluster, Holdfast, the workload, and how all of it is made whole again |
//! | `watch` | client, neighbour, capture and status, all at once, while something happens |
//! | `figures` | what came of it, for one address: pure |
//! | `bounds` | what is promised, and whether figures keep to it: pure |
//! | `rows` | the faults, one file a kind |
//! | `matrix` | the rows with their results |
//! | `leftovers` | what must be gone when Holdfast is uninstalled |
//! | `peers` | what other projects did when the same was done to them |
//! | `report` | the matrix as a table for terminals, as a page, and as JSON |
//! | `record` | what is kept of each row, so that a miss can be explained |

mod bounds;
mod figures;
mod leftovers;
mod matrix;
mod peers;
mod record;
mod report;
mod rows;
mod stage;
mod vips;
mod watch;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

pub use self::matrix::Matrix;
pub use self::report::write;
use self::rows::SHORT;
pub use self::rows::{ROWS, Row};
use self::stage::Stage;

/// What a run shall do.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The rows, by name; none for all.
    pub rows: Vec<String>,
    /// Each as short as it can be and still show its point; and of all, only some.
    pub short: bool,
    /// Where the records go.
    pub records: PathBuf,
}

/// The rows of these names, in the order of the matrix. If there are no names: those of the short form, or all of them.
///
/// # Errors
///
/// If there is no row of a name; the message lists them.
pub fn select(names: &[String], short: bool) -> Result<Vec<&'static Row>> {
    if let Some(unknown) = names.iter().find(|name| !ROWS.iter().any(|row| row.name == **name)) {
        let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
        bail!("there is no row {unknown}; there are {}", known.join(", "));
    }
    let is_wanted = |row: &&Row| match names {
        [] => !short || SHORT.contains(&row.name),
        _ => names.iter().any(|name| name == row.name),
    };
    Ok(ROWS.iter().filter(is_wanted).collect())
}

/// Plays the rows, one after the other, each on a whole cluster, and uninstalls Holdfast in the end. A row that fails does not keep the
/// next one from being played.
pub fn run(plan: &Plan) -> Result<Matrix> {
    let rows = select(&plan.rows, plan.short)?;
    let mut stage = Stage::up(plan)?;
    for row in rows {
        println!("\n=== {}: {}", row.name, row.fault);
        stage.begin(row)?;
        let played = (row.play)(&mut stage);
        stage.end(played);
        stage.restore().with_context(|| format!("the cluster cannot be made whole again after {}", row.name))?;
    }
    println!("\n=== {}: {}", leftovers::ROW, leftovers::FAULT);
    stage.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_short_form_plays_rows_that_there_are() {
        assert_eq!(select(&[], true).unwrap().len(), SHORT.len());
        assert_eq!(select(&[], false).unwrap().len(), ROWS.len());
    }

    #[test]
    fn a_row_that_there_is_not_is_refused() {
        let error = select(&["split".to_owned(), "splat".to_owned()], false).unwrap_err().to_string();
        assert!(error.contains("no row splat") && error.contains("split"), "{error}");
    }
}
