//! What Holdfast costs a cluster, and how fast it is: measured and printed, never asserted.
//!
//! | file | measures |
//! | --- | --- |
//! | `plan` | `plan()`, which is pure |
//! | `change` | the operator with many VirtualIPs: its memory, and what one change of one of them sets going |
//! | `failover` | the operator and real agents: what an idle system asks, and a failover of 250 VirtualIPs |
//! | `scene` | the objects that the others measure with |
//! | `reporter` | an agent as far as the API server can tell |
//! | `requests`, `watching` | who has asked the API server for what; what becomes of many objects |
//! | `table` | how it is shown |

mod change;
mod failover;
mod plan;
mod reporter;
mod requests;
mod scene;
mod table;
mod watching;

use anyhow::Result;

pub use self::table::{Figure, table};

/// What is measured together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// `plan()` alone.
    Plan,
    /// One change among so many VirtualIPs.
    Change(usize),
    /// Idleness and failover.
    Failover,
}

/// Measures. Says on standard error what it is doing. Needs root for [`Subject::Failover`].
pub async fn measure(subject: Subject) -> Result<Vec<Figure>> {
    match subject {
        Subject::Plan => plan::measure(),
        Subject::Change(virtual_ips) => change::measure(virtual_ips).await,
        Subject::Failover => failover::measure().await,
    }
}
