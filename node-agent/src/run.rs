//! `holdfast-agent run`: puts the parts together, and takes them apart again.
//!
//! ```text
//! manifests, or NodeConfig ─► Configurator ─► election thread ─► reports ─► Narrator ─► log
//!                                  └────────► health checks ─► results ─┘ (to the election thread)
//! ```

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{interval, sleep, timeout};
use tracing::{error, info, warn};

use crate::app::{App, Configuration, RunningParts};
use crate::checks::{CheckOptions, Supervisor};
use crate::cli::{HttpAddress, RunArgs, SourceError};
use crate::configurator::Configurator;
use crate::drain;
use crate::election::{self, ElectionError, ElectionHandle, ElectionOptions, Report, Reports};
use crate::http;
use crate::kubernetes::AccessError;
use crate::logging::Narrator;
use crate::origin::Origin;
use crate::passwords::Passwords;
use crate::source::NodeIdentity;
use crate::state_dir::{StateDir, StateDirError};
use crate::system;

/// After an abort, addresses go at once; the kernel needs no longer.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

/// How often rejected packets are summed up in the log.
const PACKET_FAULTS: Duration = Duration::from_secs(10);

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Drained on request.
    Drained,
    /// Aborted by a second signal.
    Aborted,
}

/// Why the agent cannot run, or stopped.
#[derive(Debug, Error)]
pub enum RunError {
    /// The runtime for everything but elections cannot be started.
    #[error("cannot start the runtime: {0}")]
    Runtime(#[source] io::Error),
    /// The state folder cannot be used.
    #[error(transparent)]
    StateDir(#[from] StateDirError),
    /// The command line names no place to take the configuration from.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// There is no access to Kubernetes.
    #[error(transparent)]
    Access(#[from] AccessError),
    /// The election thread cannot be started.
    #[error(transparent)]
    Election(#[from] ElectionError),
    /// The address of the HTTP endpoints cannot be used.
    #[error("cannot listen on {address} for HTTP: {source}; choose another address with --http")]
    Listen {
        /// The address.
        address: std::net::SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// Signals cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(#[source] io::Error),
    /// The election thread ended though nobody asked it to.
    #[error("the election thread has died")]
    ElectionDied,
    /// The task that follows the configuration ended.
    #[error("the configuration is not followed any more: the agent has left, to be started anew")]
    FollowerDied,
    /// The addresses could not be handed over in time, and were removed.
    #[error("leaving took longer than {0:?}: the addresses were removed")]
    DrainLimit(Duration),
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        match ending {
            Ending::Drained => Self::SUCCESS,
            // What a shell reports of a program that was interrupted.
            Ending::Aborted => Self::from(130),
        }
    }
}

/// Runs until a signal ends it.
pub fn run(args: RunArgs) -> Result<Ending, RunError> {
    system::keep_memory_small();
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("control")
        .enable_all()
        .build()
        .map_err(RunError::Runtime)?;
    let ending = runtime.block_on(run_until_signal(args));
    // A health check that hangs in a system call must not keep the process.
    runtime.shutdown_timeout(Duration::from_millis(200));
    ending
}

async fn run_until_signal(args: RunArgs) -> Result<Ending, RunError> {
    let signals = Signals::new().map_err(RunError::Signals)?;
    // Nothing before this lock may touch the network: another agent may be at work with this folder.
    let state = Arc::new(StateDir::open(&args.state_dir)?);
    let identity = NodeIdentity { name: args.node_name.clone(), labels: args.node_labels.iter().cloned().collect() };
    let origin = Origin::open(args.source()?, identity).await?;
    let listener = listen(args.http).await?;
    let (election, reports) = election::spawn(ElectionOptions {
        owned: Box::new(state.address_record()),
        realtime: args.realtime.into(),
        fence: state.fingerprint().map(|fingerprint| format!("holdfast-{fingerprint}")),
        memory_lock: args.lock_memory,
    })?;
    let reports = origin.listen(reports);
    let options = CheckOptions { command_dir: args.command_dir.clone(), command_user: args.command_user.clone() };
    let told = election.clone();
    let checks = Arc::new(Supervisor::new(options, move |name, state| told.health(name, state)));
    let (publish, configuration) = watch::channel(Configuration::default());
    let parts = RunningParts {
        election: election.clone(),
        checks: Arc::clone(&checks),
        state: Arc::clone(&state),
        api: origin.connection(),
    };
    let app = Arc::new(App {
        node: args.node_name.clone(),
        started: SystemTime::now(),
        configuration,
        parts: Box::new(parts),
    });
    info!(event = "start", version = env!("CARGO_PKG_VERSION"), node = args.node_name, "the agent starts");
    if let Some(listener) = listener {
        tokio::spawn(http::serve(listener, Arc::clone(&app)));
    }
    let configurator = Configurator {
        election: election.clone(),
        checks: Arc::clone(&checks),
        state: Arc::clone(&state),
        publish: publish.clone(),
        passwords: Passwords::new(args.auth_dir.clone()),
    };
    let (following, cluster) = origin.start(configurator, &election, &checks);
    let ending = Life { signals, election, reports, narrator: Narrator::new(app), following, publish }.live().await;
    if let Some(cluster) = cluster {
        cluster.finish().await;
    }
    state.finish();
    ending
}

async fn listen(address: HttpAddress) -> Result<Option<TcpListener>, RunError> {
    let HttpAddress::At(address) = address else { return Ok(None) };
    TcpListener::bind(address).await.map(Some).map_err(|source| RunError::Listen { address, source })
}

/// SIGTERM and SIGINT, which end the agent, and SIGHUP, which does not.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to end.
    async fn next(&mut self) {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return,
                _ = self.interrupt.recv() => return,
                _ = self.hangup.recv() => {
                    info!(event = "hangup", "SIGHUP is ignored: changes of the configuration are followed as they are made");
                }
            }
        }
    }
}

/// A running agent, from its start to its end.
struct Life {
    signals: Signals,
    election: ElectionHandle,
    reports: Reports,
    narrator: Narrator,
    following: JoinHandle<()>,
    publish: watch::Sender<Configuration>,
}

impl Life {
    /// Runs until the first signal, which drains; the second aborts.
    async fn live(mut self) -> Result<Ending, RunError> {
        let mut sums = interval(PACKET_FAULTS);
        loop {
            tokio::select! {
                report = self.reports.recv() => self.tell(report).await?,
                () = self.signals.next() => break,
                _ = sums.tick() => self.narrator.tell_packet_faults().await,
                _ = &mut self.following => {
                    error!("the configuration is not followed any more");
                    self.drain().await?;
                    return Err(RunError::FollowerDied);
                }
            }
        }
        self.drain().await
    }

    /// Before it is asked to, the election thread does not end.
    async fn tell(&mut self, report: Option<Report>) -> Result<(), RunError> {
        match report {
            None | Some(Report::Finished) => Err(RunError::ElectionDied),
            Some(report) => {
                self.narrator.tell(&report).await;
                Ok(())
            }
        }
    }

    async fn drain(mut self) -> Result<Ending, RunError> {
        info!(event = "drain", "leaving: masters hold their addresses until their successors answer");
        self.publish.send_modify(|configuration| configuration.leaving = true);
        // Nothing may be configured any more that would then stay behind.
        if !self.following.is_finished() {
            self.following.abort();
            let _ = (&mut self.following).await;
        }
        let limit = drain::limit(&self.publish.borrow().desired);
        self.election.drain();
        tokio::select! {
            ended = tell_until_finished(&mut self.reports, &mut self.narrator) => ended.map(|()| Ending::Drained),
            () = self.signals.next() => {
                warn!(event = "abort", "a second signal: the addresses are removed at once");
                self.abort().await;
                Ok(Ending::Aborted)
            }
            () = sleep(limit) => {
                error!(event = "abort", ?limit, "leaving takes too long: the addresses are removed at once");
                self.abort().await;
                Err(RunError::DrainLimit(limit))
            }
        }
    }

    async fn abort(&mut self) {
        self.election.abort();
        let finished = timeout(ABORT_LIMIT, tell_until_finished(&mut self.reports, &mut self.narrator)).await;
        if !matches!(finished, Ok(Ok(()))) {
            error!(event = "abort", "the election thread does not end; the kernel lets its addresses expire");
        }
    }
}

async fn tell_until_finished(reports: &mut Reports, narrator: &mut Narrator) -> Result<(), RunError> {
    loop {
        let report = reports.recv().await.ok_or(RunError::ElectionDied)?;
        narrator.tell(&report).await;
        if report == Report::Finished {
            return Ok(());
        }
    }
}
