//! A real group, between a driver and its referee.

use std::net::IpAddr;

use super::clock::Time;
use super::grouping::MemberNumber;
use super::log::{Entry, Log};
use super::mutant::Mutant;
use super::probe::{Probe, Probes, Sight};
use super::rules::{Broken, Facts, Handled, Origin, Referee, Rule, Standing, Truth};
use super::seam::Seam;
use super::setup::{ElectionIndex, GroupSetup, NodeIndex};
use super::table::{Input, Situation};
use crate::action::Action;
use crate::event::{Event, MemberIndex};
use crate::group::{Group, Predecessor};
use crate::time::Instant;
use crate::tracking::TrackState;
use crate::types::Claim;
use crate::wire::EmitError;

/// What a run has brought to light so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) log: Log,
    pub(super) probes: Probes,
    pub(super) failure: Option<Failure>,
}

/// A rule was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// When.
    pub time: Time,
    /// By which node in which election, where it was one.
    pub place: Option<(NodeIndex, ElectionIndex)>,
    /// Which, and how.
    pub broken: Broken,
}

/// A group of a node.
#[derive(Clone, Debug)]
pub(super) struct Instance {
    node: NodeIndex,
    election: ElectionIndex,
    /// Which virtual routers of the election its members are.
    numbers: Vec<MemberNumber>,
    /// It has what the node is not to have any more.
    leaving: bool,
    group: Group,
    seam: Seam,
    referee: Referee,
    /// For each member, how many adverts in a row could not be sent.
    refused: Vec<u32>,
}

impl Record {
    /// Keeps the first failure only.
    pub(super) fn fail(&mut self, time: Time, place: Option<(NodeIndex, ElectionIndex)>, broken: Broken) {
        if self.failure.is_none() {
            self.log.remark(time, format_args!("BROKEN {broken}"));
            self.failure = Some(Failure { time, place, broken });
        }
    }
}

impl Instance {
    pub(super) fn new(
        (node, election): (NodeIndex, ElectionIndex),
        GroupSetup { numbers, config }: &GroupSetup,
        tracked: &[TrackState],
        mutant: Option<Mutant>,
    ) -> Self {
        let seam = Seam::new(mutant);
        let group = Group::new(seam.config(config), &seam.tracked(config, tracked));
        let referee = Referee::new(Facts::new(config.clone(), tracked));
        let refused = vec![0; config.members().len()];
        Self { node, election, numbers: numbers.clone(), leaving: false, group, seam, referee, refused }
    }

    /// A group that is made of the members of others. The next thing it handles is its configuration.
    pub(super) fn succeed(
        (node, election): (NodeIndex, ElectionIndex),
        GroupSetup { numbers, config }: &GroupSetup,
        tracked: &[TrackState],
        origins: &[Option<(&Self, MemberIndex)>],
    ) -> Self {
        let seams: Vec<&Seam> = origins.iter().flatten().map(|(instance, _)| &instance.seam).collect();
        let seam = Seam::succeed(&seams);
        let predecessors: Vec<Option<Predecessor<'_>>> = origins
            .iter()
            .map(|origin| origin.map(|(instance, member)| Predecessor { group: &instance.group, member }))
            .collect();
        let group = Group::succeed(&seam.config(config), &seam.tracked(config, tracked), &predecessors);
        let judged: Vec<Origin<'_>> =
            origins.iter().map(|origin| origin.map(|(instance, member)| (&instance.referee, member))).collect();
        let referee = Referee::succeed(config, tracked, &judged);
        let refused = origins.iter().map(|origin| {
            let (instance, member) = (*origin)?;
            instance.refused.get(usize::from(member.0)).copied()
        });
        let refused = refused.map(Option::unwrap_or_default).collect();
        Self { node, election, numbers: numbers.clone(), leaving: false, group, seam, referee, refused }
    }

    /// The group has what the node is not to have any more, and is about to drain.
    pub(super) fn leave(&mut self) {
        self.leaving = true;
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving
    }

    pub(super) fn election(&self) -> ElectionIndex {
        self.election
    }

    pub(super) fn numbers(&self) -> &[MemberNumber] {
        &self.numbers
    }

    /// Lets the group handle an event, and judges what it makes of it. `time` is the true time, `now` what the node's
    /// clock shows.
    pub(super) fn handle(
        &mut self,
        (time, now): (Time, Instant),
        event: &Event<'_>,
        truth: Truth,
        actions: &mut Vec<Action>,
        record: &mut Record,
    ) {
        let (first, before) = (actions.len(), self.standing());
        let input = self.referee.classify(&before, event, truth);
        let from = self.referee.facts().situation;
        self.seam.handle(&mut self.group, now, event, actions);
        let added = actions.get(first..).unwrap_or_default();
        let handled = Handled { now, event, input, before, after: self.standing() };
        let verdict = self.referee.judge(handled, &self.group, added, &mut record.probes);
        let (node, election, to) = (self.node, self.election, self.referee.facts().situation);
        let due = handled.after.deadline.map(|deadline| deadline.saturating_since(now));
        record.log.write(time, Entry { node, election, from, input, to, due, actions: added });
        if let Err(broken) = verdict {
            record.fail(time, Some((node, election)), broken);
        }
    }

    fn standing(&self) -> Standing {
        Standing { state: self.group.state(), epoch: self.group.epoch(), deadline: self.next_deadline() }
    }

    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.seam.next_deadline(&self.group)
    }

    /// An early timer event changes nothing.
    pub(super) fn fire_early(&self, (time, now): (Time, Instant), record: &mut Record) {
        if self.next_deadline().is_none_or(|deadline| deadline <= now) || self.referee.is_stalled(now) {
            return;
        }
        let (mut group, mut seam, mut actions) = (self.group.clone(), self.seam.clone(), Vec::new());
        seam.handle(&mut group, now, &Event::Timer, &mut actions);
        record.probes.note(Probe::Saw(Sight::EarlyTimer));
        if group != self.group || !actions.is_empty() {
            let broken = Broken { rule: Rule::EarlyTimer, how: format!("{actions:?} at {now}") };
            record.fail(time, Some((self.node, self.election)), broken);
        }
    }

    /// An advert was sent, or could not be. Releases do not count.
    pub(super) fn note_advert(&mut self, member: MemberIndex, claim: Claim, sent: bool) {
        let refused = self.refused.get_mut(usize::from(member.0)).filter(|_| claim != Claim::Release);
        if let Some(refused) = refused {
            *refused = if sent { 0 } else { *refused + 1 };
        }
    }

    /// How many adverts of some member could not be sent, without one between that could.
    pub(super) fn adverts_refused_in_a_row(&self) -> u32 {
        self.refused.iter().copied().max().unwrap_or_default()
    }

    /// What an event is to the group as it stands.
    pub(super) fn what_is(&self, event: &Event<'_>) -> Input {
        self.referee.classify(&self.standing(), event, Truth::NoPacket)
    }

    /// Whether any address is on the interface, as the group believes.
    pub(super) fn holds_addresses(&self) -> bool {
        self.facts().members.iter().any(|member| !member.held.is_empty())
    }

    /// Whether an address is on the interface, as the group believes.
    pub(super) fn holds(&self, address: IpAddr) -> bool {
        self.facts().members.iter().any(|member| member.held.contains(&address))
    }

    pub(super) fn group(&self) -> &Group {
        &self.group
    }

    pub(super) fn facts(&self) -> &Facts {
        self.referee.facts()
    }

    pub(super) fn situation(&self) -> Situation {
        self.facts().situation
    }

    pub(super) fn encode(
        &self,
        member: MemberIndex,
        claim: Claim,
        (source, destination): (IpAddr, IpAddr),
        buffer: &mut [u8],
    ) -> Result<usize, EmitError> {
        self.seam.encode(&self.group, &self.facts().config, member, claim, (source, destination), buffer)
    }
}
