//! Which virtual addresses are on the node's interfaces, as far as this agent put them there.
//!
//! Turns what groups ask for into requests to the kernel, and the kernel's outcomes into what groups must know. Pure:
//! the requests are carried out elsewhere.

use std::collections::HashMap;
use std::net::IpAddr;

use holdfast_vrrp::Epoch;
use nix::errno::Errno;

use super::slot::Seat;
use crate::network::interfaces::{InterfaceIndex, Placement};
use crate::network::netlink::{AddressRequest, Outcome};

/// The addresses that this agent holds.
#[derive(Clone, Debug, Default)]
pub(super) struct Holdings {
    held: HashMap<(InterfaceIndex, IpAddr), Held>,
    /// Addresses that a group should hold, but that somebody else had put there before.
    foreign: HashMap<(InterfaceIndex, IpAddr), Seat>,
    /// Own removals that the kernel has yet to report.
    unreported_removals: HashMap<Placement, u32>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Held {
    placement: Placement,
    owner: Seat,
}

/// Requests that belong together, and who asked for them.
#[derive(Clone, Debug, Default)]
pub(super) struct AddressBatch {
    requests: Vec<AddressRequest>,
    askers: Vec<Asker>,
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
        if batch.turn_removal_into_restoration(&placement, Asker::Wants(seat, epoch)) {
            self.held.insert(key, Held { placement, owner: seat });
            return Ok(());
        }
        if self.held.get(&key).is_some_and(|held| held.placement == placement) {
            self.held.insert(key, Held { placement, owner: seat });
            batch.push(AddressRequest::Restore(placement), Asker::Wants(seat, epoch));
            return Ok(());
        }
        if present && !self.held.contains_key(&key) {
            self.foreign.insert(key, seat);
            return Err(AddressProblem::Foreign { seat, address: placement.address });
        }
        self.foreign.remove(&key);
        self.held.insert(key, Held { placement, owner: seat });
        batch.push(AddressRequest::Add(placement), Asker::Wants(seat, epoch));
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

    /// Takes in the outcomes of a batch: one for each request, in their order.
    pub(super) fn settle(&mut self, batch: &AddressBatch, outcomes: &[Outcome]) -> Vec<AddressProblem> {
        let mut problems = Vec::new();
        for ((request, asker), outcome) in batch.requests.iter().zip(&batch.askers).zip(outcomes) {
            let placement = request.placement();
            match (request, asker, outcome) {
                (AddressRequest::Remove(_), _, Ok(())) => {
                    *self.unreported_removals.entry(placement).or_default() += 1;
                }
                (_, Asker::Wants(seat, epoch), Err(error)) => {
                    problems.push(self.refused(*seat, *epoch, placement, *error));
                }
                _ => {}
            }
        }
        problems
    }

    fn refused(&mut self, seat: Seat, epoch: Epoch, placement: Placement, error: Errno) -> AddressProblem {
        let (key, address) = ((placement.interface, placement.address), placement.address);
        if self.held.get(&key).is_some_and(|held| held.placement == placement) {
            self.held.remove(&key);
        }
        if error == Errno::EEXIST {
            self.foreign.insert(key, seat);
            AddressProblem::Foreign { seat, address }
        } else {
            AddressProblem::Failed { seat, address, epoch, error }
        }
    }

    /// The kernel reports that an address is gone; `by_us` if one of our requests did it.
    ///
    /// Also a request of ours can take away more than it names: with a primary address the kernel removes its secondary
    /// ones.
    pub(super) fn disappeared(&mut self, placement: &Placement, by_us: bool) -> Disappearance {
        if by_us && let Some(count) = self.unreported_removals.get_mut(placement) {
            *count -= 1;
            if *count == 0 {
                self.unreported_removals.remove(placement);
            }
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

    /// Whether an address is held for this virtual router.
    pub(super) fn holds(&self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        self.held.get(&(interface, address)).is_some_and(|held| held.owner == seat)
    }

    /// Whether an address should be held for this virtual router, but is another's.
    pub(super) fn is_foreign(&self, seat: Seat, interface: InterfaceIndex, address: IpAddr) -> bool {
        self.foreign.get(&(interface, address)) == Some(&seat)
    }

    /// Everything that is held, and for whom.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Placement, Seat)> + '_ {
        self.held.values().map(|held| (held.placement, held.owner))
    }

    /// Whether nothing is held.
    pub(super) fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl AddressBatch {
    fn push(&mut self, request: AddressRequest, asker: Asker) {
        if let AddressRequest::Remove(placement) = request {
            self.removals.insert(placement, self.requests.len());
        }
        self.requests.push(request);
        self.askers.push(asker);
    }

    /// Keeps an address that was about to be removed; returns whether there was such a one.
    fn turn_removal_into_restoration(&mut self, placement: &Placement, new_asker: Asker) -> bool {
        let Some(place) = self.removals.remove(placement) else { return false };
        if let Some((request, asker)) = self.requests.get_mut(place).zip(self.askers.get_mut(place)) {
            (*request, *asker) = (AddressRequest::Restore(*placement), new_asker);
        }
        true
    }

    /// The requests, in the order in which they must be carried out.
    pub(super) fn requests(&self) -> &[AddressRequest] {
        &self.requests
    }

    /// Makes room for the next batch.
    pub(super) fn clear(&mut self) {
        self.requests.clear();
        self.askers.clear();
        self.removals.clear();
    }
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::MemberIndex;

    use super::*;
    use crate::election::slot::Slot;

    const ETH0: InterfaceIndex = InterfaceIndex::new(2);
    const EPOCH: Epoch = Epoch(7);

    fn seat(slot: usize) -> Seat {
        Seat { slot: Slot::new(slot), member: MemberIndex(0) }
    }

    fn vip() -> Placement {
        Placement { interface: ETH0, address: [10, 0, 0, 100].into(), prefix_length: 32 }
    }

    /// Lets a group hold the address.
    fn holding(seat: Seat) -> Holdings {
        let (mut holdings, mut batch) = (Holdings::default(), AddressBatch::default());
        holdings.add(seat, vip(), EPOCH, false, &mut batch).expect("no conflict");
        assert_eq!(batch.requests(), [AddressRequest::Add(vip())]);
        assert_eq!(holdings.settle(&batch, &[Ok(())]), []);
        holdings
    }

    #[test]
    fn what_a_group_adds_it_can_remove() {
        let mut holdings = holding(seat(1));
        assert!(holdings.holds(seat(1), ETH0, vip().address));
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        assert_eq!(batch.requests(), [AddressRequest::Remove(vip())]);
        assert!(holdings.is_empty());
    }

    #[test]
    fn an_address_that_is_not_ours_is_neither_added_nor_removed() {
        let (mut holdings, mut batch) = (Holdings::default(), AddressBatch::default());
        let conflict = AddressProblem::Foreign { seat: seat(1), address: vip().address };
        assert_eq!(holdings.add(seat(1), vip(), EPOCH, true, &mut batch), Err(conflict));
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        assert_eq!(batch.requests(), []);
    }

    #[test]
    fn the_kernel_may_know_of_a_foreign_address_before_we_do() {
        let (mut holdings, mut batch) = (Holdings::default(), AddressBatch::default());
        holdings.add(seat(1), vip(), EPOCH, false, &mut batch).expect("none known");
        let conflict = AddressProblem::Foreign { seat: seat(1), address: vip().address };
        assert_eq!(holdings.settle(&batch, &[Err(Errno::EEXIST)]), [conflict]);
        batch.clear();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        assert_eq!(batch.requests(), [], "it is not ours to remove");
    }

    #[test]
    fn a_refused_address_is_a_failure_of_the_state_that_wanted_it() {
        let (mut holdings, mut batch) = (Holdings::default(), AddressBatch::default());
        holdings.add(seat(1), vip(), EPOCH, false, &mut batch).expect("no conflict");
        let failure =
            AddressProblem::Failed { seat: seat(1), address: vip().address, epoch: EPOCH, error: Errno::ENOMEM };
        assert_eq!(holdings.settle(&batch, &[Err(Errno::ENOMEM)]), [failure]);
        assert!(holdings.is_empty());
    }

    #[test]
    fn an_address_that_moves_between_groups_stays_on_the_interface() {
        let mut holdings = holding(seat(1));
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        holdings.add(seat(2), vip(), EPOCH, false, &mut batch).expect("no conflict");
        assert_eq!(batch.requests(), [AddressRequest::Restore(vip())], "given up and taken in one batch");
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        assert_eq!(batch.requests().len(), 1, "the former owner has no say");
        assert!(holdings.holds(seat(2), ETH0, vip().address));
    }

    #[test]
    fn an_address_that_another_group_still_holds_is_taken_over() {
        let mut holdings = holding(seat(1));
        let mut batch = AddressBatch::default();
        holdings.add(seat(2), vip(), EPOCH, true, &mut batch).expect("ours already");
        assert_eq!(batch.requests(), [AddressRequest::Restore(vip())]);
        assert!(holdings.holds(seat(2), ETH0, vip().address));
    }

    #[test]
    fn another_prefix_length_is_another_placement() {
        let mut holdings = holding(seat(1));
        let wider = Placement { prefix_length: 24, ..vip() };
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        holdings.add(seat(1), wider, EPOCH, false, &mut batch).expect("no conflict");
        assert_eq!(batch.requests(), [AddressRequest::Remove(vip()), AddressRequest::Add(wider)]);
    }

    #[test]
    fn a_removal_of_ours_is_no_loss_even_if_it_is_reported_late() {
        let mut holdings = holding(seat(1));
        let mut batch = AddressBatch::default();
        holdings.remove(seat(1), ETH0, vip().address, &mut batch);
        holdings.settle(&batch, &[Ok(())]);
        batch.clear();
        holdings.add(seat(1), vip(), EPOCH, false, &mut batch).expect("no conflict");
        holdings.settle(&batch, &[Ok(())]);
        assert_eq!(holdings.disappeared(&vip(), true), Disappearance::Expected, "the report of the removal before");
        assert_eq!(holdings.disappeared(&vip(), true), Disappearance::Lost(seat(1)), "taken along with another one");
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
        let (mut holdings, mut batch) = (Holdings::default(), AddressBatch::default());
        let _ = holdings.add(seat(1), vip(), EPOCH, true, &mut batch);
        assert_eq!(holdings.disappeared(&vip(), false), Disappearance::Lost(seat(1)));
        holdings.add(seat(1), vip(), EPOCH, false, &mut batch).expect("no conflict");
        assert_eq!(batch.requests(), [AddressRequest::Add(vip())]);
    }

    #[test]
    fn an_interface_takes_its_addresses_along() {
        let mut holdings = holding(seat(1));
        assert_eq!(holdings.forget_interface(InterfaceIndex::new(3)), []);
        assert_eq!(holdings.forget_interface(ETH0), [vip()]);
        assert!(holdings.is_empty());
    }
}
