//! Awaiting what controllers make of an object. Everything is a watch, and goes on when the watch breaks.

use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::StreamExt;
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Api, Resource};
use serde::de::DeserializeOwned;
use tokio::time::{sleep, timeout_at};

/// Waits until the object exists and satisfies `wanted`; returns it as it was then. After `timeout` it fails with a message
/// that says what was awaited (`what`) and shows the object as it was last seen.
pub async fn until<K>(api: &Api<K>, name: &str, what: &str, timeout: Duration, wanted: impl Fn(&K) -> bool) -> Result<K>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let found = watched(api, name, what, timeout, |object| object.as_ref().is_some_and(&wanted)).await?;
    found.context("an object that satisfied the condition")
}

/// Waits until there is no such object.
pub async fn until_gone<K>(api: &Api<K>, name: &str, timeout: Duration) -> Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    watched(api, name, &format!("{name} is gone"), timeout, Option::is_none).await.map(drop)
}

async fn watched<K>(
    api: &Api<K>,
    name: &str,
    what: &str,
    timeout: Duration,
    wanted: impl Fn(&Option<K>) -> bool,
) -> Result<Option<K>>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let deadline = tokio::time::Instant::now() + timeout;
    let mut states = Box::pin(watcher::watch_object(api.clone(), name).default_backoff());
    let mut last = None;
    let mut failure = None;
    while let Ok(Some(state)) = timeout_at(deadline, states.next()).await {
        match state {
            Ok(object) if wanted(&object) => return Ok(object),
            Ok(object) => last = object,
            Err(error) => failure = Some(error),
        }
    }
    let failure = failure.map(|error| format!("; the watch failed last with: {error}")).unwrap_or_default();
    bail!("waited {timeout:?} in vain: {what}; {name} was last seen as {last:#?}{failure}")
}

/// How often [`repeatedly`] asks.
const INTERVAL: Duration = Duration::from_millis(50);

/// Repeats a request until it succeeds: for what cannot be watched, as a policy that takes effect.
pub async fn repeatedly<T>(what: &str, timeout: Duration, mut attempt: impl AsyncFnMut() -> Result<T>) -> Result<T> {
    let deadline = tokio::time::Instant::now() + timeout;
    let mut last = None;
    while let Ok(answer) = timeout_at(deadline, attempt()).await {
        match answer {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
        sleep(INTERVAL).await;
    }
    let last = last.unwrap_or_else(|| anyhow!("no answer"));
    Err(last).with_context(|| format!("waited {timeout:?} in vain: {what}"))
}
