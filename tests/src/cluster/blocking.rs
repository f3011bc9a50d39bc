//! Asynchronous work, awaited by code that is not asynchronous: also by a thread that a runtime owns already.

use std::thread;

use anyhow::{Context, Result, anyhow};

/// Runs `work` to its end on a thread and a runtime of its own. What it leaves running ends with the runtime.
pub fn run<T, F>(work: impl FnOnce() -> F + Send) -> Result<T>
where
    T: Send,
    F: Future<Output = Result<T>>,
{
    let on_thread = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.context("cannot make a runtime")?.block_on(work())
    };
    let joined = thread::scope(|scope| scope.spawn(on_thread).join());
    joined.map_err(|_| anyhow!("asynchronous work panicked"))?
}
