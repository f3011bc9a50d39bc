//! The operator: the real binary and a real API server. The tests play the nodes and their agents.

mod access;
mod clocks;
mod conflict;
mod drain;
mod expired;
mod explain;
mod hundreds;
mod killed;
mod leader;
mod lost_node;
mod outage;
mod plan;
mod quiet;
mod refusals;
mod rights;
mod status;
mod support;
mod throttled;
mod unreadable;
