//! Virtual routers that move together: one state, one owner (`keepalived.md` section 3, with its faults mended).

use holdfast_vrrp::State;

use crate::support::*;

#[test]
fn a_tie_is_decided_once_for_the_whole_group() {
    // The orders by IPv4 and by IPv6 address differ: the first member wins the tie, the second would lose it.
    let mut router = Router::master(dual_stack(100));

    router.hear_on(FIRST, BELOW, 100);
    router.hear_on(SECOND, ABOVE_V6, 100);

    assert_eq!(router.state(), State::Master, "or both groups would yield, and take over again together, for ever");
}

#[test]
fn a_tie_on_a_later_member_counts_if_the_first_hears_of_none() {
    let mut router = Router::master(dual_stack(100));

    router.hear_on(SECOND, ABOVE_V6, 100);

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_tie_that_was_won_long_ago_decides_nothing() {
    let mut router = Router::master(dual_stack(100));
    router.hear_on(FIRST, BELOW, 100);
    router.pass(ms(3_000));

    router.hear_on(SECOND, ABOVE_V6, 100);

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_tie_against_a_higher_address_is_never_noted_as_won() {
    let members = vec![
        member(),
        member_v6(),
        holdfast_vrrp::MemberConfig {
            virtual_router_id: holdfast_vrrp::VirtualRouterId::new(52).unwrap(),
            ..member_v6()
        },
    ];
    let config = holdfast_vrrp::GroupConfig::new(members, PREEMPT, Vec::new()).unwrap();
    let mut router = Router::master(config);
    let third = holdfast_vrrp::MemberIndex(2);
    router.hear_on(FIRST, BELOW, 100);
    router.pass(ms(2_500));
    router.hear_on(SECOND, ABOVE_V6, 100);
    assert_eq!(router.state(), State::Master, "the first member has won");
    router.pass(ms(1_000));

    router.hear_on(third, ABOVE_V6, 100);

    assert_eq!(router.state(), State::Backup, "what the second member lost cannot decide for the third");
}

#[test]
fn a_higher_priority_on_any_member_deposes_the_group() {
    for member in [FIRST, SECOND] {
        let mut router = Router::master(dual_stack(100));
        router.hear_on(member, if member == FIRST { BELOW } else { BELOW_V6 }, 101);
        assert_eq!(router.state(), State::Backup, "{member:?}");
    }
}
