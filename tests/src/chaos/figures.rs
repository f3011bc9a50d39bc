//! What came of a fault, for one address. Pure: it is given what was seen, and computes.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::cluster::Sighting;
use crate::lab::holder_report::HolderReport;
use crate::lab::{Frame, Mac, ProbeReport};

/// Everything that is measured for one address.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Figures {
    /// Probes that the client sent, one each millisecond.
    pub(super) sent: usize,
    /// Those that nobody answered in time.
    pub(super) lost: usize,
    /// The longest time for which the client had no answer.
    pub(super) gap: Duration,
    /// The longest time for which nobody answered "who has it?".
    pub(super) unanswered: Duration,
    /// The longest time for which two did.
    pub(super) two: Duration,
    /// The longest time for which the status named none of those who answered.
    pub(super) wrong: Duration,
    /// Most announcements of the address within one second.
    pub(super) announcements: usize,
}

impl Figures {
    /// Of what client and neighbour saw. `wrong` and `announcements` come from [`wrong_master`] and [`busiest_second`].
    pub(super) fn new(probes: &ProbeReport, holders: &HolderReport, wrong: Duration, announcements: usize) -> Self {
        Self {
            sent: probes.sent(),
            lost: probes.lost(),
            gap: probes.longest_gap(),
            unanswered: holders.longest_with_none(),
            two: holders.longest_with_two(),
            wrong,
            announcements,
        }
    }

    /// The worst of two, figure by figure.
    pub(super) fn worst(self, other: Self) -> Self {
        Self {
            sent: self.sent.max(other.sent),
            lost: self.lost.max(other.lost),
            gap: self.gap.max(other.gap),
            unanswered: self.unanswered.max(other.unanswered),
            two: self.two.max(other.two),
            wrong: self.wrong.max(other.wrong),
            announcements: self.announcements.max(other.announcements),
        }
    }
}

/// The longest time for which the status of a virtual IP named none of those who answered for it, from one sighting to the
/// next one that was right. While nobody answers, or nothing can be seen, nothing is wrong.
pub(super) fn wrong_master(
    vip: &str,
    sightings: &[Sighting],
    holders: &HolderReport,
    station: impl Fn(&str) -> Option<Mac>,
) -> Duration {
    let mut longest = Duration::ZERO;
    let mut began = None;
    for sighting in sightings {
        let named = sighting.statuses.get(vip).and_then(|status| status.master.as_deref()).and_then(&station);
        let answering = holders.answering_at(sighting.at);
        let is_wrong = answering
            .is_some_and(|answering| !answering.is_empty() && !named.is_some_and(|named| answering.contains(&named)));
        if is_wrong {
            let began: Instant = *began.get_or_insert(sighting.at);
            longest = longest.max(sighting.at.duration_since(began));
        } else if let Some(began) = began.take() {
            longest = longest.max(sighting.at.duration_since(began));
        }
    }
    longest
}

/// Most announcements of an address (gratuitous ARP, unsolicited neighbour advertisements) in any one second.
pub(super) fn busiest_second(address: IpAddr, frames: &[Frame]) -> usize {
    let of_it = frames.iter().filter(|frame| frame.announced() == Some(address));
    let times: Vec<Instant> = of_it.map(|frame| frame.at).collect();
    let within =
        |first: &Instant| times.iter().filter(|at| **at >= *first && **at < *first + Duration::from_secs(1)).count();
    times.iter().map(within).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::net::Ipv4Addr;
    use std::sync::Arc;

    use holdfast_crds::VirtualIPStatus;

    use super::*;
    use crate::lab::craft;
    use crate::lab::frame::Direction;
    use crate::lab::holder_report::Round;

    const PERIOD: Duration = Duration::from_millis(20);
    const A: Mac = Mac::of_host(0, 1);
    const B: Mac = Mac::of_host(0, 2);

    fn holders(start: Instant, rounds: &[&[Mac]]) -> HolderReport {
        let round = |(index, holders): (usize, &&[Mac])| Round {
            asked: start + PERIOD * u32::try_from(index).unwrap(),
            holders: holders.iter().copied().collect(),
        };
        HolderReport::new(rounds.iter().enumerate().map(round).collect(), PERIOD)
    }

    fn sightings(start: Instant, named: &[Option<&str>]) -> Vec<Sighting> {
        let sighting = |(index, master): (usize, Option<&str>)| Sighting {
            at: start + PERIOD * u32::try_from(index).unwrap() + PERIOD / 2,
            statuses: Arc::new(BTreeMap::from([(
                "vip".to_owned(),
                VirtualIPStatus { master: master.map(str::to_owned), ..VirtualIPStatus::default() },
            )])),
        };
        named.iter().copied().enumerate().map(sighting).collect()
    }

    /// Who answers in each period, whom the status names, and for how many periods it is wrong.
    type Case<'a> = (&'a [&'a [Mac]], &'a [Option<&'a str>], u32);

    #[test]
    fn a_status_is_wrong_from_when_somebody_else_answers_until_it_names_one_who_does() {
        let start = Instant::now();
        let station = |name: &str| Some(if name == "a" { A } else { B });
        let (a, b, nobody) = (Some("a"), Some("b"), None);
        let table: [Case<'_>; 6] = [
            (&[&[A], &[A], &[A]], &[a, a, a], 0),
            (&[&[A], &[B], &[B], &[B]], &[a, a, a, b], 2),
            (&[&[A], &[], &[], &[B]], &[a, a, a, b], 0),
            (&[&[A], &[A, B], &[B], &[B]], &[a, a, b, b], 0),
            (&[&[A], &[A], &[A], &[A]], &[nobody, nobody, a, a], 2),
            (&[&[A], &[B], &[B]], &[a, a, a], 1),
        ];
        for (rounds, named, periods) in table {
            let wrong = wrong_master("vip", &sightings(start, named), &holders(start, rounds), station);
            assert_eq!(wrong, PERIOD * periods, "{rounds:?} {named:?}");
        }
    }

    #[test]
    fn the_busiest_second_counts_the_announcements_of_one_address() {
        let start = Instant::now();
        let (ours, other) = (Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 101));
        let frame = |milliseconds, address| Frame {
            at: start + Duration::from_millis(milliseconds),
            direction: Direction::Received,
            bytes: craft::gratuitous_arp(A, address),
        };
        let frames = [frame(0, ours), frame(900, ours), frame(950, other), frame(1100, ours), frame(1800, ours)];
        assert_eq!(busiest_second(ours.into(), &frames), 3);
        assert_eq!(busiest_second(other.into(), &frames), 1);
        assert_eq!(busiest_second(ours.into(), &[]), 0);
    }
}
