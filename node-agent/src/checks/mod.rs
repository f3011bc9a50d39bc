//! Health checks: probes of this node that decide whether it may hold a virtual address.
//!
//! [`Supervisor`] takes the checks that the node must run and calls back whenever one starts to pass or to fail. Each
//! check is a task of its own (`runner`) that asks its probe (`tcp`, `http`, `process`, `file`, `command`) again and
//! again, and counts the answers (`verdict`). Nothing here knows which virtual address depends on which check, and
//! nothing here runs on the thread of the elections.

mod blocking;
mod board;
mod command;
mod connect;
mod file;
mod finding;
mod http;
mod own_thread;
mod prober;
mod process;
mod recovery;
mod resolve;
mod runner;
mod supervisor;
mod tcp;
mod verdict;

pub use supervisor::{CheckOptions, Supervisor};
