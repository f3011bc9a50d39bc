//! Calls that may block for long (name resolution, files on a dead network mount), kept off the runtime's workers.

use std::io;

use tokio::task::{self, JoinHandle};

/// Runs blocking calls, one at a time.
///
/// A blocking call cannot be cancelled: when a probe gives up on it, its thread stays until the call returns. So the
/// next probe waits for the thread instead of starting another, and a check never occupies more than one.
pub(super) struct OneAtATime<T> {
    running: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> OneAtATime<T> {
    pub(super) fn new() -> Self {
        Self { running: None }
    }

    /// Waits for a call that was given up earlier, if there is one, then runs `call`.
    ///
    /// May be dropped at any point. Fails only if the runtime is shutting down.
    pub(super) async fn run(&mut self, call: impl FnOnce() -> T + Send + 'static) -> io::Result<T> {
        if let Some(earlier) = &mut self.running {
            let outdated = earlier.await;
            self.running = None;
            drop(outdated);
        }
        let result = self.running.insert(task::spawn_blocking(call)).await;
        self.running = None;
        result.map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, mpsc};
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    #[tokio::test]
    async fn a_call_that_was_given_up_is_waited_for_before_the_next_one_starts() {
        let mut calls = OneAtATime::new();
        let (release, released) = mpsc::channel::<()>();
        let first = calls.run(move || {
            released.recv().unwrap();
            1
        });
        assert!(timeout(Duration::from_millis(20), first).await.is_err());

        let started = Arc::new(AtomicUsize::new(0));
        let counter = started.clone();
        let second = calls.run(move || {
            counter.fetch_add(1, Ordering::SeqCst);
            2
        });
        assert!(timeout(Duration::from_millis(20), second).await.is_err());
        assert_eq!(started.load(Ordering::SeqCst), 0, "the first call still holds its thread");

        release.send(()).unwrap();
        assert_eq!(calls.run(|| 3).await.unwrap(), 3);
    }
}
