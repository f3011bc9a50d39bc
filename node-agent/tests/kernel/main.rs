//! The data plane against the real kernel, in network namespaces that each test makes for itself.
//!
//! Needs root, the `ip` program and, for one test, `nft`; without them the tests fail and say so.
#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod addresses;
mod adversity;
mod election;
mod fence;
mod figures;
mod lan;
mod leases;
mod node;
mod packets;
mod regrouping;
