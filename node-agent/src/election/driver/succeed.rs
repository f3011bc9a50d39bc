//! Groups that are made of the members of others: what the thread has noted about each member goes along with it.

use std::sync::Arc;

use holdfast_vrrp::{Event, Group, Predecessor};

use super::Driver;
use crate::desired::DesiredRouter;
use crate::election::changes::Successor;
use crate::election::moves::{Move, Moves};
use crate::election::running::RunningGroup;
use crate::election::slot::{Seat, Slot};

impl Driver {
    /// Puts successors in the place of the groups in `replaced`.
    pub(super) fn succeed(&mut self, successors: Vec<Successor>, replaced: &[Slot]) {
        let mut moves = Moves::default();
        // All of them before the first is gone: one group may have several successors.
        let placed: Vec<(Slot, Successor)> =
            successors.into_iter().map(|successor| (self.place(&successor, &mut moves), successor)).collect();
        self.holdings.follow(&moves);
        self.demultiplexer.follow(&moves);
        let former: Vec<Vec<Option<DesiredRouter>>> =
            placed.iter().map(|(_, successor)| self.former_routers(successor)).collect();
        for slot in replaced {
            let members = self.engine.get(*slot).map(RunningGroup::indices);
            members.into_iter().flatten().for_each(|member| self.repeats.forget_router(Seat { slot: *slot, member }));
            self.engine.remove(*slot);
        }
        for ((slot, successor), former) in placed.into_iter().zip(former) {
            self.begin(slot, &successor, &former);
        }
    }

    /// Makes a group of members that still are in others.
    fn place(&mut self, successor: &Successor, moves: &mut Moves) -> Slot {
        let Successor { desired, origins, .. } = successor;
        let trackers = self.tracker_states(desired);
        let predecessor = |seat: &Seat| {
            let group = &self.engine.get(seat.slot)?.group;
            Some(Predecessor { group, member: seat.member })
        };
        let predecessors: Vec<_> = origins.iter().map(|origin| origin.as_ref().and_then(predecessor)).collect();
        let group = Group::succeed(&desired.config, &trackers, &predecessors);
        let epoch = group.epoch();
        let mut running = RunningGroup::new(Arc::clone(desired), group);
        let former = origins.iter().flatten().next().and_then(|seat| self.engine.get(seat.slot));
        if let Some(former) = former {
            running.inherit(former);
        }
        for (member, origin) in running.members.iter_mut().zip(origins) {
            let earlier = origin.and_then(|seat| self.engine.get(seat.slot)?.members.get(usize::from(seat.member.0)));
            if let Some(earlier) = earlier {
                member.clone_from(earlier);
            }
        }
        let members = running.indices();
        let slot = self.engine.insert(running);
        for (member, origin) in members.zip(origins) {
            if let Some((from, former)) = origin.and_then(|from| Some((from, self.engine.get(from.slot)?))) {
                let to = Seat { slot, member };
                moves.add(from, Move { to, epochs: (former.group.epoch(), epoch) });
            }
        }
        slot
    }

    fn former_routers(&self, successor: &Successor) -> Vec<Option<DesiredRouter>> {
        let router = |seat: &Seat| self.engine.get(seat.slot)?.router(seat.member).cloned();
        successor.origins.iter().map(|origin| origin.as_ref().and_then(router)).collect()
    }

    /// The group carries out what is different about it.
    fn begin(&mut self, slot: Slot, successor: &Successor, former: &[Option<DesiredRouter>]) {
        let Some(running) = self.engine.get(slot) else { return };
        let (members, desired) = (running.indices(), Arc::clone(&running.desired));
        let trackers = self.tracker_states(&desired);
        self.engine.handle(self.now, slot, Event::Reconfigure { config: &desired.config, trackers: &trackers });
        for ((member, before), after) in members.zip(former).zip(&desired.routers) {
            if let Some(before) = before {
                self.exchange_addresses(Seat { slot, member }, before, after);
            }
        }
        if successor.leaves {
            self.let_go(slot, Event::Drain);
        }
    }
}
