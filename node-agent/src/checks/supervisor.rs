//! Which checks run: starts, replaces and ends their tasks.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use holdfast_crds::{HealthCheckSpec, InitialState, NodeHealthCheck};
use holdfast_vrrp::TrackState;
use tokio::task::JoinHandle;

use super::board::{Board, Ticket};
use super::command::CommandPolicy;
use super::prober::Prober;
use super::recovery::Recoverer;
use super::runner::Runner;
use super::verdict::Verdict;
use crate::snapshot::CheckSnapshot;

/// What the agent lets health checks do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckOptions {
    /// The folder with the programs that checks and recoveries may run. Without it they run none.
    pub command_dir: Option<PathBuf>,
    /// The user that runs them unless the check names another.
    pub command_user: String,
}

/// No commands; `nobody` if a folder is set.
impl Default for CheckOptions {
    fn default() -> Self {
        Self { command_dir: None, command_user: "nobody".to_owned() }
    }
}

/// Runs the health checks of a node.
///
/// When it is dropped, all checks end, and so does every process that they started.
pub struct Supervisor {
    policy: CommandPolicy,
    board: Arc<Board>,
    checks: Mutex<Checks>,
}

#[derive(Default)]
struct Checks {
    running: BTreeMap<String, Running>,
    last_ticket: u64,
}

struct Running {
    /// Without the weight, which changes nothing about how a check runs.
    spec: HealthCheckSpec,
    task: Task,
}

/// A task that ends when this is dropped.
struct Task(JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Supervisor {
    /// A supervisor without checks.
    ///
    /// `on_change` is told the initial state of each new check and every change from then on, for one check in order. It
    /// is called from the tasks of the checks, so it must not block, and it must not call the supervisor.
    pub fn new(options: CheckOptions, on_change: impl Fn(&str, TrackState) + Send + Sync + 'static) -> Self {
        Self {
            policy: CommandPolicy { folder: options.command_dir, user: options.command_user },
            board: Arc::new(Board::new(Box::new(on_change))),
            checks: Mutex::default(),
        }
    }

    /// Runs these checks, and no others. Must be called on the tokio runtime.
    ///
    /// | check | what happens |
    /// | --- | --- |
    /// | new | its initial state is told, and it starts |
    /// | unchanged, or with another weight | nothing: it goes on |
    /// | changed | it starts anew from the state that it has, so nothing is told before the new probe decides |
    /// | gone | it ends, with its processes; nothing more is told about it |
    ///
    /// If a name comes twice, the first one counts.
    pub fn apply(&self, wanted: Vec<NodeHealthCheck>) {
        let mut checks = self.checks.lock().unwrap_or_else(PoisonError::into_inner);
        let mut before = std::mem::take(&mut checks.running);
        for NodeHealthCheck { name, mut spec } in wanted {
            if checks.running.contains_key(&name) {
                continue;
            }
            spec.weight = 0;
            let running = match before.remove(&name) {
                Some(unchanged) if unchanged.spec == spec => unchanged,
                earlier => {
                    checks.last_ticket += 1;
                    let ticket = Ticket(checks.last_ticket);
                    self.start(&name, spec, ticket, earlier.map(|earlier| earlier.task))
                }
            };
            checks.running.insert(name, running);
        }
        for name in before.keys() {
            self.board.close(name);
        }
    }

    /// The last result of each check, by name.
    pub fn snapshot(&self) -> Vec<CheckSnapshot> {
        self.board.snapshot()
    }

    fn start(&self, name: &str, spec: HealthCheckSpec, ticket: Ticket, earlier: Option<Task>) -> Running {
        let state = self.board.hand_over(name, ticket).unwrap_or_else(|| {
            let state = initial(spec.initial_state);
            self.board.open(name, ticket, state);
            state
        });
        let runner = Runner {
            name: name.to_owned(),
            interval: spec.interval.as_duration(),
            timeout: spec.timeout,
            prober: Prober::new(name, &spec, &self.policy),
            recoverer: spec.recovery.as_ref().map(|recovery| Recoverer::new(name, recovery, &self.policy)),
            verdict: Verdict::new(state, spec.rise, spec.fall),
            board: self.board.clone(),
            ticket,
        };
        let task = tokio::spawn(async move {
            if let Some(mut earlier) = earlier {
                // Its command is killed before ours starts.
                earlier.0.abort();
                drop((&mut earlier.0).await);
            }
            run_guarded(runner).await;
        });
        Running { spec, task: Task(task) }
    }
}

/// Runs a check, and has it fail if its task panics: a check that had silently stopped would keep what it said last.
async fn run_guarded(runner: Runner) {
    let (name, ticket, board) = (runner.name.clone(), runner.ticket, runner.board.clone());
    until_panic(Box::pin(runner.run())).await;
    tracing::error!(check = name, "the task of this health check has crashed");
    board.post(&name, ticket, TrackState::Down, "the check has crashed: see the log of the agent".to_owned());
}

/// Waits until `task` has ended, by a panic if need be.
async fn until_panic(mut task: Pin<Box<impl Future<Output = ()>>>) {
    poll_fn(|context| {
        // After a panic the task is dropped and never polled again, so nobody sees what it left half done.
        catch_unwind(AssertUnwindSafe(|| task.as_mut().poll(context))).unwrap_or(Poll::Ready(()))
    })
    .await;
}

fn initial(state: InitialState) -> TrackState {
    match state {
        InitialState::Unknown => TrackState::Unknown,
        InitialState::Passing => TrackState::Up,
        InitialState::Failing => TrackState::Down,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_ends_without_taking_others_along() {
        until_panic(Box::pin(async {
            tokio::task::yield_now().await;
            panic!("this panic is part of the test");
        }))
        .await;
    }
}
