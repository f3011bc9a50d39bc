//! The operator: watches what users and nodes write, and writes what follows from it.
//!
//! ```text
//! watches ─► World ─► plan()      ─► NodeConfig.spec per node          (written only where it differs)
//!              └────► aggregate() ─► status of VirtualIPs and HealthChecks, Events on transitions
//! ```
//!
//! All decisions are functions of values: `plan()` in its own crate, and [`aggregate`] here. Watches, the lease of the
//! leader, clocks and writes live at the rim. The operator is never in the way of a failover: agents elect without it.
//!
//! | file | holds |
//! | --- | --- |
//! | `run.rs`, `reconciler.rs` | the wiring, and the loop that owns what was seen |
//! | `watch.rs`, `pods.rs`, `world/` | how objects are followed, and what is known of them (pure) |
//! | `planning.rs`, `drain.rs`, `heartbeat.rs` | what the plan is made of, which nodes are emptied or silent (pure) |
//! | `node_config.rs`, `node_access.rs`, `ownership.rs`, `status.rs` | which objects must be written (pure) |
//! | `write/` | when each is written, and what becomes of it |
//! | `aggregate/`, `transition/` | what statuses say, and what of it is told as Events (pure) |
//! | `events.rs` | tells of transitions |
//! | `leader/` | which operator leads |

#![forbid(unsafe_code)]

pub mod aggregate;
pub mod backoff;
pub mod claim;
pub mod cli;
pub mod client;
pub mod clock;
pub mod debounce;
pub mod definitions;
pub mod drain;
pub mod events;
pub mod explain;
pub mod heartbeat;
pub mod http;
pub mod leader;
pub mod logging;
pub mod metrics;
pub mod node_access;
pub mod node_config;
pub mod ownership;
pub mod planning;
pub mod pods;
pub mod reconciler;
pub mod report;
pub mod run;
pub mod status;
pub mod statuses;
pub mod succession;
pub mod told;
pub mod transition;
pub mod watch;
pub mod world;
pub mod write;
