//! One check from start to end: when it probes, and what becomes of the results.

use std::sync::Arc;
use std::time::Duration;

use holdfast_crds::DurationString;
use holdfast_vrrp::TrackState;
use tokio::time::{Instant, sleep, sleep_until};

use super::board::{Board, Ticket};
use super::finding::Finding;
use super::prober::Prober;
use super::recovery::Recoverer;
use super::verdict::Verdict;

/// The shortest interval. The API lets none through that is shorter; it would keep a processor busy.
const MIN_INTERVAL: Duration = Duration::from_millis(100);
/// From probe to probe while the check has no state yet.
const UNDECIDED_INTERVAL: Duration = Duration::from_millis(100);
/// The shortest time from one probe to one that follows a notice: a file that is written all the time does not keep a
/// processor busy.
const NOTICE_INTERVAL: Duration = Duration::from_millis(10);
/// First probes are spread over this part of the interval.
const SPREAD_DIVISOR: u32 = 10;
/// The longest time that a first probe is put off for the sake of the spread.
const MAX_SPREAD: Duration = Duration::from_millis(100);

pub(super) struct Runner {
    pub(super) name: String,
    /// From the start of one probe to the start of the next. A probe that takes longer delays the next one; none is
    /// made up for.
    pub(super) interval: Duration,
    pub(super) timeout: DurationString,
    pub(super) prober: Prober,
    pub(super) recoverer: Option<Recoverer>,
    pub(super) verdict: Verdict,
    pub(super) board: Arc<Board>,
    pub(super) ticket: Ticket,
}

impl Runner {
    /// Probes for ever. To end it, drop it: at any point, and whatever it started ends with it.
    pub(super) async fn run(mut self) {
        self.interval = self.interval.max(MIN_INTERVAL);
        sleep(phase(&self.name, self.interval)).await;
        loop {
            let start = Instant::now();
            self.probe().await;
            self.wait(start).await;
        }
    }

    async fn probe(&mut self) {
        let mut finding = self.prober.probe(self.timeout).await;
        if self.verdict.would_fall(finding.outcome)
            && let Some(recoverer) = &mut self.recoverer
        {
            tracing::warn!(check = self.name, finding.message, "recovering");
            let state = self.verdict.state();
            self.board.post(&self.name, self.ticket, state, format!("{}; recovering", finding.message));
            finding = recoverer.recover(finding, &mut self.prober, self.timeout).await;
            tracing::warn!(check = self.name, finding.message, recovered = finding.has_passed(), "recovery ended");
        }
        self.count(finding);
    }

    fn count(&mut self, finding: Finding) {
        tracing::debug!(check = self.name, outcome = ?finding.outcome, finding.message, "probed");
        self.verdict = self.verdict.after(finding.outcome);
        self.board.post(&self.name, self.ticket, self.verdict.state(), finding.message);
    }

    /// Waits for the next probe: until it is time, or until there is a notice.
    async fn wait(&mut self, start: Instant) {
        let undecided = self.verdict.state() == TrackState::Unknown;
        let pause = if undecided { self.interval.min(UNDECIDED_INTERVAL) } else { self.interval };
        tokio::select! {
            () = sleep_until(start + pause) => {}
            () = self.prober.notice() => sleep_until(start + NOTICE_INTERVAL).await,
        }
    }
}

/// How long the first probe is put off, so that many checks do not all run in the same instants. It follows from the
/// name (by FNV-1a), so that it is the same at each start.
fn phase(name: &str, interval: Duration) -> Duration {
    let hash = name.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
    let spread = (interval / SPREAD_DIVISOR).min(MAX_SPREAD);
    // Folded to sixteen bits, which is a fraction of the spread.
    spread * ((hash >> 16) ^ (hash & 0xffff)) / (1 << 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_probes_are_spread_evenly_and_always_alike() {
        let interval = Duration::from_secs(1);
        let phases: Vec<Duration> = (0..1_000).map(|number| phase(&format!("check-{number}"), interval)).collect();

        assert!(phases.iter().all(|&phase| phase < Duration::from_millis(100)));
        for tenth in 0..10 {
            let slot = Duration::from_millis(tenth * 10)..Duration::from_millis(tenth * 10 + 10);
            let count = phases.iter().filter(|phase| slot.contains(*phase)).count();
            assert!((50..200).contains(&count), "{count} of 1000 in {slot:?}");
        }
        assert_eq!(phase("nginx", interval), phase("nginx", interval));
    }

    #[test]
    fn the_spread_stays_small_beside_the_interval() {
        for (interval, bound) in [(100, 10), (1_000, 100), (3_600_000, 100)] {
            for name in ["a", "nginx", "postgres-primary"] {
                assert!(phase(name, Duration::from_millis(interval)) < Duration::from_millis(bound));
            }
        }
    }
}
