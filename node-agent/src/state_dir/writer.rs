//! The thread that writes files into the state folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use serde::Serialize;

/// Hands files to the writing thread. The thread ends with the last of these.
#[derive(Clone)]
pub(super) struct Writer {
    orders: Sender<Order>,
    failures: Arc<AtomicU64>,
}

enum Order {
    /// Replace the file of this name.
    Write(&'static str, Vec<u8>),
    /// Answer once everything before has been tried.
    Flush(Sender<()>),
}

impl Writer {
    /// Starts the thread. What cannot be written is tried again after each `retry`.
    pub(super) fn spawn(folder: PathBuf, retry: Duration) -> io::Result<Self> {
        let (orders, queue) = channel();
        let failures = Arc::new(AtomicU64::new(0));
        let thread =
            Thread { folder, retry, failures: Arc::clone(&failures), pending: BTreeMap::new(), failing: false };
        thread::Builder::new().name("state-writer".to_owned()).spawn(move || thread.run(&queue))?;
        Ok(Self { orders, failures })
    }

    /// Never blocks.
    pub(super) fn write<T: Serialize + ?Sized>(&self, file: &'static str, content: &T) {
        match serde_json::to_vec(content) {
            Ok(bytes) => self.write_bytes(file, bytes),
            Err(error) => tracing::error!(file, %error, "cannot put state into JSON"),
        }
    }

    /// As [`Writer::write`], for what is in its form already.
    pub(super) fn write_bytes(&self, file: &'static str, bytes: Vec<u8>) {
        self.order(Order::Write(file, bytes));
    }

    /// Waits until everything has been tried, at most for `limit`; returns whether it has.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let (done, wait) = channel();
        self.order(Order::Flush(done));
        wait.recv_timeout(limit).is_ok()
    }

    /// How many attempts have failed.
    pub(super) fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    /// The thread is there for as long as this is.
    fn order(&self, order: Order) {
        let _ = self.orders.send(order);
    }
}

struct Thread {
    folder: PathBuf,
    retry: Duration,
    failures: Arc<AtomicU64>,
    /// The newest content of each file that is not written yet.
    pending: BTreeMap<&'static str, Vec<u8>>,
    failing: bool,
}

impl Thread {
    fn run(mut self, queue: &Receiver<Order>) {
        loop {
            let first = if self.pending.is_empty() {
                queue.recv().map_err(|_| RecvTimeoutError::Disconnected)
            } else {
                queue.recv_timeout(self.retry)
            };
            if matches!(first, Err(RecvTimeoutError::Disconnected)) {
                return;
            }
            // Only the newest content counts, so everything that waits is taken at once.
            let mut flushes = Vec::new();
            for order in first.into_iter().chain(queue.try_iter()) {
                match order {
                    Order::Write(file, bytes) => drop(self.pending.insert(file, bytes)),
                    Order::Flush(done) => flushes.push(done),
                }
            }
            self.write_pending();
            for done in flushes {
                // Whoever waited may have given up.
                let _ = done.send(());
            }
        }
    }

    /// Tells of the first failure and of the first success after it, not of each attempt.
    fn write_pending(&mut self) {
        let outcome = self.try_pending();
        let folder = self.folder.display();
        match outcome {
            Ok(()) if self.failing => {
                tracing::info!(event = "state-written", %folder, "the state folder can be written again");
                self.failing = false;
            }
            Ok(()) => {}
            Err(error) => {
                self.failures.fetch_add(1, Ordering::Relaxed);
                if !self.failing {
                    tracing::warn!(
                        event = "state-not-written",
                        %folder,
                        %error,
                        "cannot write the state folder; elections go on, and it is tried again"
                    );
                }
                self.failing = true;
            }
        }
    }

    fn try_pending(&mut self) -> io::Result<()> {
        while let Some(entry) = self.pending.first_entry() {
            replace(&self.folder, entry.key(), entry.get())?;
            entry.remove();
        }
        Ok(())
    }
}

/// A reader, and the next run, see the old content or the new, never half of it.
fn replace(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!("{name}.new"));
    let written = write_and_sync(&draft, bytes).and_then(|()| fs::rename(&draft, folder.join(name)));
    if written.is_err() {
        // It takes room that the next attempt may need; if it cannot be removed, the next attempt overwrites it.
        let _ = fs::remove_file(&draft);
    }
    written
}

fn write_and_sync(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}
