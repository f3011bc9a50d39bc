//! Every request to the API server goes through here: bounded in time, counted, and told when that makes news.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use tokio::sync::watch;
use tokio::time::timeout;
use tracing::{info, warn};

use super::failure::Failure;
use super::health::{ApiSnapshot, Health, News, Operation};

/// The agent's relation to the API server, shared by all who talk to it.
#[derive(Debug, Default)]
pub struct Connection {
    health: Mutex<Health>,
    regained: watch::Sender<u64>,
}

impl Connection {
    /// Sends a request, and waits for the answer no longer than `limit`: a server that hangs holds nobody up.
    pub async fn ask<T>(
        &self,
        operation: Operation,
        limit: Duration,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Failure> {
        let sent = Instant::now();
        let answer = match timeout(limit, request).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::timeout(limit)),
        };
        match &answer {
            Ok(_) => self.succeed(operation),
            Err(failure) => self.fail(operation, failure, sent),
        }
        answer
    }

    /// Notes that something was answered.
    pub fn succeed(&self, operation: Operation) {
        let news = self.health().succeed(operation, Instant::now(), SystemTime::now());
        self.tell(news);
    }

    /// Notes that a request, or a watch that was alive at `sent`, has failed.
    pub fn fail(&self, operation: Operation, failure: &Failure, sent: Instant) {
        let news = self.health().fail(operation, failure, sent, Instant::now(), SystemTime::now());
        self.tell(news);
    }

    /// Changes whenever the API server was lost and is there again.
    pub fn regained(&self) -> watch::Receiver<u64> {
        self.regained.subscribe()
    }

    /// Whether the API server cannot be reached.
    pub fn is_lost(&self) -> bool {
        self.health().is_lost()
    }

    /// Everything, for people and metrics.
    pub fn snapshot(&self) -> ApiSnapshot {
        self.health().snapshot()
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        // It is only ever left whole.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, news: Vec<News>) {
        for item in news {
            match item {
                News::Lost(reason) => warn!(
                    event = "api-lost",
                    "the API server cannot be reached: {reason}; elections and health checks go on without it"
                ),
                News::Regained(after) => {
                    let seconds = after.as_secs();
                    info!(event = "api-regained", seconds, "the API server answers again, after {seconds} s");
                    self.regained.send_modify(|times| *times += 1);
                }
                News::Refused(message) => warn!(event = "api-refused", "{message}"),
                News::Mended(message) => info!(event = "api-refused-no-more", "solved: {message}"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::super::failure::FailureKind;
    use super::*;

    const LIMIT: Duration = Duration::from_millis(20);

    #[tokio::test]
    async fn a_server_that_hangs_is_waited_for_no_longer_than_the_limit() {
        let connection = Connection::default();
        let answer = connection.ask(Operation::Status, LIMIT, pending::<kube::Result<()>>()).await;
        assert_eq!(answer.expect_err("no answer").kind, FailureKind::Timeout);
        assert_eq!(connection.snapshot().reachable, Some(false));
    }

    #[tokio::test]
    async fn whoever_waits_for_the_server_to_come_back_is_told() {
        let connection = Connection::default();
        let regained = connection.regained();
        connection.ask(Operation::Status, LIMIT, ready(Ok(()))).await.expect("an answer");
        assert!(!regained.has_changed().expect("open"), "it had not been lost");
        let _ = connection.ask(Operation::Status, LIMIT, pending::<kube::Result<()>>()).await;
        connection.ask(Operation::Heartbeat, LIMIT, ready(Ok(()))).await.expect("an answer");
        assert!(regained.has_changed().expect("open"));
    }
}
