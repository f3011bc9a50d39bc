//! What the agent carries out at the moment, as the status tells it.

use std::sync::Arc;

use holdfast_crds::NodeConfigSpec;

use super::seen::Identity;
use crate::translate::Refusal;

/// A configuration that the election thread and the health checks have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Programmed {
    /// The version of the NodeConfig; none for one that an earlier run has saved.
    pub identity: Option<Identity>,
    /// What it says.
    pub spec: Arc<NodeConfigSpec>,
    /// The groups that cannot run.
    pub refusals: Vec<Refusal>,
    /// What is wrong with the NodeConfig as a whole.
    pub problem: Option<Problem>,
}

/// What is wrong with a NodeConfig as a whole, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Problem {
    /// It is not there, or could not be read yet.
    Missing(String),
    /// It is there, and makes no sense to this agent.
    Unreadable(String),
}

impl Problem {
    /// The words.
    pub(super) fn message(&self) -> &str {
        let (Self::Missing(message) | Self::Unreadable(message)) = self;
        message
    }
}
