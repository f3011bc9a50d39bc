//! The API server's audit log: which requests it has answered, and whose they were. It is written before the answer is
//! sent, so whoever has an answer finds the request here.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use serde::Deserialize;

/// Every request, once: a watch when it begins, everything else when it is answered.
pub(super) const POLICY: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
omitManagedFields: true
rules: [{ level: Metadata }]
";

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who asked, for example `system:serviceaccount:holdfast:agent`.
    pub user: String,
    /// `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, ..
    pub verb: String,
    /// The plural name of the kind, with the subresource if one was asked for: `nodeconfigs/status`. For other requests
    /// their path, as `/readyz`.
    pub resource: String,
    /// The object's name; empty for a list and the like.
    pub name: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// When the request came in: RFC 3339, UTC.
    pub at: String,
}

/// A moment in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(usize);

/// The log of one API server.
#[derive(Clone, Debug)]
pub struct Audit {
    pub(super) log: PathBuf,
}

impl Audit {
    /// Now: what is answered later is later in the log.
    pub fn mark(&self) -> Result<Mark> {
        Ok(Mark(self.read()?.len()))
    }

    /// The requests that were answered after `mark`, in the order of the log.
    pub fn since(&self, mark: Mark) -> Result<Vec<Request>> {
        let log = self.read()?;
        let text = String::from_utf8_lossy(log.get(mark.0..).unwrap_or_default());
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter_map(|line| parse(line).transpose()).collect()
    }

    fn read(&self) -> Result<Vec<u8>> {
        fs::read(&self.log).with_context(|| format!("cannot read {}", self.log.display()))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event {
    stage: String,
    verb: String,
    #[serde(rename = "requestURI")]
    request_uri: String,
    user: User,
    #[serde(default)]
    object_ref: Object,
    #[serde(default)]
    response_status: Status,
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
struct Object {
    #[serde(default)]
    resource: String,
    #[serde(default)]
    subresource: String,
    #[serde(default)]
    name: String,
}

#[derive(Default, Deserialize)]
struct Status {
    #[serde(default)]
    code: u16,
}

fn parse(line: &str) -> Result<Option<Request>> {
    let event: Event = serde_json::from_str(line).with_context(|| format!("cannot read the audit log: {line}"))?;
    let stage = if event.verb == "watch" { "ResponseStarted" } else { "ResponseComplete" };
    if event.stage != stage {
        return Ok(None);
    }
    let object = event.object_ref;
    let resource = match (object.resource.as_str(), object.subresource.as_str()) {
        ("", _) => event.request_uri,
        (resource, "") => resource.to_owned(),
        (resource, subresource) => format!("{resource}/{subresource}"),
    };
    Ok(Some(Request {
        user: event.user.username,
        verb: event.verb,
        resource,
        name: object.name,
        status: event.response_status.code,
        at: event.request_received_timestamp,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(verb: &str, stage: &str, object: &str) -> String {
        format!(
            r#"{{"stage":"{stage}","verb":"{verb}","requestURI":"/uri","user":{{"username":"ann"}},{object}
            "responseStatus":{{"code":200}},"requestReceivedTimestamp":"2026-01-01T00:00:00.000000Z"}}"#
        )
    }

    #[test]
    fn a_request_counts_once_and_a_watch_when_it_begins() {
        let nodes = r#""objectRef":{"resource":"nodes","subresource":"status","name":"n"},"#;
        let table = [
            ("get", "ResponseComplete", nodes, Some(("nodes/status", "n"))),
            ("get", "ResponseComplete", "", Some(("/uri", ""))),
            ("watch", "ResponseStarted", nodes, Some(("nodes/status", "n"))),
            ("watch", "ResponseComplete", nodes, None),
            ("get", "ResponseStarted", nodes, None),
        ];
        for (verb, stage, object, expected) in table {
            let request = parse(&event(verb, stage, object)).unwrap();
            let seen = request.as_ref().map(|request| (request.resource.as_str(), request.name.as_str()));
            assert_eq!(seen, expected, "{verb} {stage}");
        }
    }
}
