//! Makes states comparable: two groups that will behave alike become equal.

use std::time::Duration;

use super::Group;
use crate::action::Reason;
use crate::counters::Counters;
use crate::event::Epoch;
use crate::time::Instant;

/// Where `now` is put.
pub(crate) const BASE: Instant = Instant::from_nanos(1_000_000_000_000);

/// What is further in the past than this makes no difference: no interval of a search is as long.
const MEMORY: Duration = Duration::from_secs(2);

impl Group {
    /// Moves every time so that `now` becomes [`BASE`], and forgets what has no influence on the future.
    pub(crate) fn rebase(&mut self, now: Instant) {
        let shift = |time: Instant| {
            if time >= now {
                BASE.saturating_add(time.saturating_since(now))
            } else {
                BASE.saturating_sub(now.saturating_since(time).min(MEMORY))
            }
        };
        self.since = BASE;
        self.epoch = Epoch::default();
        self.reason = Reason::NotStarted;
        self.timers.rebase(shift);
        let weightless = self.config.trackers.is_empty();
        for member in &mut self.members {
            // Asked for only when a weight changes.
            member.best_heard = member.best_heard.filter(|_| !weightless);
            member.timers.rebase(shift);
            member.master_down.shift(shift);
            member.last_takeover = shift(member.last_takeover);
            member.last_advert = shift(member.last_advert);
            member.last_reannouncement = member.last_reannouncement.map(shift);
            member.won_tie = member.won_tie.map(shift);
            member.losing_tie_since = member.losing_tie_since.map(shift);
            member.counters = Counters::default();
        }
    }
}
