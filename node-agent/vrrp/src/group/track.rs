//! Priorities: what trackers make of them, and what their change does.

use super::{Group, Lifecycle};
use crate::action::{Action, Notice, State};
use crate::config::{GroupConfig, MemberConfig};
use crate::event::MemberIndex;
use crate::member::Member;
use crate::time::Instant;
use crate::timing;
use crate::tracking::{TrackState, effective_priority};
use crate::types::Priority;

impl Group {
    /// The effective priority of a member, tracking included.
    pub fn priority(&self, index: MemberIndex) -> Option<Priority> {
        self.members.get(usize::from(index.0)).map(|member| member.priority)
    }

    pub(super) fn track(&mut self, now: Instant, tracker: usize, state: TrackState, actions: &mut Vec<Action>) {
        let Some(known) = self.tracked.get_mut(tracker) else { return };
        *known = state;
        self.update_priorities(now, actions);
        self.settle(now, actions);
    }

    /// What all trackers together add to every member's priority.
    fn contributions(&self) -> i32 {
        let pairs = self.config.trackers.iter().zip(&self.tracked);
        pairs.map(|(tracker, state)| tracker.contribution(*state)).fold(0, i32::saturating_add)
    }

    /// Works the effective priorities out anew, without consequences.
    pub(super) fn weigh_priorities(&mut self) {
        let contributions = self.contributions();
        for (_, config, member) in self.parts() {
            member.priority = effective_priority(config.priority, contributions);
        }
    }

    /// Works the effective priorities out anew and carries out what their change asks for.
    ///
    /// A backup's timers move with its skew. A master that fell below a rival resigns, since its peers would find out
    /// only when their timers end; otherwise it says its new priority at once.
    pub(super) fn update_priorities(&mut self, now: Instant, actions: &mut Vec<Action>) {
        let contributions = self.contributions();
        let (backup, mut changed, mut claim_lost) = (self.state == State::Backup, false, false);
        for (_, config, member) in self.parts() {
            let (before, after) = (member.priority, effective_priority(config.priority, contributions));
            if before == after {
                continue;
            }
            member.priority = after;
            changed = true;
            let rival = rival(config, member, before);
            claim_lost |= before >= rival && after < rival;
            if backup {
                shift_master_down(config, member, before, after);
            }
        }
        if !changed || self.lifecycle != Lifecycle::Running {
            return;
        }
        actions.push(Action::Notify(Notice::PriorityChanged));
        // Who is about to fail says so when it does.
        if self.state == State::Master && self.fault().is_none() {
            if claim_lost {
                self.resign(now, actions);
            } else {
                self.advertise_new_priority(now, actions);
            }
        }
    }

    fn advertise_new_priority(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for index in self.indices() {
            if self.part(index).is_some_and(|(_, member)| member.is_advertising()) {
                self.advertise(now, index, actions);
            }
        }
    }
}

/// The priority that a master has to keep up with: the best of the others, where that is configured. Otherwise the best
/// that was heard, unless it was better than we were: then it has gone or does not want to be master. Otherwise what we
/// were configured to have: others that are as good as we were may be waiting in silence.
fn rival(config: &MemberConfig, member: &Member, before: Priority) -> Priority {
    let heard = member.best_heard.filter(|heard| *heard <= before);
    config.rival.or(heard).unwrap_or(config.priority)
}

/// Moves the running master down timer with the skew of a changed priority.
fn shift_master_down(config: &MemberConfig, member: &mut Member, before: Priority, after: Priority) {
    let skew = |priority| timing::skew(&config.protocol, priority, member.master_interval);
    let (before, after) = (skew(before), skew(after));
    member.master_down.shift(|deadline| deadline.saturating_sub(before).saturating_add(after));
}

/// One state per tracker of the configuration: the known ones, then unknown.
pub(super) fn states_for(config: &GroupConfig, known: &[TrackState]) -> Vec<TrackState> {
    let rest = std::iter::repeat(TrackState::Unknown);
    known.iter().copied().chain(rest).take(config.trackers.len()).collect()
}
