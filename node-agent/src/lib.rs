//! The Holdfast node agent: runs VRRP elections on the host network and holds the virtual addresses of their winners.

#![deny(unsafe_code)]

pub mod app;
pub mod checks;
pub mod cli;
pub mod configurator;
pub mod desired;
mod drain;
pub mod election;
pub mod http;
pub mod kubernetes;
pub mod logging;
pub mod metrics;
pub mod network;
pub mod origin;
mod outlive;
pub mod passwords;
mod readable;
pub mod run;
mod small_file;
pub mod snapshot;
pub mod source;
pub mod state_dir;
pub mod status;
pub mod subnet;
pub mod system;
pub mod translate;
