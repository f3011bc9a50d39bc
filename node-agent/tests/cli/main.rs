//! The command line, tried with the real program. Nothing here needs root or touches the network of the machine.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod check;
mod completion;
mod run;
mod status;
mod support;
