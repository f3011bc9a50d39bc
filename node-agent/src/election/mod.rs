//! The election thread: it runs all groups of virtual routers, and holds the addresses of those that are master.
//!
//! One thread of its own, apart from health checks, HTTP and Kubernetes, with one loop: sleep until a packet, a wish, a
//! report of the kernel or a deadline comes; read everything; let timers fire; carry out what the groups ask for, phase
//! by phase over all of them.
//!
//! | file | holds |
//! | --- | --- |
//! | `command.rs` | what other threads may ask for |
//! | `report.rs` | what it tells them |
//! | `raw_snapshot.rs`, `words.rs` | its state for people and programs |
//! | `driver.rs` and below | the loop, one stage a file |
//! | `engine.rs`, `running.rs`, `slot.rs` | the groups, and handing events to them |
//! | `deadlines.rs` | when which group wants to be woken (pure) |
//! | `demultiplex.rs` | whose packet it is (pure) |
//! | `holdings.rs`, `leases.rs`, `reconcile.rs` | which addresses are on the interfaces, until when, and whose (pure) |
//! | `record.rs` | the addresses that are ours, remembered across runs |
//! | `repeats.rs` | how often what others can repeat is told (pure) |
//! | `changes.rs` | what a new configuration means (pure) |
//! | `rest.rs` | when to let packets gather (pure) |
//! | `stall.rs` | how much to read before timers count (pure) |
//! | `clock.rs` | the time |

mod changes;
mod clock;
mod command;
mod deadlines;
mod demultiplex;
mod driver;
mod engine;
mod holdings;
mod leases;
mod moves;
mod raw_snapshot;
mod reconcile;
mod record;
mod repeats;
mod report;
mod rest;
mod running;
mod slot;
mod stall;
#[cfg(test)]
pub(crate) mod test_groups;
mod words;

use std::io;

use thiserror::Error;
use tokio::sync::mpsc::unbounded_channel;

pub use command::ElectionHandle;
pub use raw_snapshot::router_counters;
pub use report::{Conflict, Disappearance, Report, Reports};
pub use words::reason;

use crate::network::ownership::OwnedAddresses;

/// How the election thread runs.
pub struct ElectionOptions {
    /// The record of the addresses that this agent has put on interfaces.
    pub owned: Box<dyn OwnedAddresses>,
    /// Whether the thread gets the real-time policy `SCHED_RR`.
    pub realtime: Realtime,
    /// The name of the table of the fence: one for each agent of a node, the same for all its runs. None: no fence.
    pub fence: Option<String>,
    /// Whether the process stays in memory (`mlockall`). Needs `CAP_IPC_LOCK`; without it a report says so.
    pub memory_lock: bool,
}

/// Whether to run in real time, ahead of all ordinary programs of the node. It needs `CAP_SYS_NICE` or an `RLIMIT_RTPRIO`,
/// and a budget where control groups hand it out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Realtime {
    /// If the agent may; if not, that is no fault.
    #[default]
    Auto,
    /// Yes; a report says so if the agent may not.
    On,
    /// No.
    Off,
}

/// Why the election thread could not start.
#[derive(Debug, Error)]
pub enum ElectionError {
    /// The event loop could not be set up.
    #[error("cannot set up the event loop of the election thread")]
    EventLoop(#[source] nix::Error),
    /// Netlink could not be opened.
    #[error("cannot talk to the kernel about addresses (netlink)")]
    Netlink(#[source] io::Error),
    /// What is on the interfaces could not be read.
    #[error("cannot read the interfaces and addresses of the node (netlink)")]
    ReadNetwork(#[source] io::Error),
    /// Packet sockets are not allowed.
    #[error("cannot open a packet socket; the agent needs CAP_NET_RAW and CAP_NET_ADMIN")]
    PacketSocket(#[source] io::Error),
    /// A thread could not be started.
    #[error("cannot start the election thread")]
    Thread(#[source] io::Error),
}

/// Starts the election thread in the network namespace of the caller.
///
/// First it removes the addresses that an earlier run has left on the interfaces. It ends by [`ElectionHandle::drain`]
/// or [`ElectionHandle::abort`], with [`Report::Finished`]. If it panics, it takes all its addresses off the interfaces
/// and ends the process with exit code 70.
pub fn spawn(options: ElectionOptions) -> Result<(ElectionHandle, Reports), ElectionError> {
    let (handle, inbox) = command::inbox().map_err(ElectionError::EventLoop)?;
    let (sender, reports) = unbounded_channel();
    driver::spawn(options, inbox, sender)?;
    Ok((handle, reports))
}

/// A handle that speaks to no thread.
#[cfg(test)]
pub(crate) fn handle_of_nobody() -> nix::Result<ElectionHandle> {
    Ok(command::inbox()?.0)
}
