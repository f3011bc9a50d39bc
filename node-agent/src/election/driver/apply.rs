//! Stage: a new configuration, results of health checks, and groups that have stopped.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use holdfast_vrrp::{Event, Group, TrackState};

use super::Driver;
use crate::desired::{Desired, DesiredGroup, TrackerSource};
use crate::election::changes::{Change, changes};
use crate::election::running::RunningGroup;
use crate::election::slot::{Seat, Slot};

impl Driver {
    /// Makes these groups run and no others.
    pub(super) fn apply(&mut self, desired: Desired) {
        if self.stopping {
            return;
        }
        let running = self.engine.iter().filter(|(_, running)| !running.leaving);
        let changes = changes(running.map(|(slot, running)| (slot, &running.desired, &running.group)), desired);
        for change in changes {
            match change {
                Change::Stop(slot) => self.let_go(slot, Event::Drain),
                Change::Reconfigure(slot, desired) => self.reconfigure(slot, desired),
                Change::Start(desired) => self.start_group(desired),
            }
        }
        self.collect_virtual_addresses();
        self.links.changed = true;
    }

    fn start_group(&mut self, desired: DesiredGroup) {
        let group = Group::new(desired.config.clone(), &self.tracker_states(&desired));
        let slot = self.engine.insert(RunningGroup::new(desired, group));
        self.engine.handle(self.now, slot, Event::Start);
    }

    fn reconfigure(&mut self, slot: Slot, desired: DesiredGroup) {
        let trackers = self.tracker_states(&desired);
        let desired = Arc::new(desired);
        let Some(running) = self.engine.get_mut(slot) else { return };
        let before = std::mem::replace(&mut running.desired, Arc::clone(&desired));
        self.engine.handle(self.now, slot, Event::Reconfigure { config: &desired.config, trackers: &trackers });
        self.move_watches(slot, &before, &desired);
        self.note_reshaped(slot, &before, &desired);
    }

    /// Claims to addresses that are new concern the group from now on, those to former ones do not.
    fn move_watches(&mut self, slot: Slot, before: &DesiredGroup, after: &DesiredGroup) {
        let Some(running) = self.engine.get(slot) else { return };
        for ((member, before), after) in running.indices().zip(&before.routers).zip(&after.routers) {
            let Some(binding) = running.binding(member) else { continue };
            let seat = Seat { slot, member };
            for old in &before.addresses {
                self.demultiplexer.unwatch(binding.interface, old.address, seat);
            }
            for new in &after.addresses {
                self.demultiplexer.watch(binding.interface, new.address, seat);
            }
            self.links.outdated_filters.insert(binding.interface);
        }
    }

    /// The prefix length is no matter of the protocol: the group does not know that it changed.
    fn note_reshaped(&mut self, slot: Slot, before: &DesiredGroup, after: &DesiredGroup) {
        let Some(running) = self.engine.get(slot) else { return };
        for ((member, before), after) in running.indices().zip(&before.routers).zip(&after.routers) {
            let changed = after.addresses.iter().filter(|new| {
                before.addresses.iter().any(|old| old.address == new.address && old.prefix_length != new.prefix_length)
            });
            self.reshaped.extend(changed.map(|new| (Seat { slot, member }, new.address)));
        }
    }

    /// What is known of a group's trackers.
    fn tracker_states(&self, desired: &DesiredGroup) -> Vec<TrackState> {
        let state = |source: &TrackerSource| match source {
            TrackerSource::HealthCheck(name) => self.health.get(name).copied().unwrap_or_default(),
            TrackerSource::Interface(name) => self.interface_state(name),
        };
        desired.trackers.iter().map(state).collect()
    }

    /// A health check has a result. It is remembered for groups that come later.
    pub(super) fn track_health(&mut self, name: String, state: TrackState) {
        for slot in self.engine.slots() {
            let Some(running) = self.engine.get(slot) else { continue };
            let desired = Arc::clone(&running.desired);
            for (tracker, source) in desired.trackers.iter().enumerate() {
                if matches!(source, TrackerSource::HealthCheck(check) if *check == name) {
                    self.engine.handle(self.now, slot, Event::Track { tracker, state });
                }
            }
        }
        self.health.insert(name, state);
    }

    /// Forgets groups that have stopped and hold nothing any more; others may be waiting for their places.
    pub(super) fn retire_finished(&mut self) {
        if self.leaving == 0 {
            return;
        }
        let finished: Vec<Slot> = self
            .engine
            .iter()
            .filter(|(_, running)| running.leaving && running.group.is_finished())
            .map(|(slot, _)| slot)
            .collect();
        if finished.is_empty() {
            return;
        }
        for slot in finished {
            let members = self.engine.get(slot).map(RunningGroup::indices);
            for member in members.into_iter().flatten() {
                self.unbind(Seat { slot, member });
            }
            self.engine.remove(slot);
            self.leaving = self.leaving.saturating_sub(1);
            // Nothing should be left; but whoever gets the place next must not inherit it.
            self.holdings.remove_all_of(slot, &mut self.requested);
        }
        self.dispatch_requested();
        self.collect_virtual_addresses();
        self.close_unused_sockets();
        self.carry_out();
    }

    fn collect_virtual_addresses(&mut self) {
        let groups = self.engine.iter().flat_map(|(_, running)| &running.desired.routers);
        let addresses: HashSet<IpAddr> =
            groups.flat_map(|router| &router.addresses).map(|configured| configured.address).collect();
        self.virtual_addresses = addresses;
    }
}
