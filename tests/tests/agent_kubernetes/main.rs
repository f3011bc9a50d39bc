//! The agent on Kubernetes: the real agent on nodes of the lab, and a real API server. Where it matters the operator is real
//! too; else the tests play it.

mod contention;
mod deletion;
mod handover;
mod node_config;
mod outage;
mod pod;
mod support;
mod three_nodes;
