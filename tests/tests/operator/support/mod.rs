//! What the tests of the operator share.

mod agent;
mod seen;
mod stage;

use std::time::Duration;

pub(crate) use self::agent::Agent;
pub(crate) use self::seen::{condition, wait_for_condition, wait_for_event};
pub(crate) use self::stage::{Stage, apply, virtual_ip};
pub(crate) use holdfast_tests::cluster::{NAMESPACE, Operator};

/// For what is done within a second by an operator that has the machine for itself.
pub(crate) const SHORT: Duration = Duration::from_secs(10);

/// For what takes a lease to expire, or a server to start.
pub(crate) const LONG: Duration = Duration::from_secs(60);
