//! `holdfast-operator run`: puts the parts together, and takes them apart again.
//!
//! ```text
//! watches ─► sightings ─► Reconciler ─► Writer ─► API server
//!                             ▲            ▲
//! Candidate (the Lease) ──────┴────────────┘ who leads
//! ```

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kube::core::{ClusterResourceScope, NamespaceResourceScope};
use kube::runtime::watcher;
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch as channel};
use tokio::task::{JoinError, JoinSet};
use tracing::{info, warn};

use crate::cli::RunArgs;
use crate::client::{self, ClientError};
use crate::clock::Clock;
use crate::definitions;
use crate::events::Publisher;
use crate::http::{self, Served};
use crate::leader::{Candidate, Leadership, Lost, Tenure};
use crate::metrics::Metrics;
use crate::node_access::{MANAGED_BY, PART_OF};
use crate::pods::PodWatches;
use crate::reconciler::{Reconciler, Settings, Surroundings};
use crate::report::Report;
use crate::watch::{Interruptions, Observers, Watch};
use crate::world::{Kind, Seen, Sighting};
use crate::write::{Means, Writer};

/// What watches may be ahead of the loop.
const SIGHTINGS: usize = 1024;

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// A signal ended it.
    Ended,
    /// A second signal aborted it.
    Aborted,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Ended => Self::SUCCESS,
            // What a shell reports of a program that was interrupted.
            Ending::Aborted => Self::from(130),
        }
    }
}

/// Why the operator cannot run, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The runtime cannot be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// There is no client.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The address of the HTTP endpoints cannot be used.
    #[error("cannot listen on {address} for HTTP: {source}; choose another address with --http")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
    /// The host has no name.
    #[error("the host has no name: name this operator with --identity")]
    Identity,
    /// Another operator leads.
    #[error(transparent)]
    Lost(#[from] Lost),
    /// A part has ended though nobody asked it to.
    #[error("a part of the operator has died")]
    Died,
}

/// Runs until a signal ends it.
pub fn run(args: RunArgs) -> Result<Ending, RunError> {
    let runtime = runtime::Builder::new_multi_thread().enable_all().build().map_err(RunError::Runtime)?;
    let ending = runtime.block_on(run_until_signal(args));
    runtime.shutdown_timeout(Duration::from_millis(200));
    ending
}

async fn run_until_signal(args: RunArgs) -> Result<Ending, RunError> {
    let mut signals = Signals::new().map_err(RunError::Signals)?;
    let identity = identity(&args)?;
    let (client, namespace) = client::connect(args.kubeconfig.as_deref()).await?;
    let namespace = args.namespace.clone().unwrap_or(namespace);
    let listener =
        TcpListener::bind(args.http).await.map_err(|source| RunError::Listen { address: args.http, source })?;
    let version = env!("CARGO_PKG_VERSION");
    info!(version, namespace, identity, http = %args.http, event = "started", "holdfast-operator has started");

    let clock = Clock::start();
    let tenure = Tenure::new(clock);
    let mut candidate = Candidate::new(client.clone(), &namespace, &args.lease_name, &identity, tenure.clone(), clock);
    let (told, leadership) = channel::channel(Leadership::default());
    let (problem, definitions) = channel::channel(Some("the API server has not answered yet".to_owned()));
    let parts = Parts { client: client.clone(), namespace, identity, args, clock, tenure, leadership };
    let mut tasks = parts.start(listener, definitions, &candidate);

    let lead = async {
        definitions::wait_for(&client, &problem).await;
        parts.watch(&mut tasks);
        tokio::select! {
            lost = candidate.run(&told) => RunError::Lost(lost),
            () = first_death(&mut tasks.all) => RunError::Died,
        }
    };
    tokio::select! {
        error = lead => return Err(error),
        () = signals.first() => {}
    }
    // Nothing more is written in the name of the leader; then the next one may begin.
    tasks.all.shutdown().await;
    info!(event = "leaving", "asked to leave");
    tokio::select! {
        () = candidate.release() => Ok(Ending::Ended),
        () = signals.first() => {
            warn!(event = "aborted", "asked again: leaving without a word");
            Ok(Ending::Aborted)
        }
    }
}

/// What the parts are made of.
struct Parts {
    client: Client,
    namespace: String,
    identity: String,
    args: RunArgs,
    clock: Clock,
    tenure: Tenure,
    leadership: channel::Receiver<Leadership>,
}

/// The parts as they run.
struct Tasks {
    all: JoinSet<()>,
    observers: Observers,
}

impl Parts {
    /// Starts everything but the watches.
    fn start(
        &self,
        listener: TcpListener,
        definitions: channel::Receiver<Option<String>>,
        candidate: &Candidate,
    ) -> Tasks {
        let metrics = Arc::new(Metrics::new());
        let (sightings, seen) = mpsc::channel(SIGHTINGS);
        let (report, reported) = channel::channel(Report::unseen());
        let (reports, written) = mpsc::unbounded_channel();
        let interruptions = Interruptions::default();
        let writer = Writer::new(self.clock);
        let mut all = JoinSet::new();
        let served = Served {
            definitions,
            report: reported,
            leadership: self.leadership.clone(),
            interruptions: interruptions.clone(),
            writer: writer.clone(),
            metrics: Arc::clone(&metrics),
        };
        all.spawn(http::serve(listener, Arc::new(served)));
        all.spawn(writer.clone().run(Means {
            client: self.client.clone(),
            namespace: self.namespace.clone(),
            tenure: self.tenure.clone(),
            rate: self.args.qps,
            metrics: Arc::clone(&metrics),
            reports,
        }));
        let (publisher, publishing) = Publisher::new(self.client.clone(), self.identity.clone(), Arc::clone(&metrics));
        all.spawn(publishing);
        let settings = Settings {
            namespace: self.namespace.clone(),
            lease: self.args.lease_name.clone(),
            owner: self.args.owner.clone(),
            drain_taints: self.args.drain_taints.iter().filter(|key| !key.is_empty()).cloned().collect::<BTreeSet<_>>(),
        };
        let surroundings = Surroundings {
            sightings: seen,
            leadership: self.leadership.clone(),
            nudge: candidate.nudge(),
            pods: PodWatches::new(self.client.clone(), sightings.clone()),
            writer,
            written,
            publisher,
            report,
            metrics: Arc::clone(&metrics),
        };
        all.spawn(Reconciler::new(settings, surroundings, self.clock).run());
        Tasks { all, observers: Observers { sightings, interruptions, metrics, suspicion: channel::Sender::new(()) } }
    }

    /// Starts the watches.
    fn watch(&self, tasks: &mut Tasks) {
        self.everywhere(tasks, Kind::VirtualIP, Sighting::VirtualIP);
        self.everywhere(tasks, Kind::HealthCheck, Sighting::HealthCheck);
        self.everywhere(tasks, Kind::VirtualIPGroup, Sighting::VirtualIPGroup);
        self.everywhere(tasks, Kind::NodeConfig, Sighting::NodeConfig);
        self.everywhere(tasks, Kind::Node, Sighting::Node);
        let with = |label: (&str, &str)| watcher::Config::default().labels(&format!("{}={}", label.0, label.1));
        self.here(tasks, Kind::Lease, watcher::Config::default(), Sighting::Lease);
        self.here(tasks, Kind::ServiceAccount, with(MANAGED_BY), Sighting::ServiceAccount);
        self.all(tasks, Kind::ClusterRole, with(PART_OF), Sighting::ClusterRole);
        self.all(tasks, Kind::ClusterRoleBinding, with(MANAGED_BY), Sighting::ClusterRoleBinding);
    }

    fn everywhere<K>(&self, tasks: &mut Tasks, kind: Kind, tell: fn(Seen<K>) -> Sighting)
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Watched,
    {
        self.all(tasks, kind, watcher::Config::default(), tell);
    }

    fn all<K>(&self, tasks: &mut Tasks, kind: Kind, config: watcher::Config, tell: fn(Seen<K>) -> Sighting)
    where
        K: Resource<DynamicType = (), Scope = ClusterResourceScope> + Watched,
    {
        let watch = Watch { kind, api: Api::all(self.client.clone()), config, tell };
        tasks.all.spawn(watch.run(tasks.observers.clone()));
    }

    fn here<K>(&self, tasks: &mut Tasks, kind: Kind, config: watcher::Config, tell: fn(Seen<K>) -> Sighting)
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope> + Watched,
    {
        let watch = Watch { kind, api: Api::namespaced(self.client.clone(), &self.namespace), config, tell };
        tasks.all.spawn(watch.run(tasks.observers.clone()));
    }
}

/// What can be read from a watch.
trait Watched: Clone + Debug + DeserializeOwned + Send + 'static {}

impl<K: Clone + Debug + DeserializeOwned + Send + 'static> Watched for K {}

/// Returns when a part ends, which none does by itself. A panic goes on here: the process ends with it.
async fn first_death(tasks: &mut JoinSet<()>) {
    if let Some(Err(error)) = tasks.join_next().await.map(|ended: Result<(), JoinError>| ended)
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
}

/// The name of this operator: as given, or that of the host, which for a pod is the pod's.
fn identity(args: &RunArgs) -> Result<String, RunError> {
    let host = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    let identity = args.identity.clone().or_else(host).map(|name| name.trim().to_owned());
    identity.filter(|name| !name.is_empty()).ok_or(RunError::Identity)
}

/// The signals that end a run.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next.
    async fn first(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
