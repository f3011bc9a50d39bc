//! A scenario written down: a setup, what happens to it when, and which nodes are healed in the end.
//!
//! A script says everything, so a failure that was minimised once stays what it is, however scenarios are generated
//! later. Only what happens by itself on the links comes from the seed in its setup.

mod read;
mod record;
mod write;

use std::time::Duration;

use super::clock::Time;
use super::setup::Setup;
use super::step::{NodeSet, Step};

pub use record::ScriptError;

/// A scenario from beginning to end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// What there is.
    pub setup: Setup,
    /// What happens, in order of time.
    pub steps: Vec<(Time, Step)>,
    /// How it ends.
    pub end: End,
}

/// The end of all faults for some of the nodes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct End {
    /// When.
    pub at: Time,
    /// The nodes that work from then on, with all links between them.
    pub core: NodeSet,
    /// Nodes outside that hear the core, but are not heard. All others outside are cut off.
    pub listeners: NodeSet,
}

impl Script {
    /// Nothing happens until `duration` has passed; then every node has to agree.
    pub fn calm(setup: Setup, duration: Duration) -> Self {
        let end =
            End { at: Time::after(duration), core: NodeSet::first(setup.nodes.len()), listeners: NodeSet::default() };
        Self { setup, steps: Vec::new(), end }
    }
}
