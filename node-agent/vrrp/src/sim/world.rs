//! The simulated world: everything that happens, in order of time.
//!
//! There are no ticks: time jumps to whatever is next, a packet that arrives, an agent that wakes, a step of the script.
//! What happens at the same time happens in an order that chance decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::IpAddr;
use std::time::Duration;

use super::chooser::Seeds;
use super::clock::Time;
use super::fence::Fences;
use super::frame::{Frame, Origin, Reading};
use super::grouping::MemberNumber;
use super::instance::{Failure, Instance, Record};
use super::link::SHUFFLE;
use super::log::Log;
use super::mutant::Mutant;
use super::network::Network;
use super::node::{Driver, Events, Node};
use super::overlap::Overlaps;
use super::probe::{Probe, Probes, Sight};
use super::process::{Message, Outgoing};
use super::rules::{Broken, Rule};
use super::script::Script;
use super::setup::{ElectionIndex, InstanceSetup, NodeIndex, SetupError};
use super::step::RouterPlace;
use crate::tracking::TrackState;
use crate::types::Family;

/// A scenario on its way.
#[derive(Clone, Debug)]
pub struct World {
    pub(super) script: Script,
    pub(super) now: Time,
    pub(super) nodes: Vec<Node>,
    pub(super) network: Network,
    pub(super) driver: Driver,
    pub(super) record: Record,
    /// The longest interval that anybody may have learned, by election.
    pub(super) longest_interval: Vec<Duration>,
    pub(super) overlaps: Overlaps,
    pub(super) fences: Fences,
    queue: BinaryHeap<Reverse<Scheduled>>,
    sequence: u64,
    happenings: u64,
    latest_arrival: Time,
}

/// Something that will happen.
#[derive(Clone, Debug)]
pub(super) enum Happening {
    /// A packet reaches a node.
    Arrive { node: NodeIndex, frame: Frame },
    /// A step of the script.
    Step(usize),
    /// Something is told to the agent of a node, if it is still the same agent.
    Tell { node: NodeIndex, generation: u32, message: Box<Message> },
    /// A machine that is no node sends an advert, and so many more.
    Stranger { router: RouterPlace, host: u8, priority: u8, interval: Duration, more: u8 },
}

#[derive(Clone, Debug)]
struct Scheduled {
    at: Time,
    shuffle: u64,
    sequence: u64,
    what: Happening,
}

/// What became of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The first rule that was broken.
    pub failure: Option<Failure>,
    /// What was seen.
    pub probes: Probes,
    /// What happened.
    pub log: Log,
    /// How many things happened.
    pub happenings: u64,
}

/// A scenario that does not end within so many happenings spins.
const MOST_HAPPENINGS: u64 = 2_000_000;

impl World {
    /// A world in which nothing has happened yet, and whose agents are about to start.
    pub fn new(script: Script, mutant: Option<Mutant>, log: Log) -> Result<Self, SetupError> {
        let setup = &script.setup;
        let (seed, nodes) = (setup.seed, setup.nodes.len());
        let longest = |election: ElectionIndex| {
            let intervals = setup.nodes.iter().filter_map(|node| node.instances.get(election));
            intervals.map(|instance: &InstanceSetup| instance.interval).max().unwrap_or_default()
        };
        let mut world = Self {
            now: Time::ZERO,
            nodes: Vec::with_capacity(nodes),
            network: Network::new(nodes, setup.quality, seed),
            driver: Driver { setup: setup.driver, mutant },
            record: Record { log, ..Record::default() },
            longest_interval: (0..setup.elections.len()).map(longest).collect(),
            overlaps: Overlaps::new(setup.elections.len(), nodes),
            fences: Fences::new(nodes),
            queue: BinaryHeap::new(),
            sequence: 0,
            happenings: 0,
            latest_arrival: Time::ZERO,
            script,
        };
        world.build_nodes()?;
        Ok(world)
    }

    fn build_nodes(&mut self) -> Result<(), SetupError> {
        for (node, setup) in self.script.setup.nodes.iter().enumerate() {
            for election in 0..self.script.setup.elections.len() {
                self.script.setup.group_configs(node, election)?;
            }
            let tracked =
                setup.instances.iter().map(|instance| vec![TrackState::Up; instance.trackers.len()]).collect();
            let choices = Seeds::stream(self.script.setup.seed, 100 + node as u64);
            self.nodes.push(Node::new(setup.clone(), self.script.setup.driver.queue, tracked, choices));
        }
        let steps: Vec<Time> = self.script.steps.iter().map(|(at, _)| *at).collect();
        for (number, at) in steps.into_iter().enumerate() {
            self.schedule(at, SHUFFLE / 2, Happening::Step(number));
        }
        (0..self.nodes.len()).for_each(|node| self.start_agent(node));
        Ok(())
    }

    /// Plays the scenario to its end.
    pub fn run(mut self) -> Outcome {
        self.run_until(self.script.end.at);
        self.converge();
        let Record { log, probes, failure } = self.record;
        Outcome { failure, probes, log, happenings: self.happenings }
    }

    pub(super) fn run_until(&mut self, end: Time) {
        while self.record.failure.is_none() && self.happen_next(end) {
            self.happenings += 1;
            if self.happenings > MOST_HAPPENINGS
                && let Err(broken) = Rule::Progress.broken::<()>("too much happens")
            {
                self.record.fail(self.now, None, broken);
            }
        }
        self.now = self.now.max(end);
    }

    /// Lets the next thing happen, if it does by `end`.
    fn happen_next(&mut self, end: Time) -> bool {
        let queued = self.queue.peek().map(|Reverse(scheduled)| scheduled.at);
        let node = (0..).zip(&self.nodes).filter_map(|(index, node)| Some((node.next()?, index))).min();
        match (queued, node) {
            (Some(queued), node) if queued <= end && node.is_none_or(|node| self.comes_first(queued, node)) => {
                if let Some(Reverse(scheduled)) = self.queue.pop() {
                    self.now = self.now.max(scheduled.at);
                    self.happen(scheduled.what);
                }
                true
            }
            (_, Some((at, node))) if at <= end => {
                self.now = self.now.max(at);
                self.run_node(node);
                true
            }
            _ => false,
        }
    }

    /// Between something in the queue and a node that wakes at the same time, chance decides.
    fn comes_first(&mut self, queued: Time, (at, node): (Time, NodeIndex)) -> bool {
        queued < at || (queued == at && self.nodes.get_mut(node).is_none_or(|node| node.pick(2) == 0))
    }

    fn happen(&mut self, what: Happening) {
        match what {
            Happening::Arrive { node, frame } => self.arrive(node, frame),
            Happening::Step(number) => self.strike(number),
            Happening::Tell { node, generation, message } => {
                let lateness = self.driver.setup.lateness;
                if let Some(node) = self.nodes.get_mut(node).filter(|node| node.generation == generation) {
                    node.tell(self.now, *message, lateness);
                }
            }
            Happening::Stranger { router, host, priority, interval, more } => {
                self.send_as_stranger(router, host, priority, interval);
                if more > 0 {
                    let again = Happening::Stranger { router, host, priority, interval, more: more - 1 };
                    self.schedule(self.now.plus(interval), SHUFFLE / 2, again);
                }
            }
        }
        self.watch_overlaps();
        self.watch_fences();
    }

    fn run_node(&mut self, index: NodeIndex) {
        let mut outbox = Vec::new();
        if let Some(node) = self.nodes.get_mut(index) {
            let events = Events { outbox: &mut outbox, record: &mut self.record };
            node.run((index, self.now), &self.driver, events);
        }
        for outgoing in outbox {
            self.transmit(Some(index), &outgoing);
        }
        self.watch_overlaps();
        self.watch_fences();
    }

    /// A packet reaches a node: its kernel answers questions, everything else waits in the socket.
    fn arrive(&mut self, index: NodeIndex, frame: Frame) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        if let Reading::Probe(address) = frame.read() {
            if node.kernel.up && node.kernel.holds(address) && frame.origin != Origin::Node(index) {
                let answer = Frame::claim(Origin::Node(index), address);
                self.transmit(Some(index), &Outgoing { frame: answer, to: None, about: address });
            }
            return;
        }
        node.arrive(self.now, frame, self.driver.setup.lateness, &mut self.record);
    }

    /// Sends a packet to everybody or to one node; `from` is `None` for machines that are no nodes.
    pub(super) fn transmit(&mut self, from: Option<NodeIndex>, outgoing: &Outgoing) {
        let family = Family::of(outgoing.about);
        for to in 0..self.nodes.len() {
            if outgoing.to.is_none_or(|address| self.has_source(to, address)) {
                self.transmit_to(from, to, family, &outgoing.frame);
            }
        }
    }

    fn has_source(&self, node: NodeIndex, address: IpAddr) -> bool {
        self.nodes.get(node).is_some_and(|node| node.setup.source(Family::of(address)) == address)
    }

    fn transmit_to(&mut self, from: Option<NodeIndex>, to: NodeIndex, family: Family, frame: &Frame) {
        let fate = self.network.send(self.now, from, to, family);
        let frame = fate.flipped_bit.map_or_else(|| frame.clone(), |bit| frame.with_flipped_bit(bit));
        let [first, again] = fate.arrivals;
        self.note_fate(from != Some(to), first, again.is_some(), &frame);
        for at in [first, again].into_iter().flatten() {
            self.schedule(at, fate.shuffle, Happening::Arrive { node: to, frame: frame.clone() });
        }
    }

    fn note_fate(&mut self, between_nodes: bool, arrival: Option<Time>, twice: bool, frame: &Frame) {
        let mut note = |seen: bool, sight| {
            if seen {
                self.record.probes.note(Probe::Saw(sight));
            }
        };
        note(between_nodes && arrival.is_none(), Sight::PacketLost);
        note(twice, Sight::PacketTwice);
        note(arrival.is_some() && !frame.intact && frame.origin != Origin::Stranger, Sight::PacketDamaged);
        note(arrival.is_some_and(|at| at < self.latest_arrival), Sight::PacketOvertook);
        self.latest_arrival = self.latest_arrival.max(arrival.unwrap_or_default());
    }

    /// Every packet between two machines is lost.
    pub(super) fn lose_what_is_on_its_way(&mut self) {
        self.fences.disturb(self.now);
        self.queue.retain(|Reverse(scheduled)| !matches!(scheduled.what, Happening::Arrive { .. }));
    }

    /// Adds something to what will happen. Of what happens at the same time, the lowest `shuffle` comes first.
    pub(super) fn schedule(&mut self, at: Time, shuffle: u64, what: Happening) {
        self.sequence += 1;
        self.queue.push(Reverse(Scheduled { at, shuffle, sequence: self.sequence, what }));
    }

    /// Tells something to the agent that runs now, a moment later.
    pub(super) fn tell(&mut self, index: NodeIndex, after: Duration, message: Message) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        let what = Happening::Tell { node: index, generation: node.generation, message: Box::new(message) };
        let shuffle = node.pick(SHUFFLE);
        self.schedule(self.now.plus(after), shuffle, what);
    }

    /// Starts the agent of a node: it takes leftovers off the interface, then learns of the world piece by piece.
    pub(super) fn start_agent(&mut self, index: NodeIndex) {
        let Some(node) = self.nodes.get_mut(index) else { return };
        node.kill();
        let leftovers: Vec<IpAddr> = node.kernel.addresses().collect();
        for address in leftovers {
            // What cannot be removed stays until its lease ends.
            let _ = node.kernel.remove(address);
        }
        let setup = &self.script.setup;
        let groups = (0..setup.elections.len()).flat_map(|election| {
            let groups = setup.group_configs(index, election).unwrap_or_default();
            groups.into_iter().map(move |group| (election, group))
        });
        let instances =
            groups.map(|(election, group)| Instance::new((index, election), &group, &[], self.driver.mutant));
        node.process = Some(super::process::Process::new(instances.collect()));
        let up = node.kernel.up;
        let tracked: Vec<(ElectionIndex, Vec<TrackState>)> = node.tracked.iter().cloned().enumerate().collect();
        let moment = self.startup();
        self.tell_soon(index, moment, Message::Start);
        if self.nodes.get_mut(index).is_some_and(|node| node.pick(4) == 0) {
            // Twice is once.
            self.tell_soon(index, moment * 16, Message::Start);
        }
        self.tell_soon(index, moment, Message::Interface { up });
        for (election, states) in tracked {
            for (tracker, state) in states.into_iter().enumerate() {
                self.tell_soon(index, moment, Message::Track { election, tracker, state });
            }
        }
    }

    fn tell_soon(&mut self, index: NodeIndex, moment: Duration, message: Message) {
        let after = self.nodes.get_mut(index).map(|node| node.some_time(moment)).unwrap_or_default();
        self.tell(index, after, message);
    }

    /// How long it may take until an agent that starts has been told everything.
    pub(super) fn startup(&self) -> Duration {
        self.longest_interval.iter().min().copied().unwrap_or_default() * 2
    }

    /// How long the kernel takes to tell an agent something.
    pub(super) fn moment(&self) -> Duration {
        self.startup() / 32
    }

    /// The groups of a node in an election, without those that are to go.
    pub(super) fn instances(&self, node: NodeIndex, election: ElectionIndex) -> impl Iterator<Item = &Instance> {
        let process = self.nodes.get(node).and_then(|node| node.process.as_ref());
        let instances = process.into_iter().flat_map(|process| process.instances.values());
        instances.filter(move |instance| instance.election() == election && !instance.is_leaving())
    }

    /// The group of a node that consists of these virtual routers.
    pub(super) fn instance(
        &self,
        node: NodeIndex,
        election: ElectionIndex,
        numbers: &[MemberNumber],
    ) -> Option<&Instance> {
        self.instances(node, election).find(|instance| instance.numbers() == numbers)
    }
}

impl Outcome {
    /// The scenario cannot be played.
    pub(super) fn impossible(error: &SetupError) -> Self {
        let broken = Broken { rule: Rule::Progress, how: error.to_string() };
        let failure = Some(Failure { time: Time::ZERO, place: None, broken });
        Self { failure, probes: Probes::default(), log: Log::default(), happenings: 0 }
    }
}

impl PartialEq for Scheduled {
    fn eq(&self, other: &Self) -> bool {
        self.sequence == other.sequence
    }
}

impl Eq for Scheduled {}

impl PartialOrd for Scheduled {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scheduled {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        let key = |scheduled: &Self| (scheduled.at, scheduled.shuffle, scheduled.sequence);
        key(self).cmp(&key(other))
    }
}
