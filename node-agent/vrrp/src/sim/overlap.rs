//! Two masters that hear each other: one of them yields within a bound that can be computed.

use std::time::Duration;

use super::clock::Time;
use super::grouping::{MAXIMUM_MEMBERS, MemberNumber};
use super::probe::{Probe, Sight};
use super::rules::Rule;
use super::setup::NodeIndex;
use super::step::RouterPlace;
use super::world::World;
use crate::types::{Family, Protocol};

/// Since when which pairs are both master, and hear each other.
#[derive(Clone, Debug)]
pub(super) struct Overlaps {
    nodes: usize,
    since: Vec<Option<Overlap>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Overlap {
    began: Time,
    terms: Terms,
}

/// What the bound depends on. When it changes, the bound begins anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Terms {
    priorities: [u8; 2],
    intervals: [Duration; 2],
    /// How many packets found no room in either socket: a packet that was lost there was not heard.
    overflows: [u64; 2],
    way: Duration,
}

/// A master, and the group that it belongs to.
struct Speaker<'a> {
    priority: u8,
    interval: Duration,
    /// The virtual routers of the group.
    numbers: &'a [MemberNumber],
    /// Whether the group is master of all of them.
    complete: bool,
}

impl Overlaps {
    pub(super) fn new(elections: usize, nodes: usize) -> Self {
        Self { nodes, since: vec![None; elections * MAXIMUM_MEMBERS * nodes * nodes] }
    }

    /// Begins anew: what was on its way has not arrived.
    pub(super) fn forget(&mut self) {
        self.since.fill(None);
    }

    fn slot(&mut self, router: RouterPlace, one: NodeIndex, other: NodeIndex) -> Option<&mut Option<Overlap>> {
        let router = router.election * MAXIMUM_MEMBERS + usize::from(router.member);
        self.since.get_mut((router * self.nodes + one) * self.nodes + other)
    }
}

impl World {
    pub(super) fn watch_overlaps(&mut self) {
        for election in 0..self.script.setup.elections.len() {
            let members = self.script.setup.elections.get(election).map_or(0, |election| election.members.len());
            for member in (0..).take(members) {
                for one in 0..self.nodes.len() {
                    for other in one + 1..self.nodes.len() {
                        self.watch_pair(RouterPlace { election, member }, one, other);
                    }
                }
            }
        }
    }

    fn watch_pair(&mut self, router: RouterPlace, one: NodeIndex, other: NodeIndex) {
        let terms = self.terms(router, [one, other]);
        let now = self.now;
        let Some(slot) = self.overlaps.slot(router, one, other) else { return };
        let Some(terms) = terms else {
            *slot = None;
            return;
        };
        let overlap = match *slot {
            Some(overlap) if overlap.terms == terms => overlap,
            _ => Overlap { began: now, terms },
        };
        if slot.replace(overlap).is_none() {
            self.record.probes.note(Probe::Saw(Sight::Overlap));
        }
        let (lasted, bound) = (now.since(overlap.began), self.longest_overlap(&terms));
        if lasted > bound {
            let how = format!("nodes {one} and {other} are both master for {lasted:?}, longer than {bound:?}");
            if let Err(broken) = Rule::Overlap.broken::<()>(how) {
                self.record.fail(now, Some((one, router.election)), broken);
            }
        }
    }

    /// The next advert of either, and what its way takes.
    fn longest_overlap(&self, terms: &Terms) -> Duration {
        let interval = terms.intervals.into_iter().max().unwrap_or_default();
        let way = terms.way + self.driver.setup.lateness;
        interval + interval / 100 + way * 2
    }

    /// What bounds the time in which two nodes are both master; `None` if they are not, or need not hear each other.
    fn terms(&self, router: RouterPlace, pair: [NodeIndex; 2]) -> Option<Terms> {
        let [one, other] = pair.map(|node| self.heard_master(node, router));
        let (one, other) = (one?, other?);
        let comparable = one.numbers == other.numbers && one.complete && other.complete;
        // A tie is decided by the first member of a group: in different groups that takes its time.
        if one.priority == other.priority && !comparable {
            return None;
        }
        let setup = self.script.setup.elections.get(router.election)?;
        let same_interval = one.interval == other.interval || !matches!(setup.protocol, Protocol::V2 { .. });
        let families: &[Family] = &setup.members;
        let [a, b] = pair;
        let clean = self.network.is_clean(a, b, families) && self.network.is_clean(b, a, families);
        let overflows = pair.map(|node| self.nodes.get(node).map_or(0, |node| node.kernel.overflows));
        let (priorities, intervals) = ([one.priority, other.priority], [one.interval, other.interval]);
        let way = self.network.longest_delay().max(self.script.setup.quality.longest_delay());
        (same_interval && clean).then_some(Terms { priorities, intervals, overflows, way })
    }

    /// A master that runs, speaks and hears.
    fn heard_master(&self, node: NodeIndex, router: RouterPlace) -> Option<Speaker<'_>> {
        self.nodes.get(node).filter(|node| node.is_awake() && node.kernel.works())?;
        let mut instances = self.instances(node, router.election);
        let instance = instances.find(|instance| instance.numbers().contains(&router.member))?;
        let mut members = instance.numbers().iter().zip(instance.facts().parts());
        let (_, (_, config, member)) = members.find(|(number, _)| **number == router.member)?;
        member.master.then(|| Speaker {
            priority: instance.facts().priority(config),
            interval: config.interval.get(),
            numbers: instance.numbers(),
            complete: instance.facts().members.iter().all(|member| member.master),
        })
    }
}
