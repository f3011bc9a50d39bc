//! The VRRP election as a pure state machine (RFC 3768, RFC 9568), without input or output of its own.
//!
//! Nothing in this crate opens a socket, reads a clock, draws a random number or knows Kubernetes. Events and the
//! time come in, small actions go out; the agent carries them out and the simulator plays them through.

#![forbid(unsafe_code)]

mod action;
mod address_set;
mod config;
mod counters;
mod event;
#[cfg(feature = "sim")]
pub mod fuzz;
pub mod group;
mod master_down;
mod member;
mod regroup;
#[cfg(feature = "sim")]
pub mod search;
#[cfg(feature = "sim")]
pub mod sim;
mod time;
mod timers;
pub mod timing;
mod tracking;
mod types;
pub mod wire;

pub use action::{Action, Notice, Phase, Reason, State};
pub use config::{Announcements, ConfigError, GroupConfig, MemberConfig, Preemption, Tracker, Transport, Weight};
pub use counters::Counters;
pub use event::{Epoch, Event, Link, MemberIndex};
pub use group::{Group, Predecessor};
pub use member::Followed;
pub use regroup::{Heritage, Origin, Regrouping, regroup};
pub use time::Instant;
pub use tracking::{TrackState, effective_priority};
pub use types::{
    AdvertInterval, Claim, Family, Ipv4Checksum, OutOfRange, Password, Priority, Protocol, VirtualRouterId,
};
