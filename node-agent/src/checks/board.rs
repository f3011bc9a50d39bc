//! The results of all checks, and the one place from which they are told.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use holdfast_vrrp::TrackState;
use k8s_openapi::jiff::Timestamp;

use crate::snapshot::CheckSnapshot;

/// Whom to tell that a check has changed.
type OnChange = Box<dyn Fn(&str, TrackState) + Send + Sync>;

pub(super) struct Board {
    results: Mutex<BTreeMap<String, Posted>>,
    on_change: OnChange,
}

/// Says which task may post about a check: the one that was started last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ticket(pub(super) u64);

struct Posted {
    ticket: Ticket,
    state: TrackState,
    message: String,
    since: Timestamp,
}

impl Board {
    pub(super) fn new(on_change: OnChange) -> Self {
        Self { results: Mutex::default(), on_change }
    }

    /// Opens the entry of a new check with what is assumed of it.
    pub(super) fn open(&self, name: &str, ticket: Ticket, state: TrackState) {
        let message = match state {
            TrackState::Unknown => "no result yet",
            TrackState::Up => "assumed to pass until there is a result",
            TrackState::Down | TrackState::Value(_) => "assumed to fail until there is a result",
        };
        let posted = Posted { ticket, state, message: message.to_owned(), since: Timestamp::now() };
        let mut results = self.lock();
        results.insert(name.to_owned(), posted);
        (self.on_change)(name, state);
    }

    /// Gives the entry of a check to another task: its state stays, so nobody is told anything.
    pub(super) fn hand_over(&self, name: &str, ticket: Ticket) -> Option<TrackState> {
        let mut results = self.lock();
        let posted = results.get_mut(name)?;
        posted.ticket = ticket;
        Some(posted.state)
    }

    /// Closes the entry of a check. Nothing is told about it from here on.
    pub(super) fn close(&self, name: &str) {
        self.lock().remove(name);
    }

    /// Posts what a probe found. A task that is not in charge any more is not heard.
    pub(super) fn post(&self, name: &str, ticket: Ticket, state: TrackState, message: String) {
        // The lock is held while the change is told: once a check is closed, no late word about it can follow.
        let mut results = self.lock();
        let Some(posted) = results.get_mut(name).filter(|posted| posted.ticket == ticket) else { return };
        if posted.state == state {
            posted.message = message;
            return;
        }
        // Not as a field `message`: a line of the log has only one.
        tracing::info!(event = "health-check", check = name, from = ?posted.state, to = ?state, "{name}: {message}");
        *posted = Posted { ticket, state, message, since: Timestamp::now() };
        (self.on_change)(name, state);
    }

    pub(super) fn snapshot(&self) -> Vec<CheckSnapshot> {
        self.lock().iter().map(|(name, posted)| posted.snapshot(name)).collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Posted>> {
        self.results.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Posted {
    fn snapshot(&self, name: &str) -> CheckSnapshot {
        let passing = self.state.passes();
        CheckSnapshot {
            name: name.to_owned(),
            passing,
            message: self.message.clone(),
            since: passing.map(|_| format!("{:.3}", self.since)),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    type Told = Arc<Mutex<Vec<(String, TrackState)>>>;

    fn board() -> (Board, Told) {
        let told = Told::default();
        let teller = told.clone();
        let board = Board::new(Box::new(move |name, state| teller.lock().unwrap().push((name.to_owned(), state))));
        (board, told)
    }

    #[test]
    fn a_change_is_told_once_and_a_new_message_is_not() {
        let (board, told) = board();
        board.open("web", Ticket(1), TrackState::Unknown);
        board.post("web", Ticket(1), TrackState::Unknown, "connection refused".to_owned());
        board.post("web", Ticket(1), TrackState::Down, "connection refused".to_owned());
        board.post("web", Ticket(1), TrackState::Down, "timed out".to_owned());

        let expected = [TrackState::Unknown, TrackState::Down].map(|state| ("web".to_owned(), state));
        assert_eq!(*told.lock().unwrap(), expected);
        let snapshot = board.snapshot();
        assert_eq!(snapshot[0].passing, Some(false));
        assert_eq!(snapshot[0].message, "timed out");
    }

    #[test]
    fn a_task_that_is_not_in_charge_is_not_heard() {
        let (board, told) = board();
        board.open("web", Ticket(1), TrackState::Up);
        assert_eq!(board.hand_over("web", Ticket(2)), Some(TrackState::Up));
        board.post("web", Ticket(1), TrackState::Down, "late".to_owned());
        assert_eq!(board.snapshot()[0].passing, Some(true));

        board.close("web");
        board.post("web", Ticket(2), TrackState::Down, "late".to_owned());
        assert_eq!(board.hand_over("web", Ticket(3)), None);
        assert!(board.snapshot().is_empty());
        assert_eq!(told.lock().unwrap().len(), 1, "only the start was told");
    }

    #[test]
    fn a_check_without_a_result_has_no_since() {
        let (board, _) = board();
        board.open("web", Ticket(1), TrackState::Unknown);
        let snapshot = board.snapshot();
        assert_eq!((snapshot[0].passing, snapshot[0].since.as_deref()), (None, None));

        board.post("web", Ticket(1), TrackState::Up, "HTTP 200".to_owned());
        let since = board.snapshot()[0].since.clone().unwrap();
        assert!(since.parse::<Timestamp>().is_ok() && since.ends_with('Z'), "{since}");
    }
}
