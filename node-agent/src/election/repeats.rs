//! What other machines can say again and again is told at a measured rate (pure).
//!
//! Groups note every claim to their addresses and every advert of a second master. Reports wait in memory until they are
//! read, so that whoever sends most must not decide how many there are. What nobody has said before is told at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::Instant;
use holdfast_vrrp::wire::MacAddress;

use super::slot::Seat;
use crate::network::interfaces::InterfaceIndex;

/// How long what was told is not told again.
const SILENCE: Duration = Duration::from_secs(1);

/// How many machines that claim one address are told apart. One that pretends to be many is not told of forever.
const CLAIMANTS: usize = 4;

/// How long a machine that claimed an address keeps its place among them.
const REMEMBERED: Duration = Duration::from_secs(10);

/// What was told, and when.
#[derive(Clone, Debug, Default)]
pub(super) struct Repeats {
    claims: HashMap<(InterfaceIndex, IpAddr), [Option<Claim>; CLAIMANTS]>,
    lower_masters: HashMap<Seat, Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Claim {
    by: Option<MacAddress>,
    told: Instant,
}

impl Repeats {
    /// Whether it is told now that a machine claims an address of ours.
    pub(super) fn admit_claim(
        &mut self,
        now: Instant,
        interface: InterfaceIndex,
        address: IpAddr,
        by: Option<MacAddress>,
    ) -> bool {
        let claims = self.claims.entry((interface, address)).or_default();
        if let Some(claim) = claims.iter_mut().flatten().find(|claim| claim.by == by) {
            return admit(&mut claim.told, now);
        }
        let is_free =
            |place: &&mut Option<Claim>| place.is_none_or(|claim| now.saturating_since(claim.told) >= REMEMBERED);
        let place = claims.iter_mut().find(is_free);
        place.map(|place| *place = Some(Claim { by, told: now })).is_some()
    }

    /// Whether it is told now that a virtual router hears a master that should yield to it.
    pub(super) fn admit_lower_master(&mut self, now: Instant, seat: Seat) -> bool {
        if let Some(told) = self.lower_masters.get_mut(&seat) {
            return admit(told, now);
        }
        self.lower_masters.insert(seat, now);
        true
    }

    /// The address is not ours any more, or not on this interface.
    pub(super) fn forget_address(&mut self, interface: InterfaceIndex, address: IpAddr) {
        self.claims.remove(&(interface, address));
    }

    /// The virtual router does not run any more.
    pub(super) fn forget_router(&mut self, seat: Seat) {
        self.lower_masters.remove(&seat);
    }
}

fn admit(told: &mut Instant, now: Instant) -> bool {
    let admitted = now.saturating_since(*told) >= SILENCE;
    if admitted {
        *told = now;
    }
    admitted
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::MemberIndex;

    use super::*;
    use crate::election::slot::Slot;

    const START: Instant = Instant::from_nanos(0);

    fn claim(repeats: &mut Repeats, after: Duration, machine: u8) -> bool {
        let by = Some(MacAddress([2, 0, 0, 0, 0, machine]));
        repeats.admit_claim(START.saturating_add(after), InterfaceIndex::new(1), [192, 0, 2, 1].into(), by)
    }

    #[test]
    fn the_first_claim_of_each_machine_is_told_at_once_and_repeats_once_in_a_while() {
        let mut repeats = Repeats::default();
        let half = SILENCE / 2;
        let steps = [(Duration::ZERO, 1, true), (Duration::ZERO, 2, true), (half, 1, false), (SILENCE, 1, true)];
        for (after, machine, told) in steps {
            assert_eq!(claim(&mut repeats, after, machine), told, "{machine} after {after:?}");
        }
    }

    #[test]
    fn claims_that_never_pause_are_told_of_all_the_time() {
        let mut repeats = Repeats::default();
        let told = (0..1_000).filter(|step| claim(&mut repeats, SILENCE / 100 * *step, 1)).count();
        assert_eq!(told, 10);
    }

    #[test]
    fn a_machine_that_pretends_to_be_many_is_told_of_a_few_times() {
        let mut repeats = Repeats::default();
        let told = (0..=255).filter(|machine| claim(&mut repeats, Duration::ZERO, *machine)).count();
        assert_eq!(told, CLAIMANTS);
        assert!(claim(&mut repeats, REMEMBERED, 255), "when the others have been silent for a while");
    }

    #[test]
    fn a_lower_master_is_told_of_once_in_a_while() {
        let mut repeats = Repeats::default();
        let seat = |place| Seat { slot: Slot::new(place), member: MemberIndex(0) };
        let mut told = |after, place| repeats.admit_lower_master(START.saturating_add(after), seat(place));
        assert!(told(Duration::ZERO, 0));
        assert!(!told(SILENCE / 2, 0));
        assert!(told(SILENCE / 2, 1), "another virtual router");
        assert!(told(SILENCE, 0));
    }
}
