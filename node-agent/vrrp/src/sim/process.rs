//! The agent of a simulated node, as far as the election needs one: it does what the agent's driver does, in its order.
//!
//! Packets first, then what the kernel and people say, then timers. Actions phase by phase over all groups; what fails
//! goes back as an event. Addresses are given a lease, which is renewed.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;

use super::clock::Time;
use super::fence::LastAdvert;
use super::frame::{Frame, Origin, Reading};
use super::instance::{Instance, Record};
use super::kernel::{Kernel, renewal_after};
use super::mutant::Mutant;
use super::node::Driver;
use super::probe::{Probe, Sight};
use super::rules::{Rule, Truth};
use super::setup::{ElectionIndex, GroupSetup, NodeIndex, NodeSetup};
use super::step::RouterPlace;
use super::table::{Input, Situation};
use crate::action::{Action, Phase};
use crate::config::{MemberConfig, Transport};
use crate::event::{Epoch, Event, Link, MemberIndex};
use crate::time::Instant;
use crate::tracking::TrackState;
use crate::types::Claim;
use crate::wire::{Advert, AdvertRepr, Datagram, advert};

/// Tells the groups of an agent apart.
pub(super) type GroupNumber = u32;

/// A running agent.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// By the order in which they came.
    pub(super) instances: BTreeMap<GroupNumber, Instance>,
    pub(super) next_number: GroupNumber,
    inbox: VecDeque<Message>,
    todo: Vec<(GroupNumber, Action)>,
    pub(super) reports: Vec<Report>,
    /// Whether the groups were started.
    pub(super) started: bool,
    /// Whether the interface works, once that is known.
    interface: Option<bool>,
    /// Until when the agent does not run.
    pub(super) stalled_until: Option<Time>,
    renew_at: Time,
}

/// What reaches the agent beside packets.
#[derive(Clone, Debug)]
pub(super) enum Message {
    Start,
    Interface { up: bool },
    Track { election: ElectionIndex, tracker: usize, state: TrackState },
    Reconfigure { election: ElectionIndex, groups: Vec<GroupSetup>, tracked: Vec<TrackState> },
    Drain,
    Abort,
    Deleted(IpAddr),
}

/// The kernel's word that it refused an address.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report {
    due: Time,
    pub(super) group: GroupNumber,
    pub(super) member: MemberIndex,
    address: IpAddr,
    pub(super) epoch: Epoch,
}

/// Everything around an agent that wakes up.
pub(super) struct Surroundings<'a> {
    pub(super) time: Time,
    pub(super) now: Instant,
    pub(super) node: NodeIndex,
    pub(super) setup: &'a NodeSetup,
    pub(super) kernel: &'a mut Kernel,
    pub(super) driver: &'a Driver,
    /// Whether the agent was woken for nothing, and looks at every timer.
    pub(super) woken_for_nothing: bool,
    pub(super) outbox: &'a mut Vec<Outgoing>,
    pub(super) record: &'a mut Record,
}

/// A packet that leaves a node.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) frame: Frame,
    /// `None` for everybody.
    pub(super) to: Option<IpAddr>,
    pub(super) about: IpAddr,
}

impl Process {
    pub(super) fn new(instances: Vec<Instance>) -> Self {
        Self {
            next_number: u32::try_from(instances.len()).unwrap_or_default(),
            instances: (0..).zip(instances).collect(),
            started: false,
            interface: None,
            inbox: VecDeque::new(),
            todo: Vec::new(),
            reports: Vec::new(),
            stalled_until: None,
            renew_at: Time::ZERO,
        }
    }

    pub(super) fn tell(&mut self, message: Message) {
        self.inbox.push_back(message);
    }

    /// When the first group wants to be woken, in the node's time.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.instances.values().filter_map(Instance::next_deadline).min()
    }

    /// When the agent wants to be woken for its own sake.
    pub(super) fn next_chore(&self) -> Option<Time> {
        let holds = self.instances.values().any(Instance::holds_addresses);
        self.reports.iter().map(|report| report.due).chain(holds.then_some(self.renew_at)).min()
    }

    /// Whether the kernel has refused something, and the agent has not been told.
    pub(super) fn awaits_reports(&self) -> bool {
        !self.reports.is_empty()
    }

    /// Whether the kernel has refused this address, and the agent has not been told.
    pub(super) fn awaits_report_about(&self, address: IpAddr) -> bool {
        self.reports.iter().any(|report| report.address == address)
    }

    /// The kernel reports what it has refused.
    pub(super) fn hurry_reports(&mut self, time: Time) {
        self.reports.iter_mut().for_each(|report| report.due = report.due.min(time));
    }

    /// Whether every group was stopped and has let its addresses go.
    pub(super) fn is_finished(&self) -> bool {
        let stopped = |instance: &Instance| !instance.is_leaving() && instance.group().is_finished();
        !self.instances.is_empty() && self.instances.values().all(stopped)
    }

    /// One wake-up.
    pub(super) fn run(&mut self, around: &mut Surroundings<'_>) {
        if around.driver.mutant == Some(Mutant::TimersBeforePackets) {
            self.fire_timers(around);
        }
        while let Some(frame) = around.kernel.next_received() {
            self.receive(&frame, around);
        }
        while let Some(message) = self.inbox.pop_front() {
            self.take_in(message, around);
        }
        self.take_reports(around);
        self.fire_timers(around);
        self.carry_out(around);
        self.retire();
        self.place_members(around);
        self.carry_out(around);
        self.renew(around);
        self.audit(around);
    }

    /// Forgets groups that have left; their places are free.
    fn retire(&mut self) {
        self.instances.retain(|_, instance| !(instance.is_leaving() && instance.group().is_finished()));
    }

    pub(super) fn handle(
        &mut self,
        group: GroupNumber,
        event: &Event<'_>,
        truth: Truth,
        around: &mut Surroundings<'_>,
    ) {
        let Some(instance) = self.instances.get_mut(&group) else { return };
        let mut actions = Vec::new();
        instance.handle((around.time, around.now), event, truth, &mut actions, around.record);
        self.todo.extend(actions.into_iter().map(|action| (group, action)));
        if !around.driver.setup.batch {
            self.carry_out(around);
        }
    }

    fn receive(&mut self, frame: &Frame, around: &mut Surroundings<'_>) {
        match frame.read() {
            Reading::Vrrp(datagram) => {
                let truth = if frame.intact { Truth::Intact(frame.origin) } else { Truth::Broken };
                if let Some((group, member)) = self.router_of(&datagram) {
                    self.handle(group, &Event::Packet { member, datagram }, truth, around);
                }
            }
            Reading::Claim(address) => {
                if let Some((group, member)) = self.owner_of(address) {
                    self.handle(group, &Event::NeighborClaim { member, address, by: None }, Truth::NoPacket, around);
                }
            }
            Reading::Probe(_) | Reading::Noise => {}
        }
    }

    /// The virtual router that a datagram is for: by VRID and family (RFC 9568 section 5.2.3).
    fn router_of(&self, datagram: &Datagram<'_>) -> Option<(GroupNumber, MemberIndex)> {
        let vrid = Advert::peek(datagram.payload)?;
        let ipv4 = datagram.source.is_ipv4();
        self.find(|config| config.virtual_router_id == vrid && (config.family == crate::types::Family::Ipv4) == ipv4)
    }

    fn owner_of(&self, address: IpAddr) -> Option<(GroupNumber, MemberIndex)> {
        self.find(|config| config.addresses.contains(&address))
    }

    /// The first that fits: who drains comes before who waits for its place.
    fn find(&self, wanted: impl Fn(&MemberConfig) -> bool) -> Option<(GroupNumber, MemberIndex)> {
        self.instances.iter().find_map(|(group, instance)| {
            let member = instance.facts().parts().find(|(_, config, _)| wanted(config));
            member.map(|(index, ..)| (*group, index))
        })
    }

    fn take_in(&mut self, message: Message, around: &mut Surroundings<'_>) {
        match message {
            Message::Start => {
                self.started = true;
                self.tell_all(&Event::Start, around);
            }
            Message::Drain => self.tell_all(&Event::Drain, around),
            Message::Abort => self.tell_all(&Event::Abort, around),
            Message::Interface { up } => {
                self.interface = Some(up);
                self.change_links(around);
            }
            Message::Track { election, tracker, state } => {
                for group in self.groups_of(election) {
                    self.handle(group, &Event::Track { tracker, state }, Truth::NoPacket, around);
                }
            }
            Message::Reconfigure { election, groups, tracked } => self.regroup(election, &groups, &tracked, around),
            Message::Deleted(address) => {
                if let Some((group, member)) = self.owner_of(address).filter(|_| !around.kernel.holds(address)) {
                    self.handle(group, &Event::AddressDeleted { member, address }, Truth::NoPacket, around);
                }
            }
        }
    }

    fn tell_all(&mut self, event: &Event<'_>, around: &mut Surroundings<'_>) {
        for group in self.numbers() {
            self.handle(group, event, Truth::NoPacket, around);
        }
    }

    fn numbers(&self) -> Vec<GroupNumber> {
        self.instances.keys().copied().collect()
    }

    /// The groups of an election that are to stay.
    pub(super) fn groups_of(&self, election: ElectionIndex) -> Vec<GroupNumber> {
        let of = |(_, instance): &(_, &Instance)| instance.election() == election && !instance.is_leaving();
        self.instances.iter().filter(of).map(|(group, _)| *group).collect()
    }

    /// Tells every member about the interface, but for those whose place is not free yet.
    fn change_links(&mut self, around: &mut Surroundings<'_>) {
        for group in self.numbers() {
            self.tell_links(group, |_| true, around);
        }
    }

    /// Tells the members that have not been told because their place was not free, or because they are new.
    fn place_members(&mut self, around: &mut Surroundings<'_>) {
        for group in self.numbers() {
            self.tell_links(group, |link| link == Link::Unknown, around);
        }
    }

    fn tell_links(&mut self, group: GroupNumber, told: impl Fn(Link) -> bool, around: &mut Surroundings<'_>) {
        let (Some(up), Some(instance)) = (self.interface, self.instances.get(&group)) else { return };
        if instance.is_leaving() {
            return;
        }
        let members = instance.facts().parts().filter(|(_, _, member)| told(member.link));
        let members = members.filter(|(_, config, _)| self.is_free_for(group, config));
        let families: Vec<_> = members.map(|(member, config, _)| (member, config.family)).collect();
        for (member, family) in families {
            let link = if up { Link::Up { source: around.setup.source(family) } } else { Link::Down };
            self.handle(group, &Event::Link { member, link }, Truth::NoPacket, around);
        }
    }

    /// Whether no other group drains that has the same virtual router.
    fn is_free_for(&self, group: GroupNumber, wanted: &MemberConfig) -> bool {
        let same = |config: &MemberConfig| {
            (config.virtual_router_id, config.family) == (wanted.virtual_router_id, wanted.family)
        };
        let mut others = self.instances.range(..group).map(|(_, instance)| instance);
        !others.any(|other| other.is_leaving() && other.facts().config.members().iter().any(same))
    }

    fn take_reports(&mut self, around: &mut Surroundings<'_>) {
        let time = around.time;
        let (due, later) = self.reports.drain(..).partition(|report| report.due <= time);
        self.reports = later;
        let due: Vec<Report> = due;
        for Report { group, member, address, epoch, .. } in due {
            self.handle(group, &Event::AddressFailed { member, address, epoch }, Truth::NoPacket, around);
        }
    }

    fn fire_timers(&mut self, around: &mut Surroundings<'_>) {
        for group in self.numbers() {
            let Some(instance) = self.instances.get(&group) else { continue };
            let due = instance.next_deadline().is_some_and(|deadline| deadline <= around.now);
            if !due && !around.woken_for_nothing {
                continue;
            }
            let before = instance.situation();
            self.handle(group, &Event::Timer, Truth::NoPacket, around);
            self.check_unread(group, before, around);
        }
    }

    /// No backup takes over while an advert that forbids it waits in the socket.
    fn check_unread(&self, group: GroupNumber, before: Situation, around: &mut Surroundings<'_>) {
        let Some(instance) = self.instances.get(&group) else { return };
        if before != Situation::Backup || instance.situation() != Situation::Master {
            return;
        }
        let forbids = |frame: &Frame| match frame.read() {
            Reading::Vrrp(datagram) if frame.intact => {
                let member = self.router_of(&datagram).filter(|(other, _)| *other == group);
                let input = member.map(|(_, member)| instance.what_is(&Event::Packet { member, datagram }));
                matches!(input, Some(Input::HigherPriority | Input::HigherAddress | Input::LowerAddress))
            }
            _ => false,
        };
        if around.kernel.unread().any(forbids) {
            let broken = Rule::Patience.broken::<()>("takes over although an advert waits unread");
            around.fail(instance.election(), broken.err());
        }
    }

    /// Phase by phase over all groups, until nothing fails any more.
    pub(super) fn carry_out(&mut self, around: &mut Surroundings<'_>) {
        while !self.todo.is_empty() {
            let batch = std::mem::take(&mut self.todo);
            for phase in [Phase::Advertise, Phase::Address, Phase::Announce, Phase::Notify] {
                for (group, action) in batch.iter().filter(|(_, action)| action.phase() == phase) {
                    self.perform(*group, action, around);
                }
            }
        }
    }

    fn perform(&mut self, group: GroupNumber, action: &Action, around: &mut Surroundings<'_>) {
        match *action {
            Action::SendAdvert { member, claim } => self.send_advert(group, member, claim, around),
            Action::RemoveAddress { address, .. } => around.remove(address),
            Action::AddAddress { member, address, epoch } => {
                let lease_ends = around.time.plus(around.driver.setup.lease);
                if around.kernel.add(address, lease_ends).is_err() {
                    let due = around.time.plus(around.driver.setup.report_delay);
                    self.report(Report { due, group, member, address, epoch }, around);
                }
            }
            // The kernel's acknowledgement is awaited: what is not there is not announced.
            Action::Announce { address, .. } if around.kernel.holds(address) => {
                around.send(Frame::claim(Origin::Node(around.node), address), None, address);
            }
            Action::Probe { address, .. } => {
                around.send(Frame::probe(Origin::Node(around.node), address), None, address);
            }
            Action::Announce { .. } | Action::Notify(_) => {}
        }
    }

    fn report(&mut self, report: Report, around: &mut Surroundings<'_>) {
        if report.due > around.time {
            around.record.probes.note(Probe::Saw(Sight::LateReport));
            self.reports.push(report);
            return;
        }
        let Report { group, member, address, epoch, .. } = report;
        self.feed_back(group, &Event::AddressFailed { member, address, epoch }, around);
    }

    /// A failure goes back at once; what it leads to comes in the next round.
    fn feed_back(&mut self, group: GroupNumber, event: &Event<'_>, around: &mut Surroundings<'_>) {
        let Some(instance) = self.instances.get_mut(&group) else { return };
        let mut actions = Vec::new();
        instance.handle((around.time, around.now), event, Truth::NoPacket, &mut actions, around.record);
        self.todo.extend(actions.into_iter().map(|action| (group, action)));
    }

    fn send_advert(&mut self, group: GroupNumber, member: MemberIndex, claim: Claim, around: &mut Surroundings<'_>) {
        let sent = around.kernel.send();
        let Some(instance) = self.instances.get_mut(&group) else { return };
        instance.note_advert(member, claim, sent.is_ok());
        let Some(instance) = self.instances.get(&group) else { return };
        let Some((config, _)) = instance.facts().member(member) else { return };
        if sent.is_err() {
            self.feed_back(group, &Event::SendFailed { member }, around);
            return;
        }
        if let (Claim::Master(_), Some(number)) = (claim, instance.numbers().get(usize::from(member.0))) {
            let router = RouterPlace { election: instance.election(), member: *number };
            around.kernel.note_advert(router, LastAdvert { at: around.time, interval: config.interval.get() });
        }
        let source = around.setup.source(config.family);
        let everybody = [advert::group(config.family)];
        let destinations = match &config.transport {
            Transport::Multicast => &everybody[..],
            Transport::Unicast(peers) => peers,
        };
        let mut buffer = [0; AdvertRepr::MAX_LENGTH];
        for destination in destinations {
            let written = instance.encode(member, claim, (source, *destination), &mut buffer);
            match written.ok().and_then(|length| buffer.get(..length)) {
                Some(message) => {
                    let frame = Frame::vrrp(Origin::Node(around.node), source, *destination, message);
                    let to = matches!(config.transport, Transport::Unicast(_)).then_some(*destination);
                    around.send(frame, to, source);
                }
                None => around.fail(instance.election(), Rule::Encoding.broken::<()>(format!("{written:?}")).err()),
            }
        }
    }

    fn renew(&mut self, around: &mut Surroundings<'_>) {
        if around.time < self.renew_at {
            return;
        }
        self.renew_at = around.time.plus(renewal_after(around.driver.setup.lease));
        let ends = around.time.plus(around.driver.setup.lease);
        for (instance, config) in self.instances.values().map(|instance| (instance, &instance.facts().config)) {
            for member in (0..).map(MemberIndex).take(config.members().len()) {
                instance.group().installed(member).for_each(|address| around.kernel.renew(address, ends));
            }
        }
    }
}

impl Surroundings<'_> {
    pub(super) fn fail(&mut self, election: ElectionIndex, broken: Option<super::rules::Broken>) {
        if let Some(broken) = broken {
            self.record.fail(self.time, Some((self.node, election)), broken);
        }
    }

    fn send(&mut self, frame: Frame, to: Option<IpAddr>, about: IpAddr) {
        if self.kernel.up {
            self.outbox.push(Outgoing { frame, to, about });
        }
    }

    fn remove(&mut self, address: IpAddr) {
        // A refusal is not reported: the lease, no longer renewed, sees to it.
        let _ = self.kernel.remove(address);
    }
}
