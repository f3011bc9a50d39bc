//! What the running agent consists of, as HTTP, metrics and the log see it.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio::time::timeout;

use crate::checks::Supervisor;
use crate::desired::Desired;
use crate::election::ElectionHandle;
use crate::kubernetes::{ApiSnapshot, Connection};
use crate::snapshot::{AgentStatus, CheckSnapshot, Snapshot};
use crate::state_dir::StateDir;

/// An election thread that needs longer for an answer is not alive: backups would have taken over.
pub const PATIENCE: Duration = Duration::from_secs(2);

/// How the configuration is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configuration {
    /// Whether one is in force.
    pub loaded: bool,
    /// Whether the agent is on its way out.
    pub leaving: bool,
    /// What the election thread was told to run.
    pub desired: Arc<Desired>,
    /// What is wrong with the configuration, one message each.
    pub errors: Vec<String>,
    /// The fault of the agent that keeps it from following the configuration.
    pub fault: Option<String>,
    /// How often there was such a fault.
    pub faults: u64,
}

impl Configuration {
    /// Everything that is wrong with what is in force, and with following it.
    pub fn problems(&self) -> Vec<String> {
        self.errors.iter().chain(&self.fault).cloned().collect()
    }
}

/// The parts of a running agent that others ask for their state.
pub trait Parts: Send + Sync {
    /// The state of the election thread; `None` once it has ended.
    fn elections(&self) -> Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>>;

    /// Whether the election thread answers; `false` once it has ended.
    fn answers(&self) -> Pin<Box<dyn Future<Output = bool> + Send>>;

    /// The last result of each health check.
    fn checks(&self) -> Vec<CheckSnapshot>;

    /// How often the state folder could not be written.
    fn state_write_failures(&self) -> u64;

    /// How the agent gets on with the API server, if it needs one.
    fn api(&self) -> Option<ApiSnapshot> {
        None
    }
}

/// The parts as they run.
pub struct RunningParts {
    /// The election thread.
    pub election: ElectionHandle,
    /// The health checks.
    pub checks: Arc<Supervisor>,
    /// The state folder.
    pub state: Arc<StateDir>,
    /// The API server, if the agent needs one.
    pub api: Option<Arc<Connection>>,
}

impl Parts for RunningParts {
    fn elections(&self) -> Pin<Box<dyn Future<Output = Option<Snapshot>> + Send>> {
        Box::pin(self.election.snapshot())
    }

    fn answers(&self) -> Pin<Box<dyn Future<Output = bool> + Send>> {
        Box::pin(self.election.answers())
    }

    fn checks(&self) -> Vec<CheckSnapshot> {
        self.checks.snapshot()
    }

    fn state_write_failures(&self) -> u64 {
        self.state.write_failures()
    }

    fn api(&self) -> Option<ApiSnapshot> {
        self.api.as_ref().map(|connection| connection.snapshot())
    }
}

/// A running agent.
pub struct App {
    /// The name of the node.
    pub node: String,
    /// When the agent started.
    pub started: SystemTime,
    /// The configuration.
    pub configuration: watch::Receiver<Configuration>,
    /// The parts.
    pub parts: Box<dyn Parts>,
}

/// What readiness is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// The agent's, and that nothing is wrong with its configuration.
    Everything,
    /// The agent's alone. Whoever replaces agents while they are not ready must not be made to by what a user has written.
    AgentOnly,
}

impl App {
    /// The state of everything; `None` if the election thread does not answer.
    pub async fn status(&self) -> Option<AgentStatus> {
        let snapshot = timeout(PATIENCE, self.parts.elections()).await.ok().flatten()?;
        Some(AgentStatus {
            node: self.node.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            snapshot,
            health_checks: self.parts.checks(),
            configuration_errors: self.configuration.borrow().problems(),
            api: self.parts.api(),
        })
    }

    /// Whether the election thread answers in time. Asked every few seconds, so nothing is copied for it.
    pub async fn is_live(&self) -> bool {
        timeout(PATIENCE, self.parts.answers()).await.unwrap_or(false)
    }

    /// Everything that keeps the agent from being ready; empty if it is.
    pub async fn unreadiness(&self, asked: Readiness) -> Vec<String> {
        let answers = self.is_live().await;
        let configuration = self.configuration.borrow();
        let mut reasons = match asked {
            Readiness::Everything => configuration.problems(),
            Readiness::AgentOnly => configuration.fault.iter().cloned().collect(),
        };
        let mut add = |applies: bool, reason: &str| reasons.extend(applies.then(|| reason.to_owned()));
        add(!answers, "the election thread does not answer");
        add(configuration.leaving, "the agent is leaving");
        add(!configuration.loaded, "there is no configuration yet");
        // That the API server is gone is no reason: an agent that does not need it is as good as ever.
        reasons.extend(self.parts.api().into_iter().flat_map(|api| api.refused));
        reasons
    }
}
