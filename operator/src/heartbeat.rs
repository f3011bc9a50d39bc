//! Which agents are heard of. Pure: it is told what leases say and what time it is.
//!
//! An agent renews its Lease every 5 s. Its times are those of another machine's clock, which may be an hour off: all that
//! counts is when, by the clock of this process, a renewal was seen. While the watch of the leases is interrupted nothing can
//! be seen, so nothing gets older.

use std::collections::BTreeMap;
use std::time::Duration;

use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::jiff::Timestamp;

const AGENT_PREFIX: &str = "holdfast-agent-";

/// An agent that has not renewed its Lease for so long is not heard of: what the agent says itself, if it is within reason.
const LATE_AFTER: Duration = Duration::from_secs(15);
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(300);

/// Whether an agent is heard of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Heartbeat {
    /// Its last renewal is recent.
    Fresh,
    /// It has not renewed its Lease in time.
    Late,
    /// It has no Lease: it has never run, or not with this API server.
    Never,
}

#[derive(Clone, Copy, Debug)]
struct Beat {
    /// As written, to see that it changes.
    renewed: Option<Timestamp>,
    /// When the change was seen, on the clock of what could be seen.
    seen: Duration,
    /// The same on the caller's clock; none if it was never seen to change.
    changed: Option<Duration>,
    late_after: Duration,
}

/// The heartbeats of all agents.
///
/// Times are those of one clock that never goes back.
#[derive(Debug, Default)]
pub struct Heartbeats {
    beats: BTreeMap<String, Beat>,
    /// Since when nothing can be seen, and for how long altogether nothing could before.
    blind_since: Option<Duration>,
    blind: Duration,
}

impl Heartbeats {
    /// The Lease of a node was seen.
    pub fn observe(&mut self, node: &str, lease: &Lease, now: Duration) {
        let seen = self.seeing_clock(now);
        let spec = lease.spec.as_ref();
        let renewed = spec.and_then(|spec| spec.renew_time.as_ref()).map(|time| time.0);
        let seconds = spec.and_then(|spec| spec.lease_duration_seconds).and_then(|seconds| u64::try_from(seconds).ok());
        let late_after = seconds.map_or(LATE_AFTER, Duration::from_secs).clamp(SHORTEST, LONGEST);
        // While leases are listed, what is seen for the first time may be years old; otherwise it was just made.
        let changed = self.blind_since.is_none().then_some(now);
        let beat = self.beats.entry(node.to_owned()).or_insert(Beat { renewed, seen, changed, late_after });
        beat.late_after = late_after;
        if beat.renewed != renewed {
            beat.renewed = renewed;
            beat.seen = seen;
            beat.changed = Some(now);
        }
    }

    /// The Lease of a node is gone.
    pub fn forget(&mut self, node: &str) {
        self.beats.remove(node);
    }

    /// The watch of the leases is interrupted.
    pub fn lose_sight(&mut self, now: Duration) {
        self.blind_since.get_or_insert(now);
    }

    /// The watch of the leases is there again, and everything has been listed.
    pub fn regain_sight(&mut self, now: Duration) {
        if let Some(since) = self.blind_since.take() {
            self.blind += now.saturating_sub(since);
        }
    }

    /// Whether the agent of a node is heard of.
    pub fn of(&self, node: &str, now: Duration) -> Heartbeat {
        match self.beats.get(node) {
            None => Heartbeat::Never,
            Some(beat) if self.seeing_clock(now).saturating_sub(beat.seen) < beat.late_after => Heartbeat::Fresh,
            Some(_) => Heartbeat::Late,
        }
    }

    /// When the agent of a node was last seen to renew its Lease; none if it never was: then it is heard of only because it
    /// is given the time to renew it.
    pub fn last_renewal(&self, node: &str) -> Option<Duration> {
        self.beats.get(node)?.changed
    }

    /// When the next agent will be late if it is not heard of until then. None while nothing can be seen.
    pub fn next_late(&self, now: Duration) -> Option<Duration> {
        if self.blind_since.is_some() {
            return None;
        }
        let due = |beat: &Beat| beat.seen + beat.late_after + self.blind;
        self.beats.values().map(due).filter(|due| *due > now).min()
    }

    /// Whether an agent has become late after `since`, and until now.
    pub fn became_late(&self, since: Duration, now: Duration) -> bool {
        let due = |beat: &Beat| beat.seen + beat.late_after + self.blind;
        self.blind_since.is_none() && self.beats.values().map(due).any(|due| since < due && due <= now)
    }

    /// The nodes that have a Lease.
    pub fn nodes(&self) -> impl Iterator<Item = &str> {
        self.beats.keys().map(String::as_str)
    }

    /// The time without that in which nothing could be seen.
    fn seeing_clock(&self, now: Duration) -> Duration {
        self.blind_since.unwrap_or(now).saturating_sub(self.blind)
    }
}

/// The name of the agent of a node: of its Lease, of what it reads with, and of it as a field manager.
pub fn agent_of(node: &str) -> String {
    format!("{AGENT_PREFIX}{node}")
}

/// The node whose agent has this name.
pub fn node_of(agent: &str) -> Option<&str> {
    agent.strip_prefix(AGENT_PREFIX)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::coordination::v1::LeaseSpec;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;

    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    /// A Lease that was renewed at a second of the node's clock.
    fn renewed(second: i64) -> Lease {
        let spec = LeaseSpec {
            renew_time: Some(MicroTime(Timestamp::from_second(second).unwrap())),
            lease_duration_seconds: Some(15),
            ..LeaseSpec::default()
        };
        Lease { spec: Some(spec), ..Lease::default() }
    }

    #[test]
    fn an_agent_without_a_lease_was_never_heard_of() {
        assert_eq!(Heartbeats::default().of("a", s(100)), Heartbeat::Never);
    }

    #[test]
    fn an_agent_is_late_when_no_renewal_was_seen_for_the_duration_of_its_lease() {
        let mut beats = Heartbeats::default();
        beats.lose_sight(s(100));
        beats.observe("a", &renewed(0), s(100));
        beats.regain_sight(s(100));
        beats.observe("a", &renewed(0), s(110));
        assert_eq!(beats.of("a", s(114)), Heartbeat::Fresh);
        assert_eq!(beats.next_late(s(114)), Some(s(115)));
        assert_eq!(beats.of("a", s(115)), Heartbeat::Late, "seen again is not renewed");
        assert_eq!(beats.next_late(s(115)), None);
        assert!(beats.became_late(s(114), s(115)) && !beats.became_late(s(115), s(200)));
        assert!(!beats.became_late(s(0), s(114)));

        assert_eq!(beats.last_renewal("a"), None);

        beats.observe("a", &renewed(1), s(120));
        assert_eq!(beats.of("a", s(134)), Heartbeat::Fresh);
        assert_eq!(beats.last_renewal("a"), Some(s(120)));
    }

    #[test]
    fn a_lease_that_is_made_while_somebody_watches_is_a_sign_of_life() {
        let mut beats = Heartbeats::default();
        beats.observe("a", &renewed(0), s(100));
        assert_eq!(beats.last_renewal("a"), Some(s(100)));
    }

    #[test]
    fn the_clock_of_the_node_may_be_anything() {
        for clock in [-3600, 0, 3600] {
            let mut beats = Heartbeats::default();
            beats.observe("a", &renewed(1_000_000 + clock), s(100));
            beats.observe("a", &renewed(1_000_005 + clock), s(105));
            assert_eq!(beats.of("a", s(119)), Heartbeat::Fresh, "{clock}");
            assert_eq!(beats.of("a", s(120)), Heartbeat::Late, "{clock}");
            // Somebody sets it back.
            beats.observe("a", &renewed(-10_000), s(121));
            assert_eq!(beats.of("a", s(135)), Heartbeat::Fresh, "{clock}");
        }
    }

    #[test]
    fn nobody_gets_late_while_nothing_can_be_seen() {
        let mut beats = Heartbeats::default();
        beats.observe("a", &renewed(0), s(100));
        beats.lose_sight(s(110));
        beats.lose_sight(s(200));
        assert_eq!(beats.of("a", s(1000)), Heartbeat::Fresh);
        assert_eq!(beats.next_late(s(1000)), None);

        beats.regain_sight(s(1000));
        assert_eq!(beats.of("a", s(1004)), Heartbeat::Fresh, "of its 15 s it had used 10");
        assert_eq!(beats.next_late(s(1004)), Some(s(1005)));
        assert_eq!(beats.of("a", s(1005)), Heartbeat::Late);
    }

    #[test]
    fn who_was_late_stays_late_until_heard_of_again() {
        let mut beats = Heartbeats::default();
        beats.observe("a", &renewed(0), s(0));
        beats.lose_sight(s(20));
        assert_eq!(beats.of("a", s(30)), Heartbeat::Late);
        beats.observe("a", &renewed(25), s(30));
        beats.regain_sight(s(30));
        assert_eq!(beats.of("a", s(44)), Heartbeat::Fresh);
    }

    #[test]
    fn a_lease_cannot_ask_for_unreasonable_patience() {
        for (seconds, late_after) in [(-1, 15), (0, 5), (1, 5), (60, 60), (100_000, 300)] {
            let mut lease = renewed(0);
            lease.spec.as_mut().unwrap().lease_duration_seconds = Some(seconds);
            let mut beats = Heartbeats::default();
            beats.observe("a", &lease, s(0));
            assert_eq!(beats.next_late(s(0)), Some(s(late_after)), "{seconds}");
        }
    }

    #[test]
    fn a_lease_names_its_node() {
        assert_eq!(node_of("holdfast-agent-node-1"), Some("node-1"));
        assert_eq!(node_of("holdfast-operator"), None);
    }
}
