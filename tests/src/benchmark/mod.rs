//! Holdfast and keepalived side by side, on the same work: measured and reported, never asserted.
//!
//! | file | holds |
//! | --- | --- |
//! | `settings` | how long and how often is measured |
//! | `contender` | the two programs |
//! | `election` | what both are asked to do, and how each is told |
//! | `node`, `scene` | a node with one of them; two nodes, a client and the LANs between them |
//! | `announcements` | when the client hears that a VIP has moved |
//! | `usage` | what a program takes of the machine |
//! | `subjects` | what is measured, one subject a file |
//! | `random` | chance that can be repeated |
//! | `samples`, `unit`, `goal`, `row` | figures, and what came of the goals |
//! | `machine` | what it was measured on |
//! | `report` | the page, the samples for programs, and the plots |
//! | `output` | where they are written |

mod announcements;
mod contender;
mod election;
mod goal;
mod machine;
mod node;
mod output;
mod random;
mod report;
mod row;
mod samples;
mod scene;
mod settings;
mod subjects;
mod unit;
mod usage;

use anyhow::Result;

pub use self::output::{Output, write};
pub use self::report::Findings;
pub use self::settings::Settings;
pub use self::subjects::Subject;

use self::machine::Machine;
use self::random::Random;

/// Measures these subjects. Says on standard error what it is doing. Needs root. A subject that fails does not keep the others
/// from being measured: the report names it.
pub fn measure(subjects: &[Subject], settings: &Settings, seed: u64, command: String) -> Result<Findings> {
    let machine = Machine::read()?;
    let mut findings =
        Findings { machine, command, seed, rows: Vec::new(), notes: report::limits(), failures: Vec::new() };
    for subject in subjects {
        eprintln!("{subject}");
        // Its own chance, so that a subject alone is as it is among all.
        match subject.measure(settings, &mut Random::new(seed)) {
            Ok(rows) => {
                eprint!("{}", report::table(&rows));
                findings.rows.extend(rows);
            }
            Err(error) => {
                eprintln!("{subject} failed: {error:#}");
                findings.failures.push(format!("{subject}: {error:#}"));
            }
        }
    }
    Ok(findings)
}
