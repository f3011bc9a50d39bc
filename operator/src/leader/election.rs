//! What a candidate does, by what it saw of the Lease and when. Pure.
//!
//! The times in a Lease are those of its holder's clock. They only tell that it was renewed; whether it has expired is judged
//! by when this process saw it change.

use std::time::Duration;

use super::{LEASE_DURATION, RENEW_DEADLINE};

/// The Lease, as far as the election goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// Who holds it; nobody after it was released.
    pub holder: Option<String>,
    /// The version of the object: it changes with every renewal.
    pub version: Option<String>,
    /// For how long after a renewal it is good, as its holder says.
    pub duration: Option<Duration>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Make the Lease: there is none.
    Create,
    /// Take it over: nobody holds it, or it has expired.
    Take,
    /// Renew it: it is ours.
    Renew,
    /// Look again later.
    Wait,
    /// It was lost: stop.
    Resign,
}

/// What a candidate knows.
#[derive(Clone, Debug)]
pub struct Election {
    identity: String,
    /// What was last seen, and since when it looks like that.
    seen: Option<(Option<Record>, Duration)>,
    /// When the last renewal that succeeded was begun; none before the first.
    renewed: Option<Duration>,
}

impl Election {
    /// A candidate of this name, which no other process may have at the same time.
    pub fn new(identity: impl Into<String>) -> Self {
        Self { identity: identity.into(), seen: None, renewed: None }
    }

    /// The Lease was seen; none: there is none.
    pub fn observe(&mut self, record: Option<Record>, now: Duration) {
        if self.seen.as_ref().is_none_or(|(seen, _)| *seen != record) {
            self.seen = Some((record, now));
        }
    }

    /// The Lease was created, taken or renewed by a request that was begun at `begun`.
    pub fn succeeded(&mut self, record: Record, begun: Duration) {
        self.seen = Some((Some(record), begun));
        self.renewed = Some(begun);
    }

    /// What to do.
    pub fn step(&self, now: Duration) -> Step {
        let Some((record, since)) = &self.seen else { return Step::Wait };
        let holder = record.as_ref().and_then(|record| record.holder.as_deref());
        let is_ours = holder == Some(self.identity.as_str());
        if let Some(until) = self.leads_until() {
            let is_lost = !is_ours || now >= until;
            return if is_lost { Step::Resign } else { Step::Renew };
        }
        let duration = record.as_ref().and_then(|record| record.duration).unwrap_or(LEASE_DURATION);
        match record {
            None => Step::Create,
            // What this process's predecessor of the same name held.
            Some(_) if is_ours => Step::Take,
            Some(_) if holder.is_none() || now >= *since + duration => Step::Take,
            Some(_) => Step::Wait,
        }
    }

    /// Until when this process leads if it does not renew the Lease; none if it does not lead.
    pub fn leads_until(&self) -> Option<Duration> {
        self.renewed.map(|renewed| renewed + RENEW_DEADLINE)
    }

    /// Who was last seen to hold the Lease.
    pub fn holder(&self) -> Option<&str> {
        self.seen.as_ref()?.0.as_ref()?.holder.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn held(holder: &str, version: &str) -> Record {
        let duration = Some(LEASE_DURATION);
        Record { holder: Some(holder.to_owned()), version: Some(version.to_owned()), duration }
    }

    fn released() -> Record {
        Record { holder: None, version: Some("9".to_owned()), duration: Some(s(1)) }
    }

    fn candidate(seen: impl Into<Option<Record>>, at: Duration) -> Election {
        let mut election = Election::new("me");
        election.observe(seen.into(), at);
        election
    }

    #[test]
    fn nothing_is_done_before_the_lease_was_looked_for() {
        assert_eq!(Election::new("me").step(s(100)), Step::Wait);
    }

    #[test]
    fn a_lease_that_is_missing_or_released_is_taken_at_once() {
        assert_eq!(candidate(None, s(0)).step(s(0)), Step::Create);
        assert_eq!(candidate(released(), s(0)).step(s(0)), Step::Take);
    }

    #[test]
    fn a_lease_of_this_very_name_was_held_by_the_predecessor_and_is_taken_at_once() {
        assert_eq!(candidate(held("me", "1"), s(0)).step(s(0)), Step::Take);
    }

    #[test]
    fn anothers_lease_is_taken_when_it_was_not_seen_to_change_for_its_duration() {
        let mut election = candidate(held("other", "1"), s(100));
        election.observe(Some(held("other", "1")), s(110));
        assert_eq!(election.step(s(114)), Step::Wait);
        assert_eq!(election.step(s(115)), Step::Take);
        election.observe(Some(held("other", "2")), s(115));
        assert_eq!(election.step(s(129)), Step::Wait, "it was renewed");
        assert_eq!(election.step(s(130)), Step::Take);
        assert_eq!(election.holder(), Some("other"));
    }

    #[test]
    fn the_duration_in_the_lease_counts() {
        let mut record = held("other", "1");
        record.duration = Some(s(60));
        assert_eq!(candidate(record, s(0)).step(s(59)), Step::Wait);
    }

    #[test]
    fn a_leader_renews_until_the_deadline_and_then_resigns() {
        let mut election = candidate(None, s(0));
        election.succeeded(held("me", "1"), s(0));
        assert_eq!(election.step(s(9)), Step::Renew);
        assert_eq!(election.leads_until(), Some(s(10)));
        election.succeeded(held("me", "2"), s(9));
        assert_eq!(election.step(s(18)), Step::Renew);
        assert_eq!(election.step(s(19)), Step::Resign);
    }

    #[test]
    fn a_leader_that_sees_another_holder_or_none_resigns_at_once() {
        for seen in [Some(held("other", "2")), Some(released()), None] {
            let mut election = candidate(None, s(0));
            election.succeeded(held("me", "1"), s(0));
            election.observe(seen.clone(), s(1));
            assert_eq!(election.step(s(1)), Step::Resign, "{seen:?}");
        }
    }

    #[test]
    fn two_never_lead_at_once_however_the_leaders_requests_fail() {
        // The other candidate sees the last renewal at the moment it is written, or later.
        for delay in 0..5 {
            let mut leader = candidate(None, s(0));
            leader.succeeded(held("me", "1"), s(0));
            let mut other = Election::new("other");
            other.observe(Some(held("me", "1")), s(delay));
            for now in 0..60 {
                let leads = leader.step(s(now)) == Step::Renew;
                let takes = other.step(s(now)) == Step::Take;
                assert!(!(leads && takes), "at {now} s");
            }
        }
    }
}
