//! The API as its users meet it: what is accepted, what is refused and with which words, what is filled in, and the
//! definitions that an API server gets.
// Helpers of tests are tests to us, but not to the lints.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod defaults;
mod definitions;
mod links;
mod objects;
mod reference;
mod rules;
mod schema;
mod status_page;
