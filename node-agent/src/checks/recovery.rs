//! Recovery: a command that may mend what a check found, before the check fails.
//!
//! It takes the place of the script that looks for nginx, restarts it, looks again, and only then gives the address up.
//! What it costs is time: the check fails later by at most `attempts` times (the timeout of the command plus the timeout
//! of the probe).

use holdfast_crds::{DurationString, Recovery};

use super::command::{CommandError, CommandPolicy, CommandRunner};
use super::finding::Finding;
use super::prober::Prober;

pub(super) struct Recoverer {
    command: CommandRunner,
    limit: DurationString,
    attempts: u8,
}

impl Recoverer {
    pub(super) fn new(name: &str, recovery: &Recovery, policy: &CommandPolicy) -> Self {
        Self {
            command: CommandRunner::new(name, &recovery.command, recovery.user.as_deref(), policy),
            limit: recovery.timeout,
            attempts: recovery.attempts.max(1),
        }
    }

    /// Runs the command, then asks again; up to the number of attempts. Gives what is true in the end: a pass, or
    /// `failure` with what was tried.
    pub(super) async fn recover(&mut self, failure: Finding, prober: &mut Prober, limit: DurationString) -> Finding {
        let mut message = failure.message;
        for _ in 0..self.attempts {
            let (done, attempt) = match self.command.run(self.limit).await {
                Ok(ended) => (true, ended.message),
                // It ran for a while, and may have mended something.
                Err(error @ CommandError::TimedOut(_)) => (true, error.to_string()),
                Err(error) => (false, error.to_string()),
            };
            if !done {
                message = format!("{message}; recovery failed: {attempt}");
                break;
            }
            let found = prober.probe(limit).await;
            if found.has_passed() {
                return Finding::passed(format!("{} after recovery", found.message));
            }
            message = format!("{}; recovery did not help: {attempt}", found.message);
        }
        Finding { outcome: failure.outcome, message }
    }
}
