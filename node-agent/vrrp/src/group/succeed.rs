//! Groups that are made of the members of others: some joined, some left, or they were divided differently.
//!
//! A member goes on as it was: its timers, the addresses on its interface, the master that it follows, its counters. What
//! members have in common is the group's:
//!
//! | the predecessors are | the successor is |
//! | --- | --- |
//! | all master | master. A member that is new here joins it as soon as its interface works: who is master of the others is to be master of this one too, and if another router is, they settle it between them |
//! | some master | backup: those that were master say that they leave, and hold their addresses until somebody takes over |
//! | all backup | backup |
//! | all in fault | in fault |
//! | anything else | at its beginning |

use super::{Group, Lifecycle, PreemptionHold};
use crate::action::{Action, State};
use crate::config::GroupConfig;
use crate::event::{Epoch, MemberIndex};
use crate::master_down::MasterDown;
use crate::time::Instant;
use crate::timers::{GroupTimer, Timers};
use crate::timing;
use crate::tracking::TrackState;

/// Where a member of a group comes from: the same virtual router on the same interface in an earlier group.
#[derive(Clone, Copy, Debug)]
pub struct Predecessor<'a> {
    /// The earlier group, which must not handle any more events for this member.
    pub group: &'a Group,
    /// The place of the member in it.
    pub member: MemberIndex,
}

impl Group {
    /// A group that goes on where others leave off. `predecessors` has one entry for each member of `config`: where it
    /// comes from, unless it is new.
    ///
    /// The group is what its predecessors were. What `config` makes different about them comes about when it handles
    /// [`Event::Reconfigure`](crate::Event::Reconfigure) with the same configuration, which must be its next event. If
    /// all members are new, that event must be [`Event::Start`](crate::Event::Start).
    pub fn succeed(config: &GroupConfig, trackers: &[TrackState], predecessors: &[Option<Predecessor<'_>>]) -> Self {
        let mut group = Self::new(config.clone(), trackers);
        let running = |predecessor: &Predecessor<'_>| predecessor.group.lifecycle == Lifecycle::Running;
        let mut members = config.members().to_vec();
        for ((own, config), predecessor) in group.members.iter_mut().zip(&mut members).zip(predecessors) {
            let Some(Predecessor { group, member }) = predecessor.filter(running) else { continue };
            let place = usize::from(member.0);
            if let Some((former, earlier)) = group.config.members().get(place).zip(group.members.get(place)) {
                *config = former.clone();
                *own = earlier.clone();
            }
        }
        group.config = config.with_members(members);
        let groups: Vec<&Self> =
            predecessors.iter().flatten().filter(|one| running(one)).map(|one| one.group).collect();
        group.inherit(&groups);
        group
    }

    /// Takes over what the members of a group have in common.
    fn inherit(&mut self, predecessors: &[&Self]) {
        let Some(first) = predecessors.first() else { return };
        self.lifecycle = Lifecycle::Running;
        self.state = common_state(predecessors);
        if let Some(alike) = predecessors.iter().find(|group| group.state == self.state) {
            (self.reason, self.since) = (alike.reason, alike.since);
        }
        let epochs = predecessors.iter().map(|group| group.epoch.0).max().unwrap_or_default();
        self.epoch = Epoch(epochs.wrapping_add(1));
        if predecessors.iter().all(|group| std::ptr::eq(*group, *first)) {
            (self.preemption, self.timers) = (first.preemption, first.timers);
            (self.kernel_fault, self.retries) = (first.kernel_fault, first.retries);
            self.config.preemption = first.config.preemption;
        } else {
            (self.preemption, self.timers) = (PreemptionHold::Idle, held_down(predecessors));
        }
        if self.state != State::Backup {
            for member in &mut self.members {
                member.followed = None;
                member.master_down = MasterDown::Stopped;
            }
        }
    }

    /// Members of a master that are not master themselves were not so before: nobody may be master of some only.
    pub(super) fn resign_if_divided(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let divided = self.members.iter().any(|member| member.source().is_some() && !member.is_advertising());
        if self.state == State::Master && divided {
            self.resign(now, actions);
        }
    }

    /// Members whose master is silent may have waited for others that are not in their group any more: its timer tells them
    /// that they agree.
    pub(super) fn wake_if_agreed(&mut self, now: Instant) {
        let agreed = self.members.iter().all(|member| member.master_down == MasterDown::Expired);
        if self.state == State::Backup && agreed {
            self.members.iter_mut().for_each(|member| member.master_down = MasterDown::Running(now));
        }
    }

    /// The interface of a member works that was not known before: the member does what the group does.
    pub(super) fn join(&mut self, now: Instant, index: MemberIndex, actions: &mut Vec<Action>) {
        let (state, Some((config, member))) = (self.state, self.part(index)) else { return };
        if member.source().is_none() {
            return;
        }
        if state == State::Backup && member.master_down == MasterDown::Stopped {
            let down = timing::master_down(&config.protocol, member.priority, member.master_interval);
            member.master_down = MasterDown::Running(now.saturating_add(down));
        } else if state == State::Master && !member.is_advertising() {
            self.begin_mastership(now, index, actions);
        }
    }
}

fn common_state(groups: &[&Group]) -> State {
    let all = |state| groups.iter().all(|group| group.state == state);
    if groups.iter().any(|group| group.state == State::Master) {
        return State::Master;
    }
    let common = [State::Backup, State::Fault].into_iter().find(|state| all(*state));
    common.unwrap_or(State::Initialize)
}

/// Who resigned leaves its claim to others for as long as it was to.
fn held_down(groups: &[&Group]) -> Timers<3> {
    let mut timers = Timers::default();
    if let Some(latest) = groups.iter().filter_map(|group| group.timers.get(GroupTimer::HoldDown)).max() {
        timers.set(GroupTimer::HoldDown, latest);
    }
    timers
}
