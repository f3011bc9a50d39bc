//! Holdfast's integration tests and what they stand on.
//!
//! [`lab`] builds networks out of Linux namespaces, breaks them, and measures what a client notices. It knows the real
//! programs (`holdfast-agent`, keepalived, nginx) only as processes: nothing here may use the agent's own modules, so a
//! mistake in them cannot hide itself in its test. [`cluster`] runs the real Kubernetes.
//! [`images`] packs what is deployed there, [`demo`] shows it, and [`chaos`] breaks it. [`figures`] measures what Holdfast costs, and
//! [`benchmark`] how it compares.
#![forbid(unsafe_code)]

pub mod benchmark;
pub mod chaos;
pub mod cluster;
pub mod demo;
pub mod demo_standalone;
pub mod figures;
pub mod guard;
pub mod images;
pub mod lab;
