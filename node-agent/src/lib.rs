//! The Holdfast node agent: runs VRRP elections on the host network and holds the virtual addresses of their winners.

#![deny(unsafe_code)]

pub mod checks;
pub mod desired;
pub mod election;
pub mod network;
pub mod snapshot;
pub mod system;
