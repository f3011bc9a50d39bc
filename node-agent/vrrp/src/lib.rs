//! The VRRP election as a pure state machine (RFC 3768, RFC 9568), without input or output of its own.
//!
//! Nothing in this crate opens a socket, reads a clock, draws a random number or knows Kubernetes. Events and the
//! time come in, small actions go out; the agent carries them out and the simulator plays them through.

#![forbid(unsafe_code)]

mod time;
mod types;
pub mod wire;

pub use time::Instant;
pub use types::{
    AdvertInterval, Claim, Family, Ipv4Checksum, OutOfRange, Password, Priority, Protocol, VirtualRouterId,
};
