//! Tells of transitions by Events, which `kubectl describe` shows.
//!
//! Each is an object of its own: the usual recorder merges what has the same reason, and would keep the text of the first,
//! so that nobody could see where the addresses went after that. How many there are is bounded by the rate at which statuses
//! are written. They are a courtesy: one that cannot be published soon is lost, and counted.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use holdfast_crds::API_VERSION;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::PostParams;
use kube::{Api, Client};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tracing::warn;

use crate::backoff;
use crate::explain::explain;
use crate::metrics::Metrics;
use crate::write::failure::Failure;

/// Events of objects without a namespace are here.
const NAMESPACE: &str = "default";
/// Who reports.
const CONTROLLER: &str = "holdfast.dev/operator";
/// What may wait to be published.
const WAITING: usize = 4096;
const ATTEMPTS: u32 = 4;
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest note that the API server takes, in bytes.
const LONGEST_NOTE: usize = 1024;
/// The longest name of an object, with room for the digits that make it unique.
const LONGEST_NAME: usize = 253 - 33;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It goes as it should.
    Normal,
    /// Somebody should look.
    Warning,
}

/// What is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// The kind of the object.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Which of that name.
    pub uid: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// A word: what has happened.
    pub reason: &'static str,
    /// A word: what was done.
    pub action: &'static str,
    /// A sentence: from where, to where, why.
    pub note: String,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Normal => "Normal",
            Self::Warning => "Warning",
        })
    }
}

/// Where news is handed in. It never blocks.
#[derive(Clone, Debug)]
pub struct Publisher {
    news: mpsc::Sender<News>,
    metrics: Arc<Metrics>,
}

impl Publisher {
    /// A publisher, and the task that must run for it.
    pub fn new(client: Client, identity: String, metrics: Arc<Metrics>) -> (Self, impl Future<Output = ()>) {
        let (news, waiting) = mpsc::channel(WAITING);
        let task = publish_all(Api::namespaced(client, NAMESPACE), identity, waiting, Arc::clone(&metrics));
        (Self { news, metrics }, task)
    }

    /// Publishes this soon.
    pub fn publish(&self, news: News) {
        if self.news.try_send(news).is_err() {
            self.metrics.event_lost();
        }
    }
}

async fn publish_all(api: Api<Event>, identity: String, mut waiting: mpsc::Receiver<News>, metrics: Arc<Metrics>) {
    while let Some(news) = waiting.recv().await {
        let event = event(&news, &identity, Timestamp::now());
        match publish(&api, &event).await {
            Ok(()) => metrics.event(news.reason),
            Err(error) => {
                metrics.event_lost();
                let object = format!("{} {}", news.kind, news.name);
                warn!(object, reason = news.reason, error, event = "event_lost", "cannot publish an Event");
            }
        }
    }
}

async fn publish(api: &Api<Event>, event: &Event) -> Result<(), String> {
    let mut failures = 0;
    loop {
        let error = match timeout(PATIENCE, api.create(&PostParams::default(), event)).await {
            Ok(Ok(_)) => return Ok(()),
            Ok(Err(error)) => match Failure::of(&error) {
                // An answer to an earlier attempt was lost.
                Failure::Conflict => return Ok(()),
                Failure::Overloaded | Failure::Unreachable => explain(&error),
                Failure::Gone | Failure::Refused => return Err(explain(&error)),
            },
            Err(_) => format!("no answer within {PATIENCE:?}"),
        };
        failures += 1;
        if failures >= ATTEMPTS {
            return Err(error);
        }
        sleep(backoff::wait(failures, backoff::chance())).await;
    }
}

fn event(news: &News, identity: &str, now: Timestamp) -> Event {
    let name = format!("{}.{:x}", cut(&news.name, LONGEST_NAME), now.as_nanosecond());
    Event {
        metadata: ObjectMeta { name: Some(name), namespace: Some(NAMESPACE.to_owned()), ..ObjectMeta::default() },
        event_time: Some(MicroTime(now)),
        regarding: Some(ObjectReference {
            api_version: Some(API_VERSION.to_owned()),
            kind: Some(news.kind.clone()),
            name: Some(news.name.clone()),
            uid: news.uid.clone(),
            ..ObjectReference::default()
        }),
        type_: Some(news.severity.to_string()),
        reason: Some(news.reason.to_owned()),
        action: Some(news.action.to_owned()),
        note: Some(cut(&news.note, LONGEST_NOTE).to_owned()),
        reporting_controller: Some(CONTROLLER.to_owned()),
        reporting_instance: Some(cut(identity, 128).to_owned()),
        ..Event::default()
    }
}

/// The beginning of a text, of so many bytes at most.
fn cut(text: &str, bytes: usize) -> &str {
    let end = (0..=bytes.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn news(name: &str, note: &str) -> News {
        News {
            kind: "VirtualIP".to_owned(),
            name: name.to_owned(),
            uid: Some("u".to_owned()),
            severity: Severity::Warning,
            reason: "SplitBrain",
            action: "Observe",
            note: note.to_owned(),
        }
    }

    #[test]
    fn an_event_says_what_happened_to_which_object() {
        let event = event(&news("web", "node-1 and node-2"), "operator-0", Timestamp::from_second(16).unwrap());
        let regarding = event.regarding.unwrap();
        assert_eq!(regarding.kind.as_deref(), Some("VirtualIP"));
        assert_eq!((regarding.name.as_deref(), regarding.uid.as_deref()), (Some("web"), Some("u")));
        assert_eq!((event.type_.as_deref(), event.reason.as_deref()), (Some("Warning"), Some("SplitBrain")));
        assert_eq!(event.note.as_deref(), Some("node-1 and node-2"));
        assert_eq!(event.metadata.name.as_deref(), Some("web.3b9aca000"));
    }

    #[test]
    fn what_is_too_long_for_the_api_server_is_cut() {
        let event = event(&news(&"x".repeat(253), &"ü".repeat(1000)), &"y".repeat(300), Timestamp::now());
        assert!(event.metadata.name.unwrap().len() <= 253);
        assert_eq!(event.note.unwrap().len(), 1024);
        assert_eq!(event.reporting_instance.unwrap().len(), 128);
        assert_eq!(cut("aü", 2), "a");
    }
}
