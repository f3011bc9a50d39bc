//! The rules of the plan, one file each.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test says what it expects by failing without it, also in its helpers"
)]

mod acceptance;
mod allocation;
mod cluster_in_force;
mod compilation;
mod groups;
mod objects;
mod peers;
mod priorities;
mod properties;
mod standalone_claims;
mod standalone_in_force;
mod standalone_properties;
mod steering;
mod unreadable;
