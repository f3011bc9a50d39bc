//! The operator: the real binary and a real API server. The tests play the nodes and their agents.

mod access;
mod drain;
mod leader;
mod outage;
mod plan;
mod quiet;
mod rights;
mod status;
mod support;
mod unreadable;
