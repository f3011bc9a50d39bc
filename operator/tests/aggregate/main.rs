//! What the status of each kind says, one rule a test.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test says what it expects by failing without it, also in its helpers"
)]

mod accepted;
mod cluster;
mod degraded;
mod equality;
mod groups;
mod health_checks;
mod mastership;
mod naming;
mod nodes;
mod programmed;
mod properties;
mod scale;
mod summary;
mod transitions;
