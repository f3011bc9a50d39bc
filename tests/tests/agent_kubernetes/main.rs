//! The agent on Kubernetes: the real agent on nodes of the lab, and a real API server. The tests play the operator.

mod handover;
mod node_config;
mod outage;
mod pod;
mod support;
