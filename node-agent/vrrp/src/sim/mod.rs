//! A simulated network of routers, to find out whether the election keeps its rules whatever happens (feature `sim`).
//!
//! Real [groups](crate::Group) run on simulated machines: each with a kernel that holds addresses under a lease and may
//! refuse them, a clock of its own, and a driver that does what the agent's driver does. Packets are real bytes. Nothing
//! here reads a clock or draws true random numbers: the same [`Script`] always runs in the same way.
//!
//! | file | holds |
//! | --- | --- |
//! | `chooser.rs`, `generate.rs` | where decisions come from, and how they become a scenario |
//! | `setup.rs`, `grouping.rs`, `step.rs`, `script/` | a scenario as plain values and as text |
//! | `world.rs`, `faults.rs`, `convergence.rs` | playing it: what happens next, what is done to it, how it has to end |
//! | `clock.rs`, `link.rs`, `network.rs`, `frame.rs` | time and the LAN |
//! | `node.rs`, `kernel.rs`, `process.rs`, `regroup.rs` | a machine, its kernel, and the agent on it |
//! | `instance.rs`, `seam.rs`, `mutant.rs` | a group in the agent, and mistakes planted around it |
//! | `table.rs`, `rules/`, `audit.rs`, `overlap.rs`, `fence.rs` | what must never happen |
//! | `probe.rs`, `log.rs` | what has been seen, and what happened |
//! | `run.rs`, `minimise.rs` | playing a seed, bytes or a script; making a failing script small |

mod audit;
mod chooser;
mod clock;
mod convergence;
mod faults;
mod fence;
mod frame;
mod generate;
mod grouping;
mod instance;
mod kernel;
mod link;
mod log;
mod minimise;
mod mutant;
mod network;
mod node;
mod overlap;
mod probe;
mod process;
mod regroup;
mod rules;
mod run;
mod script;
mod seam;
mod setup;
mod step;
mod table;
mod world;

pub use chooser::{Bytes, Chooser, Enumerator, Seeds, one_of};
pub use clock::{Clock, Time};
pub use grouping::{Grouping, MAXIMUM_MEMBERS, MemberNumber};
pub use instance::Failure;
pub use link::Quality;
pub use log::Log;
pub use minimise::minimise;
pub use mutant::Mutant;
pub use probe::{Deed, Fault, Probe, Probes, Sight};
pub use rules::{Broken, Rule};
pub use script::{End, Script, ScriptError};
pub use setup::{
    DriverSetup, ElectionIndex, ElectionSetup, InstanceSetup, MAXIMUM_ADDRESSES, NodeIndex, NodeSetup, Setup,
    SetupError,
};
pub use step::{AddressPlace, Change, Junk, NodeSet, Refusal, RouterPlace, Step};
pub use table::{Input, Situation, outcomes};
pub use world::{Outcome, World};
