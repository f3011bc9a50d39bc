//! Who has asked the API server for what.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, bail};
use tokio::time::{Instant, sleep};

use crate::cluster::{Audit, Mark, Request};

/// Whether a request has changed an object.
pub(super) fn is_write(request: &Request) -> bool {
    let is_writing = matches!(request.verb.as_str(), "create" | "update" | "patch" | "delete" | "deletecollection");
    is_writing && request.status < 300
}

/// `12 patch virtualips/status, 3 create events`, the most frequent first.
pub(super) fn by_kind<'a>(requests: impl IntoIterator<Item = &'a Request>) -> String {
    let mut kinds: BTreeMap<String, usize> = BTreeMap::new();
    for request in requests {
        let failed = if request.status >= 300 { format!(" ({})", request.status) } else { String::new() };
        *kinds.entry(format!("{} {}{failed}", request.verb, request.resource)).or_default() += 1;
    }
    let mut kinds: Vec<(String, usize)> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let kinds: Vec<String> = kinds.into_iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    if kinds.is_empty() { "none".to_owned() } else { kinds.join(", ") }
}

/// Waits until these users have written nothing but Leases for `quiet`.
pub(super) async fn settle(audit: &Audit, users: &[&str], quiet: Duration, limit: Duration) -> Result<()> {
    let deadline = Instant::now() + limit;
    while Instant::now() < deadline {
        let mark = audit.mark()?;
        sleep(quiet).await;
        let written = audit.since(mark)?;
        let is_news = |request: &Request| {
            users.contains(&request.user.as_str()) && is_write(request) && request.resource != "leases"
        };
        if !written.iter().any(is_news) {
            return Ok(());
        }
    }
    bail!("{users:?} did not become quiet within {limit:?}")
}

/// What was asked since, by one user.
pub(super) fn of_user(audit: &Audit, since: Mark, user: &str) -> Result<Vec<Request>> {
    Ok(audit.since(since)?.into_iter().filter(|request| request.user == user).collect())
}
