//! Makes up a scenario: a setup, and what happens to it.
//!
//! Each scenario leaves out some kinds of faults altogether and prefers others ("swarm testing"): what two kinds do
//! together shows only where a third does not get in the way.

use std::time::Duration;

use super::chooser::{Chooser, one_of};
use super::clock::{Clock, Time};
use super::grouping::{Grouping, MAXIMUM_MEMBERS, MemberNumber};
use super::link::Quality;
use super::script::{End, Script};
use super::setup::{
    DriverSetup, ElectionSetup, InstanceSetup, MAXIMUM_ADDRESSES, NodeIndex, NodeSetup, Setup, tracker,
};
use super::step::{AddressPlace, Change, Junk, NodeSet, Refusal, RouterPlace, Step};
use crate::config::{Announcements, Preemption};
use crate::tracking::TrackState;
use crate::types::{Family, Protocol};

/// How long faults last, in intervals.
const CHAOS_INTERVALS: u32 = 40;

/// Weights beyond any that a priority can bear, and those between.
const WEIGHTS: [i32; 8] = [-15, 0, 10, -100, 0, 253, -253, -1];

impl Script {
    /// A scenario, made up by a chooser.
    pub fn generate(chooser: &mut dyn Chooser) -> Self {
        let setup = setup(chooser);
        let base = setup.longest_interval();
        let steps = steps(chooser, &setup, base);
        let end = end(chooser, &setup, Time::after(base * CHAOS_INTERVALS));
        Self { setup, steps, end }
    }
}

// === the setup ===

fn setup(chooser: &mut dyn Chooser) -> Setup {
    let seed = chooser.pick(u64::MAX);
    let v2 = chooser.chance(1, 4);
    let base = interval(chooser, v2);
    let count = usize::try_from(chooser.between(2, 5)).unwrap_or(2);
    let elections: Vec<ElectionSetup> = (0..one_of(chooser, &[1, 1, 2, 3])).map(|_| election(chooser, v2)).collect();
    let unicast = chooser.chance(1, 3);
    let style = one_of(chooser, &[Style::Distinct, Style::Equal, Style::Neighbours, Style::Extreme]);
    let nodes = (0..count).map(|node| {
        let instances =
            elections.iter().map(|election| instance(chooser, election, base, (node, style, unicast))).collect();
        NodeSetup {
            clock: Clock {
                offset: Duration::from_millis(chooser.pick(1_000_000)),
                drift_ppm: i32::try_from(chooser.pick(401)).unwrap_or_default() - 200,
            },
            ipv4_host: host(node),
            ipv6_host: host(node),
            instances,
        }
    });
    let mut nodes: Vec<NodeSetup> = nodes.collect();
    // The order of the nodes by IPv6 address need not be the one by IPv4 address.
    if chooser.chance(1, 3) {
        let last = host(count);
        for node in &mut nodes {
            node.ipv6_host = last - node.ipv6_host;
        }
    }
    Setup { seed, driver: driver(chooser, base), quality: quality(chooser, base), elections, nodes }
}

fn host(node: usize) -> u8 {
    u8::try_from(node + 1).unwrap_or(u8::MAX)
}

/// How the nodes' priorities are related.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Style {
    #[default]
    Distinct,
    Equal,
    Neighbours,
    Extreme,
}

fn interval(chooser: &mut dyn Chooser, v2: bool) -> Duration {
    let centiseconds = if v2 {
        one_of(chooser, &[100, 200, 500])
    } else {
        one_of(chooser, &[20, 1, 2, 5, 10, 100, 300, 1_000, 4_095])
    };
    Duration::from_millis(centiseconds * 10)
}

fn election(chooser: &mut dyn Chooser, v2: bool) -> ElectionSetup {
    let mut family = || if !v2 && chooser.chance(1, 2) { Family::Ipv6 } else { Family::Ipv4 };
    let families = [family(), family(), family()];
    let members = usize::try_from(one_of(chooser, &[1, 1, 2, 3])).unwrap_or(1);
    ElectionSetup {
        protocol: if v2 { ElectionSetup::v2(chooser.chance(1, 2)) } else { ElectionSetup::V3 },
        peers_known: !chooser.chance(1, 4),
        members: families.into_iter().take(members).collect(),
    }
}

fn instance(
    chooser: &mut dyn Chooser,
    election: &ElectionSetup,
    base: Duration,
    (node, style, unicast): (usize, Style, bool),
) -> InstanceSetup {
    let v2 = matches!(election.protocol, Protocol::V2 { .. });
    let slower = if !v2 && chooser.chance(1, 8) { one_of(chooser, &[2, 3, 4]) } else { 1 };
    let slowest = Duration::from_millis(40_950);
    let count = one_of(chooser, &[0, 1, 1, 2]);
    let trackers = (0..count).map(|_| tracker(one_of(chooser, &WEIGHTS), chooser.chance(1, 4))).collect();
    InstanceSetup {
        grouping: Grouping::whole(election.members.len()),
        priority: priority(chooser, node, style),
        interval: (base * slower).min(slowest),
        trackers,
        preemption: preemption(chooser, base),
        rival_known: !chooser.chance(1, 4),
        addresses: one_of(chooser, &[1, 2, MAXIMUM_ADDRESSES]),
        unicast,
        announcements: announcements(chooser, base),
    }
}

fn priority(chooser: &mut dyn Chooser, node: usize, style: Style) -> u8 {
    match style {
        Style::Distinct => u8::try_from(chooser.between(1, 254)).unwrap_or(100),
        Style::Equal => 100,
        Style::Neighbours => 100 + host(node),
        Style::Extreme => one_of(chooser, &[100, 1, 254, 255]),
    }
}

fn preemption(chooser: &mut dyn Chooser, base: Duration) -> Preemption {
    match chooser.pick(8) {
        0..=3 => Preemption::Preempt { delay: Duration::ZERO },
        4 => Preemption::Preempt { delay: base * 2 },
        5 => Preemption::Preempt { delay: base * 10 },
        _ => Preemption::Never,
    }
}

fn announcements(chooser: &mut dyn Chooser, base: Duration) -> Announcements {
    let refresh = one_of(chooser, &[None, Some(base * 3), Some(base * 30)]);
    Announcements {
        count: one_of(chooser, &[5, 1, 2, 20]),
        delay: one_of(chooser, &[base * 5, Duration::ZERO, base / 3, base * 30]),
        refresh: refresh.map(|refresh| refresh.max(Duration::from_secs(1))),
    }
}

fn driver(chooser: &mut dyn Chooser, base: Duration) -> DriverSetup {
    DriverSetup {
        lateness: one_of(chooser, &[Duration::ZERO, base / 200, base / 20, base / 2, base * 2]),
        queue: one_of(chooser, &[256, 4]),
        lease: one_of(chooser, &[base * 50, base * 10, base * 4]),
        batch: chooser.chance(1, 2),
        report_delay: one_of(chooser, &[Duration::ZERO, Duration::ZERO, base / 10, base * 20]),
    }
}

fn quality(chooser: &mut dyn Chooser, base: Duration) -> Quality {
    let delay = one_of(chooser, &[base / 1_000, base / 100, base / 20]);
    let jitter = one_of(chooser, &[Duration::ZERO, base / 1_000, base / 100]);
    Quality { delay, jitter, ..Quality::default() }
}

// === what happens ===

/// The kinds of steps, for the weights of a swarm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Stall,
    Crash,
    Restart,
    Drain,
    Interface,
    Refuse,
    Delete,
    Track,
    Reconfigure,
    Partition,
    Mend,
    Degrade,
    Stranger,
    Junk,
    Claim,
    Echo,
}

const KINDS: [Kind; 16] = [
    Kind::Stall,
    Kind::Crash,
    Kind::Restart,
    Kind::Drain,
    Kind::Interface,
    Kind::Refuse,
    Kind::Delete,
    Kind::Track,
    Kind::Reconfigure,
    Kind::Partition,
    Kind::Mend,
    Kind::Degrade,
    Kind::Stranger,
    Kind::Junk,
    Kind::Claim,
    Kind::Echo,
];

fn steps(chooser: &mut dyn Chooser, setup: &Setup, base: Duration) -> Vec<(Time, Step)> {
    let weights: Vec<(u64, Kind)> =
        KINDS.into_iter().map(|kind| (if chooser.chance(1, 2) { chooser.between(1, 100) } else { 0 }, kind)).collect();
    let total: u64 = weights.iter().map(|(weight, _)| weight).sum();
    let mut steps = Vec::new();
    for _ in 0..chooser.pick(if total > 0 { 32 } else { 1 }) {
        let mut at = base * CHAOS_INTERVALS * small(chooser.pick(1_000)) / 1_000;
        let target = (node(chooser, setup), router(chooser, setup));
        let kind = kind_of(chooser, &weights, total);
        steps.push((Time::after(at), step(chooser, kind, target, setup, base)));
        // Troubles come in company: what happens soon afterwards to the same node shows how they get on.
        while chooser.chance(1, 3) {
            at += base * 3 * small(chooser.pick(100)) / 100;
            let kind = kind_of(chooser, &weights, total);
            steps.push((Time::after(at), step(chooser, kind, target, setup, base)));
        }
    }
    steps.retain(|(at, _)| *at < Time::after(base * CHAOS_INTERVALS));
    steps.sort_by_key(|(at, _)| *at);
    steps
}

fn small(number: u64) -> u32 {
    u32::try_from(number).unwrap_or_default()
}

fn kind_of(chooser: &mut dyn Chooser, weights: &[(u64, Kind)], total: u64) -> Kind {
    let mut chosen = chooser.pick(total);
    let hit = weights.iter().find(|(weight, _)| {
        let hit = chosen < *weight;
        chosen = chosen.saturating_sub(*weight);
        hit
    });
    hit.map(|(_, kind)| *kind).unwrap_or_default()
}

fn node(chooser: &mut dyn Chooser, setup: &Setup) -> NodeIndex {
    usize::try_from(chooser.pick(setup.nodes.len() as u64)).unwrap_or_default()
}

fn step(
    chooser: &mut dyn Chooser,
    kind: Kind,
    (node, router): (NodeIndex, RouterPlace),
    setup: &Setup,
    base: Duration,
) -> Step {
    let election = router.election;
    match kind {
        Kind::Stall => Step::Stall { node, duration: base * one_of(chooser, &[1, 2, 3, 4, 8]) },
        Kind::Crash => Step::Crash { node, vanish: chooser.chance(1, 2) },
        Kind::Restart => Step::Restart { node },
        Kind::Drain if chooser.chance(1, 4) => Step::Abort { node },
        Kind::Drain => Step::Drain { node },
        Kind::Interface => Step::Interface { node, up: !chooser.chance(1, 2) },
        Kind::Refuse => {
            let what = one_of(chooser, &[Refusal::Send, Refusal::Add, Refusal::Add, Refusal::Remove]);
            Step::Refuse { node, what, on: chooser.chance(1, 2) }
        }
        Kind::Delete => Step::Delete { node, address: address(chooser, router) },
        Kind::Track => Step::Track {
            node,
            election,
            tracker: usize::try_from(chooser.pick(2)).unwrap_or_default(),
            state: track_state(chooser),
        },
        Kind::Reconfigure => {
            Step::Reconfigure { node, election, change: change(chooser, setup, (node, election), base) }
        }
        Kind::Partition => partition(chooser, setup),
        Kind::Mend => Step::Mend,
        Kind::Degrade => Step::Degrade { quality: bad_quality(chooser, setup.quality, base) },
        Kind::Stranger => Step::Stranger {
            router,
            host: one_of(chooser, &[200, 250]),
            priority: one_of(chooser, &[0, 1, 100, 254, 255]),
            interval: base * one_of(chooser, &[1, 2]),
            count: one_of(chooser, &[1, 3, 8]),
        },
        Kind::Junk => Step::Junk { router, kind: one_of(chooser, &Junk::ALL) },
        Kind::Claim => Step::Claim { address: address(chooser, router) },
        Kind::Echo => Step::Echo { node, on: chooser.chance(1, 2) },
    }
}

fn track_state(chooser: &mut dyn Chooser) -> TrackState {
    match chooser.pick(3) {
        0 => TrackState::Up,
        1 => TrackState::Down,
        _ => TrackState::Value(one_of(chooser, &[0, 1, -1, 2, -20, 300])),
    }
}

fn router(chooser: &mut dyn Chooser, setup: &Setup) -> RouterPlace {
    let election = usize::try_from(chooser.pick(setup.elections.len() as u64)).unwrap_or_default();
    let members = setup.elections.get(election).map_or(1, |election| election.members.len());
    RouterPlace { election, member: u8::try_from(chooser.pick(members as u64)).unwrap_or_default() }
}

fn address(chooser: &mut dyn Chooser, router: RouterPlace) -> AddressPlace {
    AddressPlace { router, place: u8::try_from(chooser.pick(u64::from(MAXIMUM_ADDRESSES))).unwrap_or_default() }
}

fn change(chooser: &mut dyn Chooser, setup: &Setup, (node, election): (usize, usize), base: Duration) -> Change {
    let has_tracker = setup.instance(node, election).is_some_and(|instance| !instance.trackers.is_empty());
    match chooser.pick(12) {
        0 => Change::Priority(one_of(chooser, &[100, 1, 50, 150, 254, 255])),
        1 => {
            let other = chooser.between(1, 8);
            let faster = base / u32::try_from(other).unwrap_or(1);
            let centiseconds = faster.as_millis() / 10;
            Change::Interval(Duration::from_millis(u64::try_from(centiseconds.max(1)).unwrap_or(1) * 10))
        }
        2 => Change::Preemption(preemption(chooser, base)),
        3 => Change::Addresses(u8::try_from(chooser.between(1, u64::from(MAXIMUM_ADDRESSES))).unwrap_or(1)),
        4 | 5 if has_tracker => Change::Weight(one_of(chooser, &WEIGHTS)),
        6 | 7 => Change::Unicast(chooser.chance(1, 2)),
        8..=10 => Change::Grouping(grouping(
            chooser,
            setup.elections.get(election).map_or(1, |election| election.members.len()),
        )),
        _ => Change::Announcements(announcements(chooser, base)),
    }
}

/// Each virtual router in one of some groups, in any order, or in none.
fn grouping(chooser: &mut dyn Chooser, members: usize) -> Grouping {
    let mut groups: Vec<Vec<MemberNumber>> = vec![Vec::new(); MAXIMUM_MEMBERS];
    for member in (0..).take(members) {
        let group = usize::try_from(one_of(chooser, &[0, 0, 1, 2, 3])).unwrap_or_default();
        for group in groups.iter_mut().skip(group).take(1) {
            let place = usize::try_from(chooser.pick(group.len() as u64 + 1)).unwrap_or_default();
            group.insert(place, member);
        }
    }
    Grouping::of(&groups)
}

fn partition(chooser: &mut dyn Chooser, setup: &Setup) -> Step {
    let nodes = setup.nodes.len();
    let side: NodeSet = if chooser.chance(1, 2) {
        let alone = chooser.pick(nodes as u64);
        (0..nodes).filter(|node| *node as u64 == alone).collect()
    } else {
        (0..nodes).filter(|_| chooser.chance(1, 2)).collect()
    };
    Step::Partition {
        side,
        one_way: chooser.chance(1, 3),
        family: one_of(chooser, &[None, None, Some(Family::Ipv4), Some(Family::Ipv6)]),
    }
}

fn bad_quality(chooser: &mut dyn Chooser, usual: Quality, base: Duration) -> Quality {
    let mut rarely = |most: &[u16]| if chooser.chance(1, 2) { one_of(chooser, most) } else { 0 };
    let (loss, burst) = (rarely(&[10, 100, 400]), rarely(&[5, 50]));
    let (duplication, corruption, capacity) = (rarely(&[10, 200]), rarely(&[10, 200]), rarely(&[1, 4]));
    let jitter = one_of(chooser, &[usual.jitter, base / 10, base]);
    Quality { delay: usual.delay, jitter, loss, burst, duplication, corruption, capacity }
}

// === the end ===

/// Mostly everybody is healed; otherwise some, while the others are cut off or only listen.
fn end(chooser: &mut dyn Chooser, setup: &Setup, at: Time) -> End {
    let all = NodeSet::first(setup.nodes.len());
    if !chooser.chance(1, 3) {
        return End { at, core: all, listeners: NodeSet::default() };
    }
    let core: NodeSet = all.iter().filter(|node| *node == 0 || chooser.chance(1, 2)).collect();
    let listeners = all.iter().filter(|node| !core.contains(*node)).filter(|_| chooser.chance(1, 2)).collect();
    End { at, core, listeners }
}
