//! A new configuration reaches an agent: its groups are changed, or others are made of their members.

use super::instance::Instance;
use super::mutant::Mutant;
use super::probe::{Probe, Sight};
use super::process::{GroupNumber, Process, Surroundings};
use super::rules::{Rule, Truth};
use super::setup::{ElectionIndex, GroupSetup};
use super::table::Situation;
use crate::config::GroupConfig;
use crate::event::{Epoch, Event, MemberIndex};
use crate::regroup::{Heritage, Origin, Regrouping, regroup};
use crate::tracking::TrackState;

/// Where a member of a new group comes from.
type Source = Option<(GroupNumber, MemberIndex)>;

impl Process {
    /// Makes the groups of an election these, as the agent's driver does.
    pub(super) fn regroup(
        &mut self,
        election: ElectionIndex,
        wanted: &[GroupSetup],
        tracked: &[TrackState],
        around: &mut Surroundings<'_>,
    ) {
        self.carry_out(around);
        let present = self.groups_of(election);
        let running: Vec<(GroupNumber, Vec<u8>)> =
            present.iter().map(|group| (*group, self.numbers_of(*group))).collect();
        let names: Vec<(GroupNumber, Vec<u8>)> =
            wanted.iter().map(|group| (GroupNumber::MAX, group.numbers.clone())).collect();
        let Regrouping { heritage, left_over } = regroup(&running, &names, |one, other| one == other);
        if self.is_stopping() && heritage.iter().any(|heritage| !matches!(heritage, Heritage::Same(_))) {
            // Who leaves for good has no use for other groups.
            return;
        }
        let source = |origin: Origin| Some((*present.get(origin.group)?, origin.member));
        let mut assembled: Vec<(&GroupSetup, Vec<Source>)> = Vec::new();
        for (group, heritage) in wanted.iter().zip(heritage) {
            match heritage {
                Heritage::New => {
                    self.begin(election, group, tracked, around);
                }
                Heritage::Same(place) => {
                    let event = Event::Reconfigure { config: &group.config, trackers: tracked };
                    present.get(place).into_iter().for_each(|same| self.handle(*same, &event, Truth::NoPacket, around));
                }
                Heritage::Assembled(origins) => {
                    let sources = origins.into_iter().map(|origin| origin.and_then(source)).collect();
                    assembled.push((group, sources));
                }
            }
        }
        self.assemble(election, &assembled, tracked, around);
        for (group, members) in present.iter().zip(left_over) {
            self.dissolve(*group, &members, &assembled, around);
        }
    }

    fn numbers_of(&self, group: GroupNumber) -> Vec<u8> {
        self.instances.get(&group).map(|instance| instance.numbers().to_vec()).unwrap_or_default()
    }

    fn is_stopping(&self) -> bool {
        let stopped = |instance: &Instance| !instance.is_leaving() && instance.situation() == Situation::Stopped;
        self.instances.values().any(stopped)
    }

    fn insert(&mut self, instance: Instance) -> GroupNumber {
        let number = self.next_number;
        self.next_number += 1;
        self.instances.insert(number, instance);
        number
    }

    /// A group starts that has nothing to do with what was there.
    fn begin(
        &mut self,
        election: ElectionIndex,
        group: &GroupSetup,
        tracked: &[TrackState],
        around: &mut Surroundings<'_>,
    ) -> GroupNumber {
        let number = self.insert(Instance::new((around.node, election), group, tracked, around.driver.mutant));
        if self.started {
            self.handle(number, &Event::Start, Truth::NoPacket, around);
        }
        number
    }

    /// Groups that are made of the members of others.
    fn assemble(
        &mut self,
        election: ElectionIndex,
        assembled: &[(&GroupSetup, Vec<Source>)],
        tracked: &[TrackState],
        around: &mut Surroundings<'_>,
    ) {
        for (group, sources) in assembled {
            if !self.started {
                self.begin(election, group, tracked, around);
                continue;
            }
            let origins = sources.iter().flatten().filter_map(|(group, _)| self.instances.get(group));
            let before: Vec<Situation> = origins.map(Instance::situation).collect();
            note(&before, sources, around);
            let number = if around.driver.mutant == Some(Mutant::RegroupingRestarts) {
                self.begin(election, group, tracked, around)
            } else {
                self.succeed(election, group, sources, tracked, around)
            };
            self.check_successor(number, &before, around);
        }
    }

    fn succeed(
        &mut self,
        election: ElectionIndex,
        group: &GroupSetup,
        sources: &[Source],
        tracked: &[TrackState],
        around: &mut Surroundings<'_>,
    ) -> GroupNumber {
        let origin = |source: &Source| {
            let (group, member) = (*source)?;
            Some((self.instances.get(&group)?, member))
        };
        let origins: Vec<Option<(&Instance, MemberIndex)>> = sources.iter().map(origin).collect();
        let instance = Instance::succeed((around.node, election), group, tracked, &origins);
        let epoch = instance.group().epoch();
        let number = self.insert(instance);
        self.redirect_reports(number, epoch, sources);
        let event = Event::Reconfigure { config: &group.config, trackers: tracked };
        self.handle(number, &event, Truth::NoPacket, around);
        number
    }

    /// What the kernel has yet to report is about the new group.
    fn redirect_reports(&mut self, number: GroupNumber, epoch: Epoch, sources: &[Source]) {
        for report in &mut self.reports {
            let place = sources.iter().position(|source| *source == Some((report.group, report.member)));
            let Some(place) = place.and_then(|place| u8::try_from(place).ok()) else { continue };
            let current = self.instances.get(&report.group).map(|former| former.group().epoch());
            if current == Some(report.epoch) {
                report.epoch = epoch;
            }
            (report.group, report.member) = (number, MemberIndex(place));
        }
    }

    /// Who was master of all goes on, or says that it does not; who waited goes on waiting.
    fn check_successor(&self, number: GroupNumber, before: &[Situation], around: &mut Surroundings<'_>) {
        let Some(instance) = self.instances.get(&number) else { return };
        let after = instance.situation();
        let all = |situation| before.iter().all(|other| *other == situation);
        let expected: &[Situation] = match before {
            _ if all(Situation::Master) => &[Situation::Master, Situation::Backup, Situation::Fault],
            _ if all(Situation::Backup) => &[Situation::Backup, Situation::Fault],
            _ => return,
        };
        if !expected.contains(&after) {
            let how = format!("{before:?} became {after:?}");
            around.fail(instance.election(), Rule::Regrouping.broken::<()>(how).err());
        }
    }

    /// A group that has no members any more goes; what nobody wants of it drains as a group of its own.
    fn dissolve(
        &mut self,
        group: GroupNumber,
        left_over: &[MemberIndex],
        assembled: &[(&GroupSetup, Vec<Source>)],
        around: &mut Surroundings<'_>,
    ) {
        let is_used = |source: &Source| source.is_some_and(|(used, _)| used == group);
        let used = assembled.iter().flat_map(|(_, sources)| sources).any(is_used);
        let restarts = around.driver.mutant == Some(Mutant::RegroupingRestarts);
        if !used && left_over.is_empty() {
            return;
        }
        let leaving =
            if !used || restarts || !self.started { Some(group) } else { self.split_off(group, left_over, around) };
        if let Some(leaving) = leaving {
            self.instances.get_mut(&leaving).into_iter().for_each(Instance::leave);
            self.handle(leaving, &Event::Drain, Truth::NoPacket, around);
        }
        if leaving != Some(group) {
            self.instances.remove(&group);
        }
    }

    fn split_off(
        &mut self,
        group: GroupNumber,
        left_over: &[MemberIndex],
        around: &mut Surroundings<'_>,
    ) -> Option<GroupNumber> {
        let instance = self.instances.get(&group)?;
        let (election, facts) = (instance.election(), instance.facts());
        let place = |member: &MemberIndex| usize::from(member.0);
        let members =
            left_over.iter().filter_map(|member| facts.config.members().get(place(member)).cloned()).collect();
        let numbers = left_over.iter().filter_map(|member| instance.numbers().get(place(member)).copied()).collect();
        let config = GroupConfig::new(members, facts.config.preemption, facts.config.trackers.clone()).ok()?;
        let (tracked, rest) = (facts.tracked.clone(), GroupSetup { numbers, config });
        if instance.situation() == Situation::Master {
            around.record.probes.note(Probe::Saw(Sight::MemberLeft));
        }
        let sources: Vec<Source> = left_over.iter().map(|member| Some((group, *member))).collect();
        Some(self.succeed(election, &rest, &sources, &tracked, around))
    }
}

fn note(before: &[Situation], sources: &[Source], around: &mut Surroundings<'_>) {
    let master = |situation: &Situation| *situation == Situation::Master;
    let sight = match (before.iter().any(master), before.iter().all(master)) {
        (true, true) if sources.iter().any(Option::is_none) => Sight::MemberJoined,
        (true, true) => Sight::MasterRegrouped,
        (true, false) => Sight::Divided,
        (false, _) => Sight::OthersRegrouped,
    };
    around.record.probes.note(Probe::Saw(sight));
}
