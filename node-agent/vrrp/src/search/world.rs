//! A few routers and the frames between them, small enough to visit every state.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use crate::action::{Action, State};
use crate::config::{Announcements, GroupConfig, MemberConfig, Preemption, Transport};
use crate::event::{Event, Link, MemberIndex};
use crate::group::Group;
use crate::group::rebase::BASE;
use crate::sim::Chooser;
use crate::time::Instant;
use crate::types::{AdvertInterval, Claim, Family, Ipv4Checksum, Priority, Protocol, VirtualRouterId};
use crate::wire::Datagram;

/// The advert interval.
const INTERVAL: Duration = Duration::from_millis(200);

/// A tick is a quarter of it.
pub(super) const TICKS_PER_INTERVAL: u32 = 4;

const VIRTUAL_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 100));
const GROUP_ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::new(224, 0, 0, 18));
const MEMBER: MemberIndex = MemberIndex(0);

/// How much may go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// The longest way of a frame, in ticks; 1 or 2.
    pub delay: u8,
    /// Frames that may be lost.
    pub losses: u8,
    /// Routers that may crash.
    pub crashes: u8,
    /// Crashed routers that may be started again.
    pub boots: u8,
}

/// What is searched.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// The priority of each router; addresses ascend in the same order.
    pub priorities: &'static [u8],
    /// Whether a better router takes over from a living master.
    pub preempts: bool,
    /// How much may go wrong.
    pub budget: Budget,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) routers: Vec<Router>,
    flights: Vec<Flight>,
    pub(super) budget: Budget,
    /// For how many ticks more than one router has been master.
    pub(super) overlap: u32,
    preempts: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Router {
    priority: u8,
    /// None while it is crashed.
    pub(super) group: Option<Group>,
    /// Whether its kernel has the address. A crash takes it along.
    pub(super) holds: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Flight {
    due: u8,
    from: usize,
    to: usize,
    bytes: Vec<u8>,
}

impl World {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let router = |(place, priority): (usize, &u8)| Router {
            priority: *priority,
            group: start(place, *priority, scenario.preempts),
            holds: false,
        };
        let mut world = Self {
            routers: scenario.priorities.iter().enumerate().map(router).collect(),
            flights: Vec::new(),
            budget: scenario.budget,
            overlap: 0,
            preempts: scenario.preempts,
        };
        for place in 0..world.routers.len() {
            world.handle(place, BASE, Event::Start, &mut Tame);
        }
        world
    }

    /// One tick: faults, then the frames that arrive, then timers.
    pub(super) fn tick(&mut self, chooser: &mut impl Chooser) {
        let now = BASE.saturating_add(INTERVAL / TICKS_PER_INTERVAL);
        self.maybe_crash(chooser);
        self.maybe_boot(now, chooser);
        self.deliver(now, chooser);
        for place in 0..self.routers.len() {
            self.handle(place, now, Event::Timer, chooser);
        }
        for group in self.routers.iter_mut().filter_map(|router| router.group.as_mut()) {
            group.rebase(now);
        }
        self.flights.sort();
        self.overlap = if self.masters().count() > 1 { self.overlap + 1 } else { 0 };
    }

    /// The same world without faults to come.
    pub(super) fn without_faults(&self) -> Self {
        Self { budget: Budget { delay: 1, losses: 0, crashes: 0, boots: 0 }, overlap: 0, ..self.clone() }
    }

    pub(super) fn masters(&self) -> impl Iterator<Item = usize> + '_ {
        let is_master = |router: &Router| router.group.as_ref().is_some_and(|group| group.state() == State::Master);
        self.routers.iter().enumerate().filter(move |(_, router)| is_master(router)).map(|(place, _)| place)
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = (usize, &Router)> {
        self.routers.iter().enumerate().filter(|(_, router)| router.group.is_some())
    }

    pub(super) fn priority(&self, place: usize) -> Option<u8> {
        self.routers.get(place).map(|router| router.priority)
    }

    /// The router that must win: the highest priority, and the highest address among equals.
    pub(super) fn best(&self) -> Option<usize> {
        self.alive().max_by_key(|(place, router)| (router.priority, *place)).map(|(place, _)| place)
    }

    fn maybe_crash(&mut self, chooser: &mut impl Chooser) {
        if self.budget.crashes == 0 {
            return;
        }
        let victim = pick_place(chooser, self.routers.len());
        if let Some(router) =
            victim.and_then(|place| self.routers.get_mut(place)).filter(|router| router.group.is_some())
        {
            router.group = None;
            router.holds = false;
            self.budget.crashes -= 1;
        }
    }

    fn maybe_boot(&mut self, now: Instant, chooser: &mut impl Chooser) {
        let Some(place) = self.routers.iter().position(|router| router.group.is_none()) else { return };
        if self.budget.boots == 0 || chooser.pick(2) == 0 {
            return;
        }
        self.budget.boots -= 1;
        let preempts = self.preempts;
        if let Some(router) = self.routers.get_mut(place) {
            router.group = start(place, router.priority, preempts);
        }
        self.handle(place, now, Event::Start, chooser);
    }

    fn deliver(&mut self, now: Instant, chooser: &mut impl Chooser) {
        for flight in &mut self.flights {
            flight.due -= 1;
        }
        let (arrived, flying) = std::mem::take(&mut self.flights).into_iter().partition(|flight| flight.due == 0);
        self.flights = flying;
        let arrived: Vec<Flight> = arrived;
        for flight in arrived {
            let datagram = Datagram {
                source: address(flight.from),
                destination: GROUP_ADDRESS,
                hop_limit: 255,
                payload: &flight.bytes,
            };
            self.handle(flight.to, now, Event::Packet { member: MEMBER, datagram }, chooser);
        }
    }

    fn handle(&mut self, place: usize, now: Instant, event: Event<'_>, chooser: &mut impl Chooser) {
        let Some(router) = self.routers.get_mut(place) else { return };
        let Some(group) = router.group.as_mut() else { return };
        let mut actions = Vec::new();
        group.handle(now, event, &mut actions);
        let mut sent = Vec::new();
        for action in actions {
            match action {
                Action::SendAdvert { claim, .. } => sent.extend(encode(group, place, claim)),
                Action::AddAddress { .. } => router.holds = true,
                Action::RemoveAddress { .. } => router.holds = false,
                Action::Announce { .. } | Action::Probe { .. } | Action::Notify(_) => {}
            }
        }
        for bytes in sent {
            self.send(place, &bytes, chooser);
        }
    }

    /// To everybody else: sooner, later, or never.
    fn send(&mut self, from: usize, bytes: &[u8], chooser: &mut impl Chooser) {
        for to in (0..self.routers.len()).filter(|to| *to != from) {
            let ways = u64::from(self.budget.delay) + u64::from(self.budget.losses > 0);
            let way = u8::try_from(chooser.pick(ways)).unwrap_or_default();
            if way == self.budget.delay {
                self.budget.losses -= 1;
            } else {
                self.flights.push(Flight { due: way + 1, from, to, bytes: bytes.to_vec() });
            }
        }
    }
}

/// Nothing goes wrong, and every frame takes one tick.
pub(super) struct Tame;

impl Chooser for Tame {
    fn pick(&mut self, _bound: u64) -> u64 {
        0
    }
}

/// Nobody, or one of `count`.
fn pick_place(chooser: &mut impl Chooser, count: usize) -> Option<usize> {
    usize::try_from(chooser.pick(count as u64 + 1)).ok()?.checked_sub(1)
}

fn address(place: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(10, 0, 0, u8::try_from(place + 1).unwrap_or(u8::MAX)))
}

fn encode(group: &Group, place: usize, claim: Claim) -> Option<Vec<u8>> {
    let mut buffer = [0; 64];
    let length = group.encode(MEMBER, claim, address(place), GROUP_ADDRESS, &mut buffer).ok()?;
    buffer.get(..length).map(<[u8]>::to_vec)
}

/// A router whose interface works. The announcements have no influence on anything here, so there is only one.
fn start(place: usize, priority: u8, preempts: bool) -> Option<Group> {
    let member = MemberConfig {
        virtual_router_id: VirtualRouterId::new(51).ok()?,
        family: Family::Ipv4,
        protocol: Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
        interval: AdvertInterval::v3(INTERVAL).ok()?,
        priority: Priority::new(priority).ok()?,
        addresses: vec![VIRTUAL_ADDRESS],
        transport: Transport::Multicast,
        known_peers: None,
        rival: None,
        announcements: Announcements { count: 1, delay: Duration::ZERO, refresh: None },
    };
    let preemption = if preempts { Preemption::Preempt { delay: Duration::ZERO } } else { Preemption::Never };
    let mut group = Group::new(GroupConfig::new(vec![member], preemption, Vec::new()).ok()?, &[]);
    let link = Link::Up { source: address(place) };
    group.handle(BASE, Event::Link { member: MEMBER, link }, &mut Vec::new());
    Some(group)
}
