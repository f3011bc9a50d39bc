//! The operator: watches what users and nodes write, and writes what follows from it.
//!
//! ```text
//! watches ─► World ─► plan()      ─► NodeConfig.spec per node          (written only where it differs)
//!              └────► aggregate() ─► status of VirtualIPs and HealthChecks, Events on transitions
//! ```
//!
//! All decisions are functions of values: `plan()` in its own crate, and [`aggregate`] here. Watches, the lease of the
//! leader, clocks and writes live at the rim. The operator is never in the way of a failover: agents elect without it.

#![forbid(unsafe_code)]

pub mod aggregate;
