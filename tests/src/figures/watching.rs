//! Awaiting what becomes of many objects.

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use futures::StreamExt;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{Config, Event, watcher};
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};

/// Waits until so many objects satisfy `wanted` at the same time.
pub(super) async fn until_all<K>(api: &Api<K>, count: usize, limit: Duration, wanted: impl Fn(&K) -> bool) -> Result<()>
where
    K: Resource + Clone + Debug + DeserializeOwned + Send + 'static,
{
    let deadline = Instant::now() + limit;
    let mut events = Box::pin(watcher(api.clone(), Config::default()).default_backoff());
    let mut satisfying: BTreeSet<String> = BTreeSet::new();
    while satisfying.len() < count {
        let next = timeout_at(deadline, events.next()).await;
        let Ok(event) = next else {
            bail!("only {} of {count} are as they should be after {limit:?}", satisfying.len());
        };
        match event.context("the watch has ended")? {
            Ok(Event::Apply(object) | Event::InitApply(object)) if wanted(&object) => {
                satisfying.insert(object.name_any());
            }
            Ok(Event::Apply(object) | Event::InitApply(object) | Event::Delete(object)) => {
                satisfying.remove(&object.name_any());
            }
            // The watch goes on by itself.
            Ok(Event::Init | Event::InitDone) | Err(_) => {}
        }
    }
    Ok(())
}
