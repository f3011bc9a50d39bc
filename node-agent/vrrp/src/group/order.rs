//! The order of phases, restored where one call did several things.
//!
//! In place: a stable sort of the standard library asks for memory when there is much to sort, and a group of many
//! addresses has much to do at once when it advertises and repeats its announcements in the same moment.

use crate::action::{Action, Phase};

/// Sorts by phase. What came first within a phase stays first.
pub(super) fn order_by_phase(actions: &mut [Action]) {
    if actions.is_sorted_by_key(Action::phase) {
        return;
    }
    let mut rest = actions;
    for phase in [Phase::Advertise, Phase::Address, Phase::Announce] {
        let count = bring_forward(phase, rest);
        rest = rest.split_at_mut_checked(count).map_or(&mut [], |(_, rest)| rest);
    }
}

/// Moves the actions of a phase before all others, and returns how many they are. Neither changes its order.
fn bring_forward(phase: Phase, actions: &mut [Action]) -> usize {
    if let [action] = actions {
        return usize::from(action.phase() == phase);
    }
    let middle = actions.len() / 2;
    let Some((left, right)) = actions.split_at_mut_checked(middle).filter(|(left, _)| !left.is_empty()) else {
        return 0;
    };
    let (before, after) = (bring_forward(phase, left), bring_forward(phase, right));
    if let Some(between) = actions.get_mut(before..middle + after) {
        between.rotate_left(middle - before);
    }
    before + after
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use super::*;
    use crate::action::Notice;
    use crate::event::{Epoch, MemberIndex};
    use crate::types::Claim;

    /// Actions of these phases, told apart by their place.
    fn actions(phases: &[u8]) -> Vec<Action> {
        let action = |(place, phase)| {
            let member = MemberIndex(place);
            let address = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
            match phase {
                0 => Action::SendAdvert { member, claim: Claim::Release },
                1 => Action::AddAddress { member, address, epoch: Epoch::default() },
                2 => Action::Announce { member, address },
                _ => Action::Notify(Notice::ForeignRouter { member }),
            }
        };
        (0..).zip(phases.iter().copied()).map(action).collect()
    }

    #[test]
    fn actions_are_ordered_as_a_stable_sort_orders_them() {
        arbtest::arbtest(|bytes| {
            let phases: Vec<u8> = bytes
                .arbitrary_iter::<u8>()?
                .take(200)
                .map(|byte| byte.map(|byte| byte % 4))
                .collect::<Result<_, _>>()?;
            let (mut ordered, mut expected) = (actions(&phases), actions(&phases));
            order_by_phase(&mut ordered);
            expected.sort_by_key(Action::phase);
            assert_eq!(ordered, expected);
            Ok(())
        });
    }
}
