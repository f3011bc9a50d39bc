//! The groups, and handing events to them: what they ask for is kept until it is carried out.

use std::ops::Range;

use holdfast_vrrp::{Action, Event, Instant};

use super::deadlines::Deadlines;
use super::running::RunningGroup;
use super::slot::Slot;

/// All groups, with what they ask for.
#[derive(Default)]
pub(super) struct Engine {
    groups: Vec<Option<RunningGroup>>,
    deadlines: Deadlines,
    requests: Requests,
    spare: Requests,
}

/// Actions in the order in which groups asked for them.
#[derive(Default)]
pub(super) struct Requests {
    actions: Vec<Action>,
    ranges: Vec<(Slot, Range<usize>)>,
}

impl Engine {
    pub(super) fn insert(&mut self, group: RunningGroup) -> Slot {
        let place = self.groups.iter().position(Option::is_none).unwrap_or_else(|| {
            self.groups.push(None);
            self.groups.len() - 1
        });
        if let Some(slot) = self.groups.get_mut(place) {
            *slot = Some(group);
        }
        Slot::new(place)
    }

    pub(super) fn remove(&mut self, slot: Slot) -> Option<RunningGroup> {
        self.deadlines.set(slot, None);
        self.groups.get_mut(slot.index()).and_then(Option::take)
    }

    pub(super) fn get(&self, slot: Slot) -> Option<&RunningGroup> {
        self.groups.get(slot.index()).and_then(Option::as_ref)
    }

    pub(super) fn get_mut(&mut self, slot: Slot) -> Option<&mut RunningGroup> {
        self.groups.get_mut(slot.index()).and_then(Option::as_mut)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &RunningGroup)> {
        let places = self.groups.iter().enumerate();
        places.filter_map(|(place, group)| group.as_ref().map(|group| (Slot::new(place), group)))
    }

    /// The places of all groups; they stay valid while groups are changed, not while they are removed.
    pub(super) fn slots(&self) -> Vec<Slot> {
        self.iter().map(|(slot, _)| slot).collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.groups.iter().all(Option::is_none)
    }

    /// Tells a group what happened. The only place where groups are called.
    pub(super) fn handle(&mut self, now: Instant, slot: Slot, event: Event<'_>) {
        let Some(running) = self.groups.get_mut(slot.index()).and_then(Option::as_mut) else { return };
        let first = self.requests.actions.len();
        running.note_master();
        running.group.handle(now, event, &mut self.requests.actions);
        let last = self.requests.actions.len();
        if last > first {
            self.requests.ranges.push((slot, first..last));
        }
        self.deadlines.set(slot, running.group.next_deadline());
    }

    /// Tells every group whose deadline has come.
    pub(super) fn fire_timers(&mut self, now: Instant) {
        // A group is due once, even if it wants to be woken again at once: else it could keep the others waiting.
        let mut again = Vec::new();
        while let Some(slot) = self.deadlines.take_due(now) {
            self.handle(now, slot, Event::Timer);
            if self.get(slot).and_then(|running| running.group.next_deadline()).is_some_and(|next| next <= now) {
                self.deadlines.set(slot, None);
                again.push(slot);
            }
        }
        for slot in again {
            let next = self.get(slot).and_then(|running| running.group.next_deadline());
            self.deadlines.set(slot, next);
        }
    }

    pub(super) fn next_deadline(&mut self) -> Option<Instant> {
        self.deadlines.next()
    }

    /// Whether something waits to be carried out.
    pub(super) fn has_requests(&self) -> bool {
        !self.requests.is_empty()
    }

    /// Takes what has been asked for. To be given back, so that its memory is used again.
    pub(super) fn take_requests(&mut self) -> Requests {
        std::mem::replace(&mut self.requests, std::mem::take(&mut self.spare))
    }

    pub(super) fn give_back(&mut self, mut requests: Requests) {
        requests.actions.clear();
        requests.ranges.clear();
        self.spare = requests;
    }
}

impl Requests {
    pub(super) fn is_empty(&self) -> bool {
        self.actions.is_empty()
    }

    /// Every action and the group that asked for it.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Slot, &Action)> {
        self.ranges.iter().flat_map(|(slot, range)| {
            let actions = self.actions.get(range.clone()).unwrap_or_default();
            actions.iter().map(|action| (*slot, action))
        })
    }
}
