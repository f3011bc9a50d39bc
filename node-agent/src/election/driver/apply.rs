//! Stage: a new configuration, results of health checks, and groups that have stopped.

use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use holdfast_vrrp::{Event, Group, MemberIndex, TrackState};

use super::Driver;
use crate::desired::{Desired, DesiredGroup, DesiredRouter, InterfaceChoice, TrackerSource};
use crate::election::changes::{Changes, Present, changes};
use crate::election::running::RunningGroup;
use crate::election::slot::{Seat, Slot};
use crate::network::interfaces::InterfaceIndex;

impl Driver {
    /// Makes these groups run and no others.
    pub(super) fn apply(&mut self, desired: Desired) {
        if self.stopping {
            return;
        }
        // What was asked for before names virtual routers by places that they may leave now.
        self.carry_out();
        let Changes { stop, reconfigure, succeed, replace, start } =
            changes(&self.present(), desired, |choice| self.resolve(choice));
        for slot in stop {
            self.let_go(slot, Event::Drain);
        }
        for (slot, desired) in reconfigure {
            self.reconfigure(slot, &desired);
        }
        self.succeed(succeed, &replace);
        for desired in start {
            self.start_group(desired);
        }
        self.renew_guards();
        self.collect_virtual_addresses();
        self.links.changed = true;
    }

    /// What runs and does not drain.
    fn present(&self) -> Vec<Present> {
        let running = self.engine.iter().filter(|(_, running)| !running.leaving);
        let present = running.map(|(slot, running)| {
            let places = running.indices().zip(&running.desired.routers);
            let interfaces = places.map(|(member, router)| {
                let bound = running.binding(member).map(|binding| binding.interface);
                bound.or_else(|| self.resolve(&router.interface))
            });
            Present { slot, desired: Arc::clone(&running.desired), interfaces: interfaces.collect() }
        });
        present.collect()
    }

    fn resolve(&self, choice: &InterfaceChoice) -> Option<InterfaceIndex> {
        let is_virtual = |address: IpAddr| self.virtual_addresses.contains(&address);
        self.interfaces.choose(choice, is_virtual).map(|interface| interface.link.index)
    }

    fn start_group(&mut self, desired: Arc<DesiredGroup>) {
        let group = Group::new(desired.config.clone(), &self.tracker_states(&desired));
        let slot = self.engine.insert(RunningGroup::new(desired, group));
        self.engine.handle(self.now, slot, Event::Start);
    }

    fn reconfigure(&mut self, slot: Slot, desired: &Arc<DesiredGroup>) {
        let trackers = self.tracker_states(desired);
        let Some(running) = self.engine.get_mut(slot) else { return };
        let before = std::mem::replace(&mut running.desired, Arc::clone(desired));
        self.engine.handle(self.now, slot, Event::Reconfigure { config: &desired.config, trackers: &trackers });
        for (member, (before, after)) in (0..).map(MemberIndex).zip(before.routers.iter().zip(&desired.routers)) {
            self.exchange_addresses(Seat { slot, member }, before, after);
        }
    }

    /// The part of a virtual router's new addresses that is no matter of the protocol.
    pub(super) fn exchange_addresses(&mut self, seat: Seat, before: &DesiredRouter, after: &DesiredRouter) {
        self.move_watches(seat, before, after);
        // The group does not know that a prefix length changed.
        let changed = after.addresses.iter().filter(|new| {
            before.addresses.iter().any(|old| old.address == new.address && old.prefix_length != new.prefix_length)
        });
        self.reshaped.extend(changed.map(|new| (seat, new.address)));
    }

    /// Claims to addresses that are new concern the group from now on, those to former ones do not.
    fn move_watches(&mut self, seat: Seat, before: &DesiredRouter, after: &DesiredRouter) {
        let Some(binding) = self.engine.get(seat.slot).and_then(|running| running.binding(seat.member)) else { return };
        for old in &before.addresses {
            self.demultiplexer.unwatch(binding.interface, old.address, seat);
        }
        for new in &after.addresses {
            self.demultiplexer.watch(binding.interface, new.address, seat);
        }
        self.links.outdated_filters.insert(binding.interface);
    }

    /// What is known of a group's trackers.
    pub(super) fn tracker_states(&self, desired: &DesiredGroup) -> Vec<TrackState> {
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
        // What was virtual may be an interface's own now.
        self.links.changed = true;
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
