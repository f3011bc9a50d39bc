//! Which virtual addresses are on the node's interfaces, as far as this agent put them there.
//!
//! Turns what groups ask for into requests to the kernel, and the kernel's outcomes into what groups must know. Pure:
//! the requests are carried out elsewhere.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;

use holdfast_vrrp::Epoch;
use nix::errno::Errno;

use super::moves::Moves;
use super::slot::{Seat, Slot};
use crate::network::interfaces::{InterfaceIndex, Placement};
use crate::network::netlink::{AddressRequest, Outcome};

/// The addresses that this agent holds, or has asked the kernel for.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    held: HashMap<(InterfaceIndex, IpAddr), Held>,
    /// Addresses that a group should hold, but that somebody else had put there before.
    foreign: HashMap<(InterfaceIndex, IpAddr), Seat>,
    /// Requests on their way, in their order.
    under_way: VecDeque<(AddressRequest, Asker)>,
    /// Own removals that the kernel has yet to report.
    unreported_removals: HashMap<Placement, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    placement: Placement,
    owner: Seat,
    standing: Standing,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// On its way to the interface, and to be announced as soon as it is there or not.
    Requested { announce: bool },
    /// On the interface.
    Confirmed,
}

/// Requests that belong together, and who asked for them.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressBatch {
    requests: Vec<(AddressRequest, Asker)>,
    /// Where in the list each removal is.
    removals: HashMap<Placement, usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A group that wants to hold the address in this epoch.
    Wants(Seat, Epoch),
    /// Nobody waits for the outcome.
    Nobody,
}

/// What the outcome of a request means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The address is on the interface.
    Confirmed {
        /// The address and where it is.
        placement: Placement,
        /// Who waits to announce it.
        announce: Option<Seat>,
    },
    /// The address is off the interface.
    Removed(Placement),
    /// The kernel could not remove the address; it will expire.
    NotRemoved(Placement),
    /// The address is not ours, and a group has to know.
    Problem(Placement, AddressProblem),
    /// The group has changed its mind meanwhile.
    Superseded,
}

/// What a group has to know about an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AddressProblem {
    /// The kernel refused to add the address.
    Failed {
        /// Who wanted it.
        seat: Seat,
        /// The address.
        address: IpAddr,
        /// In which state of the group.
        epoch: Epoch,
        /// Why.
        error: Errno,
    },
    /// The address is there already, and is not ours. It stays as it is.
    Foreign {
        /// Who wanted it.
        seat: Seat,
        /// The address.
        address: IpAddr,
    },
}

/// What the disappearance of an address means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Disappearance {
    /// We removed it, or never had anything to do with it.
    Expected,
    /// It was held for this virtual router, or stood in the way of it, and nobody here asked for its removal.
    Lost(Seat),
}

impl Holdings {
    /// A group wants an address. `present` says that the address is on the interface and is not ours.
    ///
    /// An address that another group holds, or is just giving up, changes hands without leaving the interface.
    pub(super) fn add(
        &mut self,
        seat: Seat,
        placement: Placement,
        epoch: Epoch,
        present: bool,
        batch: &mut AddressBatch,
    ) -> Result<(), AddressProblem> {
        let key = (placement.interface, placement.address);
        let asker = Asker::Wants(seat, epoch);
        let requested = Held { placement, owner: seat, standing: Standing::Requested { announce: false } };
        if batch.turn_removal_into_restoration(&placement, asker) {
            self.held.insert(key, requested);
            return Ok(());
        }
        match self.held.get_mut(&key) {
            Some(held) if held.placement == placement => {
                held.owner = seat;
                batch.push(AddressRequest::Restore(placement), asker);
                return Ok(());
            }
            None if present => {
                self.foreign.insert(key, seat);
                return Err(AddressProblem::Foreign { seat, address: placement.address });
            }
            _ => {}
        }
        self.foreign.remove(&key);
        self.held.insert(key, requested);
        batch.push(AddressRequest::Add(placement), asker);
        Ok(())
    }

    /// A group gives an address up. Only what it holds itself is removed.
    pub(super) fn remove(&mut self, seat: Seat, interface: InterfaceIndex, address: IpAddr, batch: &mut AddressBatch) {
        let key = (interface, address);
        if self.foreign.get(&key) == Some(&seat) {
            self.foreign.remove(&key);
        }
        if let Some(held) = self.held.get(&key).filter(|held| held.owner == seat).copied() {
            self.held.remove(&key);
            batch.push(AddressRequest::Remove(held.placement), Asker::Nobody);
        }
    }

    /// Virtual routers have moved to other groups: what is held for them, and what they wait for, goes along.
    pub(super) fn follow(&mut self, moves: &Moves) {
        self.held.values_mut().for_each(|held| moves.update(&mut held.owner));
        self.foreign.values_mut().for_each(|seat| moves.update(seat));
        for (_, asker) in &mut self.under_way {
            if let Asker::Wants(seat, epoch) = asker {
                moves.update_with_epoch(seat, epoch);
            }
        }
    }

    /// Everything of a group that is gone is to be removed.
    pub(super) fn remove_all_of(&mut self, slot: Slot, batch: &mut AddressBatch) {
        let of_slot = self.held.values().filter(|held| held.owner.slot == slot);
        let all: Vec<(Seat, Placement)> = of_slot.map(|held| (held.owner, held.placement)).collect();
        for (seat, placement) in all {
            self.remove(seat, placement.interface, placement.address, batch);
        }
        self.foreign.retain(|_, seat| seat.slot != slot);
    }

    /// The requests of a batch are on their way from now on; empties the batch.
    pub(super) fn dispatch(&mut self, batch: &mut AddressBatch) -> Vec<AddressRequest> {
        batch.removals.clear();
        let requests = batch.requests.iter().map(|(request, _)| *request).collect();
        for (request, asker) in batch.requests.drain(..) {
            if let AddressRequest::Remove(placement) = request {
                *self.unreported_removals.entry(placement).or_default() += 1;
            }
            self.under_way.push_back((request, asker));
        }
        requests
    }

    /// Takes in the outcome of the request that has been on its way longest.
    pub(super) fn settle(&mut self, outcome: Outcome) -> Settled {
        let Some((request, asker)) = self.under_way.pop_front() else { return Settled::Superseded };
        let placement = request.placement();
        match (request, asker, outcome) {
            (AddressRequest::Remove(_), _, Ok(())) => Settled::Removed(placement),
            (AddressRequest::Remove(_), _, Err(error)) => {
                // What was not there, or is still there, is not reported gone.
                self.note_reported(&placement);
                let gone = matches!(error, Errno::EADDRNOTAVAIL | Errno::ENODEV);
                if gone { Settled::Removed(placement) } else { Settled::NotRemoved(placement) }
            }
            (_, _, Ok(())) => self.confirm(placement),
            (_, Asker::Wants(seat, epoch), Err(error)) => self.refused(seat, epoch, placement, error),
            (_, Asker::Nobody, Err(_)) => Settled::Superseded,
        }
    }

    fn confirm(&mut self, placement: Placement) -> Settled {
        match self.held.get_mut(&(placement.interface, placement.address)) {
            Some(held) if held.placement == placement => {
                let standing = std::mem::replace(&mut held.standing, Standing::Confirmed);
                let announce = (standing == Standing::Requested { announce: true }).then_some(held.owner);
                Settled::Confirmed { placement, announce }
            }
            // It has been given up since; its removal follows.
            _ => Settled::Superseded,
        }
    }

    fn note_reported(&mut self, placement: &Placement) -> bool {
        let Some(count) = self.unreported_removals.get_mut(placement) else { return false };
        *count -= 1;
        if *count == 0 {
            self.unreported_removals.remove(placement);
        }
        true
    }

    fn refused(&mut self, seat: Seat, epoch: Epoch, placement: Placement, error: Errno) -> Settled {
        let (key, address) = ((placement.interface, placement.address), placement.address);
        if self.held.get(&key).is_none_or(|held| held.placement != placement || held.owner != seat) {
            return Settled::Superseded;
        }
        self.held.remove(&key);
        let problem = if error == Errno::EEXIST {
            self.foreign.insert(key, seat);
            AddressProblem::Foreign { seat, address }
        } else {
            AddressProblem::Failed { seat, address, epoch, error }
        };
        Settled::Problem(placement, problem)
    }

    /// The kernel reports that an address is gone; `by_us` if one of our requests did it.
    ///
    /// Also a request of ours can take away more than it names: with a primary address the kernel removes its secondary
    /// ones.
    pub(super) fn disappeared(&mut self, placement: &Placement, by_us: bool) -> Disappearance {
        if by_us && self.note_reported(placement) {
            return Disappearance::Expected;
        }
        let key = (placement.interface, placement.address);
        let held = self.held.get(&key).filter(|held| held.placement == *placement).map(|held| held.owner);
        match held.or_else(|| self.foreign.remove(&key)) {
            Some(seat) => Disappearance::Lost(seat),
            None => Disappearance::Expected,
        }
    }

    /// Forgets what an interface had that is gone itself. Returns what was held there.
    pub(super) fn forget_interface(&mut self, interface: InterfaceIndex) -> Vec<Placement> {
        let gone = |key: &(InterfaceIndex, IpAddr)| key.0 == interface;
        self.foreign.retain(|key, _| !gone(key));
        self.unreported_removals.retain(|placement, _| placement.interface != interface);
        self.held.extract_if(|key, _| gone(key)).map(|(_, held)| held.placement).collect()
    }

    /// Reports are about to be lost or read anew: none is waited for.
    pub(super) fn forget_reports(&mut self) {
        self.unreported_removals.clear();
    }

    /// Whether an address is on the interface for this virtual router.
    pub(super) fn holds(&self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        let held = self.held.get(&(interface, address)).filter(|held| held.owner == seat);
        held.is_some_and(|held| held.standing == Standing::Confirmed)
    }

    /// Whether an address is on the interface or on its way there.
    pub(super) fn wants(&self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        self.held.get(&(interface, address)).is_some_and(|held| held.owner == seat)
    }

    /// A virtual router wants to announce an address; returns whether it may. If the address is on its way, the wish is
    /// remembered until it is there.
    pub(super) fn may_announce(&mut self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        if self.is_foreign(seat, interface, address) {
            return true;
        }
        match self.held.get_mut(&(interface, address)).filter(|held| held.owner == seat) {
            Some(Held { standing: Standing::Confirmed, .. }) => true,
            Some(held) => {
                held.standing = Standing::Requested { announce: true };
                false
            }
            None => false,
        }
    }

    /// Whether an address should be held for this virtual router, but is another's.
    pub(super) fn is_foreign(&self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        self.foreign.get(&(interface, address)) == Some(&seat)
    }

    /// For whom an address is held.
    pub(super) fn owner(&self, placement: &Placement) -> Option<Seat> {
        let held = self.held.get(&(placement.interface, placement.address));
        held.filter(|held| held.placement == *placement).map(|held| held.owner)
    }

    /// Everything that is held, and for whom.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Placement, Seat)> + '_ {
        self.held.values().map(|held| (held.placement, held.owner))
    }

    /// Whether nothing is held, and nothing is on its way.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty() && self.under_way.is_empty()
    }
}

impl AddressBatch {
    fn push(&mut self, request: AddressRequest, asker: Asker) {
        if let AddressRequest::Remove(placement) = request {
            self.removals.insert(placement, self.requests.len());
        }
        self.requests.push((request, asker));
    }

    /// Keeps an address that was about to be removed; returns whether there was such a one.
    fn turn_removal_into_restoration(&mut self, placement: &Placement, asker: Asker) -> bool {
        let Some(place) = self.removals.remove(placement) else { return false };
        if let Some(entry) = self.requests.get_mut(place) {
            *entry = (AddressRequest::Restore(*placement), asker);
        }
        true
    }

    /// Addresses of an earlier run, which no group holds, are to be removed.
    pub(super) fn remove_leftovers(&mut self, leftovers: &[Placement]) {
        for placement in leftovers {
            self.push(AddressRequest::Remove(*placement), Asker::Nobody);
        }
    }

    /// Whether there is nothing to do.
    pub(super) fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::MemberIndex;

    use super::*;

    const ETH0: InterfaceIndex = InterfaceIndex::new(2);
    const EPOCH: Epoch = Epoch(7);
    const NOTHING: [AddressRequest; 0] = [];

    fn seat(slot: usize) -> Seat {
        Seat { slot: Slot::new(slot), member: MemberIndex(0) }
    }

    fn vip() -> Placement {
        Placement { interface: ETH0, address: [10, 0, 0, 100].into(), prefix_length: 32 }
    }

    fn confirmed() -> Settled {
        Settled::Confirmed { placement: vip(), announce: None }
    }

    fn add(holdings: &mut Holdings, seat: Seat, present: bool) -> Result<Vec<AddressRequest>, AddressProblem> {
        let mut batch = AddressBatch::default();
        holdings.add(seat, vip(), EPOCH, present, &mut batch)?;
        Ok(holdings.dispatch(&mut batch))
    }

    fn remove(holdings: &mut Holdings, seat: Seat) -> Vec<AddressRequest> {
        let mut batch = AddressBatch::default();
        holdings.remove(seat, ETH0, vip().address, &mut batch);
        holdings.dispatch(&mut batch)
    }

    /// A group holds the address.
    fn holding(seat: Seat) -> Holdings {
        let mut holdings = Holdings::default();
        assert_eq!(add(&mut holdings, seat, false), Ok(vec![AddressRequest::Add(vip())]));
        assert_eq!(holdings.settle(Ok(())), confirmed());
        holdings
    }

    #[test]
    fn what_a_group_adds_it_can_remove() {
        let mut holdings = holding(seat(1));
        assert!(holdings.holds(seat(1), ETH0, vip().address));
        assert_eq!(remove(&mut holdings, seat(1)), [AddressRequest::Remove(vip())]);
        assert!(!holdings.is_empty(), "the removal is on its way");
        assert_eq!(holdings.settle(Ok(())), Settled::Removed(vip()));
        assert!(holdings.is_empty());
    }

    #[test]
    fn an_address_is_announced_only_once_it_is_there() {
        let mut holdings = Holdings::default();
        add(&mut holdings, seat(1), false).expect("no conflict");
        assert!(!holdings.holds(seat(1), ETH0, vip().address), "not yet");
        assert!(!holdings.may_announce(seat(1), ETH0, vip().address), "not yet");
        assert_eq!(holdings.settle(Ok(())), Settled::Confirmed { placement: vip(), announce: Some(seat(1)) });
        assert!(holdings.may_announce(seat(1), ETH0, vip().address));
        assert!(!holdings.may_announce(seat(2), ETH0, vip().address), "another's");
    }

    #[test]
    fn a_group_may_change_its_mind_before_the_kernel_has_answered() {
        let mut holdings = Holdings::default();
        add(&mut holdings, seat(1), false).expect("no conflict");
        assert_eq!(remove(&mut holdings, seat(1)), [AddressRequest::Remove(vip())]);
        assert_eq!(holdings.settle(Ok(())), Settled::Superseded, "it was added");
        assert_eq!(holdings.settle(Ok(())), Settled::Removed(vip()), "and removed");
        add(&mut holdings, seat(1), false).expect("no conflict");
        remove(&mut holdings, seat(1));
        assert_eq!(holdings.settle(Err(Errno::EEXIST)), Settled::Superseded, "nobody cares any more");
    }

    #[test]
    fn an_address_that_is_not_ours_is_neither_added_nor_removed() {
        let mut holdings = Holdings::default();
        let conflict = AddressProblem::Foreign { seat: seat(1), address: vip().address };
        assert_eq!(add(&mut holdings, seat(1), true), Err(conflict));
        assert_eq!(remove(&mut holdings, seat(1)), NOTHING);
    }

    #[test]
    fn the_kernel_may_know_of_a_foreign_address_before_we_do() {
        let mut holdings = Holdings::default();
        add(&mut holdings, seat(1), false).expect("none known");
        let conflict = AddressProblem::Foreign { seat: seat(1), address: vip().address };
        assert_eq!(holdings.settle(Err(Errno::EEXIST)), Settled::Problem(vip(), conflict));
        assert_eq!(remove(&mut holdings, seat(1)), NOTHING, "it is not ours to remove");
    }

    #[test]
    fn a_refused_address_is_a_failure_of_the_state_that_wanted_it() {
        let mut holdings = Holdings::default();
        add(&mut holdings, seat(1), false).expect("no conflict");
        let (seat, address, epoch, error) = (seat(1), vip().address, EPOCH, Errno::ENOMEM);
        let failure = AddressProblem::Failed { seat, address, epoch, error };
        assert_eq!(holdings.settle(Err(Errno::ENOMEM)), Settled::Problem(vip(), failure));
        assert!(holdings.is_empty());
    }

    #[test]
    fn an_address_that_moves_between_groups_stays_on_the_interface() {
        let mut holdings = holding(seat(1));
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        holdings.add(seat(2), vip(), EPOCH, false, &mut batch).expect("no conflict");
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        assert_eq!(holdings.dispatch(&mut batch), [AddressRequest::Restore(vip())], "the former owner has no say");
        assert_eq!(holdings.settle(Ok(())), confirmed());
        assert!(holdings.holds(seat(2), ETH0, vip().address));
    }

    #[test]
    fn an_address_that_another_group_still_holds_is_taken_over() {
        let mut holdings = holding(seat(1));
        assert_eq!(add(&mut holdings, seat(2), true), Ok(vec![AddressRequest::Restore(vip())]), "ours already");
        assert!(holdings.holds(seat(2), ETH0, vip().address));
    }

    #[test]
    fn another_prefix_length_is_another_placement() {
        let mut holdings = holding(seat(1));
        let wider = Placement { prefix_length: 24, ..vip() };
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        holdings.add(seat(1), wider, EPOCH, false, &mut batch).expect("no conflict");
        assert_eq!(holdings.dispatch(&mut batch), [AddressRequest::Remove(vip()), AddressRequest::Add(wider)]);
    }

    #[test]
    fn a_group_that_is_gone_holds_nothing() {
        let mut holdings = holding(seat(1));
        let mut batch = AddressBatch::default();
        holdings.remove_all_of(Slot::new(2), &mut batch);
        assert!(batch.is_empty());
        holdings.remove_all_of(Slot::new(1), &mut batch);
        assert_eq!(holdings.dispatch(&mut batch), [AddressRequest::Remove(vip())]);
    }

    #[test]
    fn a_removal_of_ours_is_no_loss_whenever_it_is_reported() {
        let mut holdings = holding(seat(1));
        remove(&mut holdings, seat(1));
        add(&mut holdings, seat(1), false).expect("no conflict");
        // The kernel's report may be read before the outcomes.
        assert_eq!(holdings.disappeared(&vip(), true), Disappearance::Expected, "the removal before");
        assert_eq!(holdings.settle(Ok(())), Settled::Removed(vip()));
        assert_eq!(holdings.settle(Ok(())), confirmed());
        assert_eq!(holdings.disappeared(&vip(), true), Disappearance::Lost(seat(1)), "taken along with another one");
    }

    #[test]
    fn a_removal_that_failed_is_not_waited_for() {
        let mut holdings = holding(seat(1));
        remove(&mut holdings, seat(1));
        assert_eq!(holdings.settle(Err(Errno::EADDRNOTAVAIL)), Settled::Removed(vip()), "it was gone already");
        assert!(holdings.unreported_removals.is_empty());
        let mut holdings = holding(seat(1));
        remove(&mut holdings, seat(1));
        assert_eq!(holdings.settle(Err(Errno::EPERM)), Settled::NotRemoved(vip()));
    }

    #[test]
    fn a_removal_by_others_is_a_loss() {
        let mut holdings = holding(seat(1));
        assert_eq!(holdings.disappeared(&vip(), false), Disappearance::Lost(seat(1)));
        let wider = Placement { prefix_length: 24, ..vip() };
        assert_eq!(holdings.disappeared(&wider, false), Disappearance::Expected, "that one is not ours");
    }

    #[test]
    fn when_a_foreign_address_goes_its_place_is_free() {
        let mut holdings = Holdings::default();
        let _ = add(&mut holdings, seat(1), true);
        assert_eq!(holdings.disappeared(&vip(), false), Disappearance::Lost(seat(1)));
        assert_eq!(add(&mut holdings, seat(1), false), Ok(vec![AddressRequest::Add(vip())]));
    }

    #[test]
    fn an_interface_takes_its_addresses_along() {
        let mut holdings = holding(seat(1));
        assert_eq!(holdings.forget_interface(InterfaceIndex::new(3)), []);
        assert_eq!(holdings.forget_interface(ETH0), [vip()]);
        assert!(holdings.is_empty());
    }
}
