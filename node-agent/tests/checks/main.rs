//! The health checks against real things: sockets on loopback, processes, files, programs. Each test hands the
//! supervisor what a `NodeConfig` would, and waits for what the election would be told.
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod command;
mod file;
mod http;
mod https;
mod process;
mod recovery;
mod supervisor;
mod support;
mod tcp;
