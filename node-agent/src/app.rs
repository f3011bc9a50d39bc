//! What the running agent consists of, as HTTP and metrics see it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::timeout;

use crate::checks::Supervisor;
use crate::election::ElectionHandle;
use crate::snapshot::AgentStatus;
use crate::state_dir::StateDir;

/// An election thread that needs longer for an answer is not alive: backups would have taken over.
const PATIENCE: Duration = Duration::from_secs(2);

/// How the configuration is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Whether one is in force.
    pub loaded: bool,
    /// What is wrong with it, one message each.
    pub errors: Vec<String>,
}

/// The parts of a running agent.
pub struct App {
    /// The name of the node.
    pub node: String,
    /// The election thread.
    pub election: ElectionHandle,
    /// The health checks.
    pub checks: Arc<Supervisor>,
    /// The configuration.
    pub configuration: watch::Receiver<Configuration>,
    /// The state folder.
    pub state: Arc<StateDir>,
}

impl App {
    /// The state of everything; `None` if the election thread does not answer.
    pub async fn status(&self) -> Option<AgentStatus> {
        let snapshot = timeout(PATIENCE, self.election.snapshot()).await.ok().flatten()?;
        Some(AgentStatus {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            snapshot,
            health_checks: self.checks.snapshot(),
            configuration_errors: self.configuration.borrow().errors.clone(),
        })
    }
}
