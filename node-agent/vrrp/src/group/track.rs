//! Priorities: what trackers make of them, and what their change does.

use super::{Group, Lifecycle};
use crate::action::{Action, Notice, State};
use crate::config::GroupConfig;
use crate::event::MemberIndex;
use crate::time::Instant;
use crate::tracking::{TrackState, effective_priority};
use crate::types::Priority;

impl Group {
    /// The effective priority of a member, tracking included.
    pub fn priority(&self, index: MemberIndex) -> Option<Priority> {
        let config = self.config.members().get(usize::from(index.0))?;
        Some(effective_priority(config.priority, self.contributions()))
    }

    /// What all trackers together add to every member's priority.
    fn contributions(&self) -> i32 {
        let pairs = self.config.trackers.iter().zip(&self.tracked);
        pairs.map(|(tracker, state)| tracker.contribution(*state)).fold(0, i32::saturating_add)
    }

    pub(super) fn track(&mut self, now: Instant, tracker: usize, state: TrackState, actions: &mut Vec<Action>) {
        let before = self.contributions();
        let Some(known) = self.tracked.get_mut(tracker) else { return };
        *known = state;
        self.priorities_changed(
            now,
            |group, index| {
                let config = group.config.members().get(usize::from(index.0))?;
                Some(effective_priority(config.priority, before))
            },
            actions,
        );
        self.settle(now, actions);
    }

    /// Carries out a change of effective priorities, `before` being what they were.
    ///
    /// A backup's timers move with its skew. A master that fell below a rival resigns, since its peers would find out
    /// only when their timers end; otherwise it says its new priority at once.
    pub(super) fn priorities_changed(
        &mut self,
        now: Instant,
        before: impl Fn(&Self, MemberIndex) -> Option<Priority>,
        actions: &mut Vec<Action>,
    ) {
        let mut changed = false;
        let mut claim_lost = false;
        for index in self.indices() {
            let (Some(before), Some(after)) = (before(self, index), self.priority(index)) else { continue };
            if before == after {
                continue;
            }
            changed = true;
            let rival = self.config.members().get(usize::from(index.0)).and_then(|config| config.rival);
            claim_lost |= rival.is_some_and(|rival| before >= rival && after < rival);
            if self.state == State::Backup {
                self.shift_master_down(index, before, after);
            }
        }
        if !changed || self.lifecycle != Lifecycle::Running {
            return;
        }
        actions.push(Action::Notify(Notice::PriorityChanged));
        if self.state == State::Master {
            if claim_lost {
                self.resign(now, actions);
            } else {
                self.advertise_new_priority(now, actions);
            }
        }
    }

    fn advertise_new_priority(&mut self, now: Instant, actions: &mut Vec<Action>) {
        for index in self.indices() {
            self.advertise(now, index, actions);
        }
    }
}

/// One state per tracker of the configuration: the known ones, then unknown.
pub(super) fn states_for(config: &GroupConfig, known: &[TrackState]) -> Vec<TrackState> {
    let rest = std::iter::repeat(TrackState::Unknown);
    known.iter().copied().chain(rest).take(config.trackers.len()).collect()
}
