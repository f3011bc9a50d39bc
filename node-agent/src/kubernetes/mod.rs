//! Kubernetes as the source of what this node runs, and as the place where it tells what it does.
//!
//! ```text
//!        NodeConfig ─► watch ─► assignment ─► Configurator ─► election thread, health checks
//! election thread ─► news ─► status writer ─► NodeConfig.status     (the whole node, at most once a second)
//!                       └──► claim writer  ─► VirtualIP.status.master (at once)
//!                                heartbeat ─► Lease
//! ```
//!
//! Nothing here is in the way of an election. The API server may be slow, gone or wrong: what was in force stays in
//! force, and what is to be written waits, bounded, until it can be.
//!
//! | file | holds |
//! | --- | --- |
//! | `access.rs`, `token.rs` | clients, and the token to read with |
//! | `connection.rs`, `health.rs`, `failure.rs`, `backoff.rs` | each request: its time, its failure, what is told of it |
//! | `watch.rs`, `seen.rs` | the watch of the `NodeConfig` |
//! | `assignment.rs` | what is in force (pure) |
//! | `follow.rs`, `programmed.rs` | carrying it out |
//! | `news.rs` | that something has happened |
//! | `status.rs`, `problems.rs`, `sightings.rs` | the status (pure) |
//! | `pace.rs`, `status_writer.rs` | when to write it (pure), and writing it |
//! | `claims.rs`, `claim_writer.rs` | which masters to write (pure), and writing them |
//! | `remade.rs` | which objects are others than before (pure) |
//! | `heartbeat.rs` | the Lease |
//! | `requests.rs` | what the client library lacks |

mod access;
mod assignment;
mod backoff;
mod claim_writer;
mod claims;
mod connection;
mod failure;
mod follow;
mod health;
mod heartbeat;
mod news;
mod pace;
mod problems;
mod programmed;
mod remade;
mod requests;
mod seen;
mod sightings;
mod status;
mod status_writer;
#[cfg(test)]
mod test_snapshots;
mod token;
mod watch;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::error;

pub use access::{AccessError, Credentials};
pub use connection::Connection;
pub use follow::Following;
pub use health::ApiSnapshot;
pub use token::NodeServiceAccount;

use self::access::Access;
use self::claim_writer::{Attempt, ClaimWriter};
use self::heartbeat::Heartbeat;
use self::news::{Ending, News, Newsroom};
use self::programmed::Programmed;
use self::status_writer::StatusWriter;
use self::watch::Watcher;
use crate::checks::Supervisor;
use crate::election::{ElectionHandle, Reports};
use crate::state_dir::StateDir;

/// How many sights of the NodeConfig may wait to be taken in.
const SIGHTS: usize = 8;

/// What the end of the agent waits for the last writes, if the API server is there.
const LAST_WRITES: Duration = Duration::from_secs(3);

/// Before a task that has panicked is started again.
const AFTER_PANIC: Duration = Duration::from_secs(1);

/// Which cluster, and who asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The name of the node.
    pub node: String,
    /// The namespace of the installation; that of the credentials if none is given.
    pub namespace: Option<String>,
    /// Where the credentials come from.
    pub credentials: Credentials,
}

/// The cluster, before the agent runs.
pub struct Cluster {
    options: Options,
    access: Arc<Access>,
    connection: Arc<Connection>,
    newsroom: Newsroom,
    news: News,
}

/// Everything that talks to the API server.
pub struct Running {
    tasks: JoinSet<()>,
    end: tokio::sync::watch::Sender<bool>,
    connection: Arc<Connection>,
}

impl Cluster {
    /// Reads the credentials. Needs no network.
    pub async fn open(options: Options) -> Result<Self, AccessError> {
        let access = Arc::new(Access::open(&options.credentials).await?);
        let (newsroom, news) = Newsroom::new();
        Ok(Self { options, access, connection: Arc::default(), newsroom, news })
    }

    /// Listens in on the reports of the election thread, and hands them on as they are.
    pub fn listen(&self, reports: Reports) -> Reports {
        self.newsroom.clone().listen(reports)
    }

    /// How the requests do.
    pub fn connection(&self) -> Arc<Connection> {
        Arc::clone(&self.connection)
    }

    /// Starts to watch and to write.
    pub fn start(
        self,
        election: &ElectionHandle,
        checks: &Arc<Supervisor>,
        state: &Arc<StateDir>,
    ) -> (Following, Running) {
        let Self { options: Options { node, namespace, .. }, access, connection, news, .. } = self;
        let namespace = namespace.unwrap_or_else(|| access.default_namespace().to_owned());
        let client = access.writer().clone();
        let (end, ending) = Ending::new();
        let (sender, seen) = mpsc::channel(SIGHTS);
        let look = Arc::new(Notify::new());
        let (publish, programmed) = tokio::sync::watch::channel(Programmed::default());
        let (publish_conditions, conditions) = tokio::sync::watch::channel(Vec::new());

        let watcher = Watcher {
            node: node.clone(),
            access,
            connection: Arc::clone(&connection),
            seen: sender,
            look: Arc::clone(&look),
        };
        let heartbeat = Heartbeat {
            node: node.clone(),
            namespace,
            client: client.clone(),
            connection: Arc::clone(&connection),
            ending: ending.clone(),
        };
        let status_writer = StatusWriter {
            node: node.clone(),
            client: client.clone(),
            connection: Arc::clone(&connection),
            election: election.clone(),
            checks: Arc::clone(checks),
            programmed: programmed.clone(),
            conditions,
            news: news.clone(),
            ending: ending.clone(),
        };
        let attempt = Attempt {
            node: node.as_str().into(),
            manager: holdfast_crds::claim_manager(&node).into(),
            client,
            connection: Arc::clone(&connection),
            election: election.clone(),
        };
        let claim_writer = ClaimWriter { attempt, programmed, state: Arc::clone(state), news, ending };

        let mut tasks = JoinSet::new();
        // The watch needs no end of its own: it has nothing to write.
        tokio::spawn(keep_running("watch", AFTER_PANIC, move || watcher.clone().run()));
        tasks.spawn(keep_running("heartbeat", AFTER_PANIC, move || heartbeat.clone().run()));
        tasks.spawn(keep_running("status", AFTER_PANIC, move || status_writer.clone().run()));
        tasks.spawn(keep_running("claims", AFTER_PANIC, move || claim_writer.clone().run()));
        let following =
            Following { node, seen, look, programmed: publish, conditions: publish_conditions, begun: false };
        (following, Running { tasks, end, connection })
    }
}

impl Running {
    /// Writes what has come of the end of all elections, as far as that is possible soon.
    pub async fn finish(mut self) {
        // Everybody listens, or has ended.
        let _ = self.end.send(true);
        if self.connection.snapshot().reachable == Some(true) {
            let _ = timeout(LAST_WRITES, async { while self.tasks.join_next().await.is_some() {} }).await;
        }
    }
}

/// Runs a task to its end; one that panics is started anew.
async fn keep_running<F>(what: &'static str, pause: Duration, mut start: impl FnMut() -> F + Send)
where
    F: Future<Output = ()> + Send + 'static,
{
    while let Err(error) = tokio::spawn(start()).await {
        error!(event = "task-failed", task = what, %error, "a task has failed, and is started again");
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_is_started_again_and_one_that_ends_is_not() {
        let starts = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&starts);
        keep_running("test", Duration::ZERO, move || {
            let start = counted.fetch_add(1, Ordering::Relaxed);
            async move { assert!(start > 0, "the first one panics") }
        })
        .await;
        assert_eq!(starts.load(Ordering::Relaxed), 2);
    }
}
