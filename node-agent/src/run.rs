//! `holdfast-agent run`: puts the parts together, and takes them apart again.
//!
//! ```text
//! manifests ─► Follower ─► translate ─► election thread ─► reports ─► log
//!                              └──────► health checks ─► results ─┘ (to the election thread)
//! ```

use std::io;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use tokio::net::TcpListener;
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::app::{App, Configuration};
use crate::checks::{CheckOptions, Supervisor};
use crate::cli::RunArgs;
use crate::election::{self, ElectionError, ElectionHandle, ElectionOptions, Report, Reports};
use crate::passwords::Passwords;
use crate::source::{Folder, Follower, Manifests, NodeIdentity, Update};
use crate::state_dir::{StateDir, StateDirError};
use crate::translate::translate;
use crate::{http, logging};

/// After an abort, addresses go at once; the kernel needs no longer.
const ABORT_LIMIT: Duration = Duration::from_secs(2);

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
    let state = Arc::new(StateDir::open(&args.state_dir)?);
    let listener =
        TcpListener::bind(args.http).await.map_err(|source| RunError::Listen { address: args.http, source })?;
    let (election, reports) = election::spawn(ElectionOptions {
        owned: Box::new(state.address_record()),
        realtime: args.realtime,
        memory_lock: args.lock_memory,
    })?;
    let options = CheckOptions { command_dir: args.command_dir.clone(), command_user: args.command_user.clone() };
    let told = election.clone();
    let checks = Arc::new(Supervisor::new(options, move |name, state| told.health(name, state)));
    let (publish, configuration) = watch::channel(Configuration::default());
    let app = App {
        node: args.node_name.clone(),
        election: election.clone(),
        checks: Arc::clone(&checks),
        configuration,
        state: Arc::clone(&state),
    };
    let server = tokio::spawn(serve(listener, app));
    let configurator = Configurator {
        election: election.clone(),
        checks,
        state,
        publish,
        passwords: Passwords::new(args.auth_dir.clone()),
    };
    let following = tokio::spawn(configurator.follow(args));
    let ending = wait_for_the_end(signals, &election, reports).await;
    following.abort();
    server.abort();
    ending
}

async fn serve(listener: TcpListener, app: App) {
    if let Err(error) = axum::serve(listener, http::router(Arc::new(app))).await {
        error!(%error, "the HTTP endpoints have ended");
    }
}

/// Carries out every change of the configuration.
struct Configurator {
    election: ElectionHandle,
    checks: Arc<Supervisor>,
    state: Arc<StateDir>,
    publish: watch::Sender<Configuration>,
    passwords: Passwords,
}

impl Configurator {
    async fn follow(mut self, args: RunArgs) {
        let identity = NodeIdentity { name: args.node_name, labels: args.node_labels.into_iter().collect() };
        let saved = Manifests::load(self.state.load_manifests());
        let folder = Folder::new(args.manifests);
        let mut follower = Follower::new(folder, self.passwords.clone(), identity, saved);
        loop {
            let update = follower.changed().await;
            self.state.save_manifests(&follower.manifests().save());
            self.carry_out(update);
        }
    }

    fn carry_out(&mut self, update: Update) {
        let translation = translate(&update.spec, &mut self.passwords);
        let mut errors: Vec<String> = update.problems.iter().map(ToString::to_string).collect();
        errors.extend(translation.refusals.iter().map(ToString::to_string));
        errors.extend(translation.warnings);
        info!(
            event = "configuration",
            groups = translation.desired.groups.len(),
            health_checks = update.spec.health_checks.len(),
            problems = errors.len(),
            "the configuration has changed"
        );
        for problem in &errors {
            warn!(event = "configuration-problem", "{problem}");
        }
        self.checks.apply(update.spec.health_checks);
        self.election.apply(translation.desired);
        self.publish.send_replace(Configuration { loaded: true, errors });
    }
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// The first signal drains, the second aborts.
async fn wait_for_the_end(
    mut signals: Signals,
    election: &ElectionHandle,
    mut reports: Reports,
) -> Result<Ending, RunError> {
    let mut ending = None;
    loop {
        tokio::select! {
            report = reports.recv() => match report {
                Some(report) => {
                    logging::write(&report);
                    if report == Report::Finished {
                        return Ok(ending.unwrap_or(Ending::Drained));
                    }
                }
                None => return Err(RunError::ElectionDied),
            },
            () = signals.next() => {
                if ending.is_some() {
                    warn!(event = "abort", "a second signal: addresses are removed at once");
                    election.abort();
                    finish_abort(&mut reports).await;
                    return Ok(Ending::Aborted);
                }
                info!(event = "drain", "leaving: masters hold their addresses until their successors answer");
                ending = Some(Ending::Drained);
                election.drain();
            }
        }
    }
}

async fn finish_abort(reports: &mut Reports) {
    let finished = async {
        while let Some(report) = reports.recv().await {
            logging::write(&report);
        }
    };
    if timeout(ABORT_LIMIT, finished).await.is_err() {
        error!("the election thread does not end; the kernel lets its addresses expire");
    }
}
