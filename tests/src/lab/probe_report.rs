//! What a prober saw, and the figures drawn from it. Pure: it is given times and answers, and computes.

use std::fmt;
use std::time::{Duration, Instant};

use super::host::Host;
use super::mac::Mac;

/// An answer that comes later counts as lost: a client has given up or asked again by then, and a former master may deliver
/// what it had queued seconds later.
pub const TOO_LATE: Duration = Duration::from_millis(50);

/// A report shows as many of its holes as a person reads.
const HOLES_SHOWN: usize = 5;

/// One echo request and what came back.
#[derive(Clone, Copy, Debug)]
pub struct Probe {
    /// When it was sent.
    pub sent: Instant,
    /// Its answer, however late.
    pub answer: Option<Answer>,
}

/// An echo reply.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// When the client's kernel received it.
    pub at: Instant,
    /// TTL or hop limit: tells which node answered, also behind a virtual Ethernet address.
    pub time_to_live: u8,
    /// The Ethernet address that it came from.
    pub mac: Mac,
}

impl Probe {
    /// The answer, unless it came too late.
    pub fn in_time(&self) -> Option<Answer> {
        self.answer.filter(|answer| answer.at.saturating_duration_since(self.sent) <= TOO_LATE)
    }

    /// True if `node` answered in time.
    pub fn is_answered_by(&self, node: &Host) -> bool {
        self.in_time().is_some_and(|answer| answer.time_to_live == node.time_to_live())
    }
}

/// All probes in the order of their sending.
#[derive(Clone, Debug)]
pub struct ProbeReport {
    probes: Vec<Probe>,
    realtime: bool,
}

impl ProbeReport {
    /// `realtime` tells whether the prober had real-time scheduling.
    pub fn new(probes: Vec<Probe>, realtime: bool) -> Self {
        Self { probes, realtime }
    }

    /// Probes sent.
    pub fn sent(&self) -> usize {
        self.probes.len()
    }

    /// Probes without an answer in time.
    pub fn lost(&self) -> usize {
        self.probes.iter().filter(|probe| probe.in_time().is_none()).count()
    }

    /// The longest time without service: from the sending of the first lost probe of a run to the sending of the next one
    /// that was answered (or of the last probe, if none was). Zero if nothing was lost.
    pub fn longest_gap(&self) -> Duration {
        let mut longest = Duration::ZERO;
        let mut first_lost = None;
        for probe in &self.probes {
            let answered = probe.in_time().is_some();
            if !answered {
                first_lost.get_or_insert(probe.sent);
            }
            if let Some(began) = first_lost {
                longest = longest.max(probe.sent.saturating_duration_since(began));
            }
            if answered {
                first_lost = None;
            }
        }
        longest
    }

    /// Time from `event` to the sending of the first probe after it that `node` answered.
    pub fn switched(&self, event: Instant, node: &Host) -> Option<Duration> {
        self.after(event).find(|probe| probe.is_answered_by(node)).map(|probe| probe.sent.duration_since(event))
    }

    /// Time from `event` to the sending of the last probe that `node` answered; zero if it answered none after the event.
    pub fn answered_until(&self, event: Instant, node: &Host) -> Duration {
        let last = self.after(event).filter(|probe| probe.is_answered_by(node)).last();
        last.map(|probe| probe.sent.duration_since(event)).unwrap_or_default()
    }

    /// Probes that `node` answered in time.
    pub fn answered_by(&self, node: &Host) -> usize {
        self.probes.iter().filter(|probe| probe.is_answered_by(node)).count()
    }

    /// The part between two moments.
    #[must_use]
    pub fn between(&self, start: Instant, end: Instant) -> Self {
        let probes = self.probes.iter().filter(|probe| (start..end).contains(&probe.sent)).copied().collect();
        Self { probes, realtime: self.realtime }
    }

    fn holes(&self) -> impl Iterator<Item = Hole<'_>> {
        let is_lost = |probe: &Probe| probe.in_time().is_none();
        let runs = self.probes.chunk_by(move |one, next| is_lost(one) == is_lost(next));
        let mut begin = 0;
        runs.filter_map(move |run| {
            let first = begin;
            begin += run.len();
            let answer = |index: Option<usize>| self.probes.get(index?)?.in_time();
            let after = run.first()?.sent.saturating_duration_since(self.probes.first()?.sent);
            let hole = Hole { after, lost: run, before: answer(first.checked_sub(1)), next: answer(Some(begin)) };
            run.first().is_some_and(is_lost).then_some(hole)
        })
    }

    fn after(&self, event: Instant) -> impl Iterator<Item = &Probe> {
        self.probes.iter().filter(move |probe| probe.sent >= event)
    }
}

impl fmt::Display for ProbeReport {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheduling = if self.realtime { "" } else { " (without real-time scheduling)" };
        let gap = self.longest_gap().as_secs_f64() * 1e3;
        write!(out, "{} probes, {} lost, longest gap {gap:.1} ms{scheduling}", self.sent(), self.lost())?;
        self.holes().take(HOLES_SHOWN).try_for_each(|hole| write!(out, "; {hole}"))
    }
}

/// Probes in a row without an answer in time.
struct Hole<'a> {
    /// Time from the first probe of the report to the first lost one.
    after: Duration,
    lost: &'a [Probe],
    before: Option<Answer>,
    next: Option<Answer>,
}

impl fmt::Display for Hole<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = |answer: Option<Answer>| answer.map_or("nobody".to_owned(), |answer| answer.mac.to_string());
        let late = self.lost.iter().filter(|probe| probe.answer.is_some()).count();
        let (after, lost) = (self.after.as_secs_f64() * 1e3, self.lost.len());
        let (before, next) = (who(self.before), who(self.next));
        write!(out, "at {after:.1} ms {lost} lost ({late} of them answered late), before {before}, after {next}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One probe a millisecond; `delays` are those of the answers, in milliseconds.
    fn report(delays: &[Option<u64>]) -> ProbeReport {
        let start = Instant::now();
        let probe = |(index, delay): (usize, &Option<u64>)| {
            let sent = start + Duration::from_millis(index as u64);
            let answer = delay.map(|delay| Answer {
                at: sent + Duration::from_millis(delay),
                time_to_live: 61,
                mac: Mac::of_host(0, 1),
            });
            Probe { sent, answer }
        };
        ProbeReport::new(delays.iter().enumerate().map(probe).collect(), true)
    }

    #[test]
    fn loss_and_gap_follow_from_the_answers() {
        let (yes, late, no) = (Some(1), Some(51), None);
        let table: &[(&[Option<u64>], usize, u64)] = &[
            (&[], 0, 0),
            (&[yes, yes, yes], 0, 0),
            (&[yes, no, yes, yes], 1, 1),
            (&[yes, late, yes, yes], 1, 1),
            (&[yes, no, yes, no, no, no, yes, yes], 4, 3),
            (&[no, no, yes], 2, 2),
            (&[yes, no, no, no], 3, 2),
        ];
        for (delays, lost, gap) in table {
            let report = report(delays);
            assert_eq!(report.lost(), *lost, "lost of {delays:?}");
            assert_eq!(report.longest_gap(), Duration::from_millis(*gap), "gap of {delays:?}");
        }
    }

    #[test]
    fn a_report_tells_where_its_holes_are_and_who_answered_around_them() {
        let (yes, late, no) = (Some(1), Some(51), None);
        let mac = Mac::of_host(0, 1);
        assert_eq!(
            report(&[yes, yes, late, no, yes, no]).to_string(),
            format!(
                "6 probes, 3 lost, longest gap 2.0 ms; at 2.0 ms 2 lost (1 of them answered late), before {mac}, after {mac}; \
                 at 5.0 ms 1 lost (0 of them answered late), before {mac}, after nobody"
            )
        );
    }
}
