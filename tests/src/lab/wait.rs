//! Waiting for a condition that the kernel or a program reaches by itself and does not announce.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a condition is looked at.
const INTERVAL: Duration = Duration::from_millis(5);

/// Looks at `condition` until it holds; fails after `timeout` with a message that says what was awaited (`what`).
pub fn until(what: &str, timeout: Duration, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    value(what, timeout, || Ok(condition()?.then_some(())))
}

/// As [`until`], for a condition that yields a value once it holds.
pub fn value<T>(what: &str, timeout: Duration, mut attempt: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let deadline = Instant::now() + timeout;
    loop {
        if let Some(value) = attempt()? {
            return Ok(value);
        }
        if Instant::now() >= deadline {
            bail!("waited {timeout:?} in vain: {what}");
        }
        std::thread::sleep(INTERVAL);
    }
}
