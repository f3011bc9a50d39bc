//! Virtual routers that move together: one state, one owner (`keepalived.md` section 3, with its faults mended).

use holdfast_vrrp::{
    Action, Claim, Event, GroupConfig, Link, MemberConfig, MemberIndex, Reason, State, VirtualRouterId,
};

use crate::support::*;

/// The orders by IPv4 and by IPv6 address differ: the first member wins a tie, the second would lose it.
fn hear_tie(router: &mut Router) {
    router.hear_on(FIRST, BELOW, 100);
    router.hear_on(SECOND, ABOVE_V6, 100);
}

#[test]
fn a_tie_is_decided_by_the_first_member_for_the_whole_group() {
    let mut router = Router::master(dual_stack(100));
    for _ in 0..10 {
        hear_tie(&mut router);
        router.pass(ms(1_000));
    }

    assert_eq!(router.state(), State::Master, "or both groups would yield, and take over again together, for ever");
}

#[test]
fn a_tie_is_decided_by_the_first_member_also_if_a_later_one_hears_of_it_first() {
    let mut router = Router::master(dual_stack(100));

    assert_eq!(router.hear_on(SECOND, ABOVE_V6, 100), [], "the first member may know better");
    router.hear_on(FIRST, BELOW, 100);
    router.pass(ms(1_000));
    hear_tie(&mut router);

    assert_eq!(router.state(), State::Master);
}

#[test]
fn the_first_member_yields_at_once() {
    let mut router = Router::master(dual_stack(100));

    router.hear_on(FIRST, ABOVE, 100);

    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::HigherAddress));
}

#[test]
fn a_later_member_yields_if_the_first_hears_nothing_of_the_tie_for_an_interval() {
    let mut router = Router::master(dual_stack(100));
    router.hear_on(SECOND, ABOVE_V6, 100);
    router.pass(ms(900));
    router.hear_on(SECOND, ABOVE_V6, 100);
    assert_eq!(router.state(), State::Master, "the first member's advert may still be on its way");

    router.pass(ms(100));
    router.hear_on(SECOND, ABOVE_V6, 100);

    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::HigherAddress));
}

#[test]
fn a_tie_that_was_won_long_ago_decides_nothing() {
    let mut router = Router::master(dual_stack(100));
    router.hear_on(FIRST, BELOW, 100);
    for _ in 0..5 {
        router.pass(ms(1_000));
        router.hear_on(SECOND, ABOVE_V6, 100);
    }

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_tie_that_was_heard_of_long_ago_decides_nothing() {
    let mut router = Router::master(dual_stack(100));
    router.hear_on(SECOND, ABOVE_V6, 100);
    router.pass(ms(60_000));
    router.hear_on(SECOND, ABOVE_V6, 100);

    assert_eq!(router.state(), State::Master, "this is another tie");
}

#[test]
fn what_a_later_member_lost_is_never_noted_as_won() {
    let other = MemberConfig { virtual_router_id: VirtualRouterId::new(52).unwrap(), ..member_v6() };
    let config = GroupConfig::new(vec![member(), member_v6(), other], PREEMPT, Vec::new()).unwrap();
    let mut router = Router::master(config);
    hear_tie(&mut router);
    router.pass(ms(2_500));
    hear_tie(&mut router);
    let third = MemberIndex(2);
    // The first member hears nothing more.
    for _ in 0..5 {
        router.pass(ms(1_000));
        router.hear_on(SECOND, ABOVE_V6, 100);
        router.hear_on(third, ABOVE_V6, 100);
    }

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_higher_priority_on_any_member_deposes_the_group() {
    for member in [FIRST, SECOND] {
        let mut router = Router::master(dual_stack(100));
        router.hear_on(member, if member == FIRST { BELOW } else { BELOW_V6 }, 101);
        assert_eq!(router.state(), State::Backup, "{member:?}");
    }
}

#[test]
fn a_group_takes_over_only_when_every_member_has_waited_long_enough() {
    let mut router = Router::started(dual_stack(100));
    for _ in 0..10 {
        router.hear_on(SECOND, ABOVE_V6, 200);
        router.pass(ms(1_000));
    }

    assert_eq!(router.state(), State::Backup, "nobody can tell from here whose path is dead");
    assert_eq!(router.group.deaf_members().collect::<Vec<_>>(), [FIRST]);

    router.wait_for(State::Master);
    assert_eq!(router.group.deaf_members().count(), 0);
}

#[test]
fn a_member_that_hears_its_master_again_is_deaf_no_more() {
    let mut router = Router::started(dual_stack(100));
    for _ in 0..5 {
        router.hear_on(SECOND, ABOVE_V6, 200);
        router.pass(ms(1_000));
    }
    router.hear_on(FIRST, ABOVE, 200);

    assert_eq!(router.group.deaf_members().count(), 0);
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_takeover_and_a_leave_concern_all_members_phase_by_phase() {
    let mut router = Router::started(dual_stack(100));

    let (_, taken) = router.wait_for(State::Master);
    assert!(taken.is_sorted_by_key(Action::phase), "{taken:?}");
    assert_eq!(adverts(&taken).len(), 2);
    assert_eq!(announcements(&taken), 2);
    assert_eq!(router.installed(), [ip(VIP), ip(VIP_V6)]);

    let left = router.handle(Event::Drain);
    assert_eq!(adverts(&left), [Claim::Release, Claim::Release]);
}

#[test]
fn a_fault_of_one_member_is_a_fault_of_all() {
    let mut router = Router::master(dual_stack(100));

    let actions = router.link_down(SECOND);

    assert_eq!(router.state(), State::Fault);
    assert_eq!(adverts(&actions), [Claim::Release], "from the member that still can");
    assert_eq!(router.installed(), [] as [std::net::IpAddr; 0]);
}

#[test]
fn a_group_starts_when_every_member_has_its_interface() {
    let mut router = Router::new(dual_stack(100));
    router.handle(Event::Start);
    router.handle(Event::Link { member: FIRST, link: Link::Up { source: ip(OWN) } });
    assert_eq!(router.state(), State::Initialize);

    router.handle(Event::Link { member: SECOND, link: Link::Up { source: ip(OWN_V6) } });
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_release_on_one_member_counts_for_all() {
    // The other member's release may have been swallowed by the link that made the master leave.
    let mut router = Router::started(dual_stack(100));
    router.hear_on(FIRST, ABOVE, 200);
    router.hear_on(SECOND, ABOVE_V6, 200);

    router.hear_release_on(FIRST, ABOVE);

    assert_eq!(router.wait_for(State::Master).0.as_micros(), 609_375);
}

#[test]
fn a_lower_master_on_one_member_makes_all_announce_again() {
    let mut router = Router::master(dual_stack(100));
    router.pass(ms(2_500));

    assert_eq!(announcements(&router.hear_on(SECOND, BELOW_V6, 50)), 2);
}

#[test]
fn members_keep_addresses_until_their_own_successor_answers() {
    let mut router = Router::master(dual_stack(100));
    router.hear_on(FIRST, ABOVE, 200);

    router.pass(ms(300));
    assert_eq!(router.installed(), [ip(VIP_V6)], "nobody has been heard over IPv6 yet");
    router.hear_on(SECOND, ABOVE_V6, 200);
    router.pass(ms(300));
    assert_eq!(router.installed(), [] as [std::net::IpAddr; 0]);
}

#[test]
fn a_member_with_another_interval_keeps_its_own_schedule() {
    let fast = MemberConfig { interval: holdfast_vrrp::AdvertInterval::v3(ms(200)).unwrap(), ..member_v6() };
    let config = GroupConfig::new(vec![member(), fast], PREEMPT, Vec::new()).unwrap();
    let mut router = Router::master(config);

    let sent = router.pass(ms(2_000));

    let of = |index: MemberIndex| {
        let sends = |action: &&Action| matches!(action, Action::SendAdvert { member, .. } if *member == index);
        sent.iter().filter(sends).count()
    };
    assert_eq!((of(FIRST), of(SECOND)), (2, 10));
}

/// When each of two members advertised, in milliseconds from now on.
fn schedule(router: &mut Router, milliseconds: u64) -> [Vec<u64>; 2] {
    let mut times = [Vec::new(), Vec::new()];
    for now in 1..=milliseconds {
        for action in router.pass(ms(1)) {
            if let Action::SendAdvert { member: MemberIndex(member), .. } = action {
                times[usize::from(member)].push(now);
            }
        }
    }
    times
}

#[test]
fn members_that_came_out_of_step_advertise_together_again_with_the_next_advert_of_the_first() {
    for answers_out_of_turn in [FIRST, SECOND] {
        let mut router = Router::master(dual_stack(100));
        router.pass(ms(1_400));
        let lower = if answers_out_of_turn == FIRST { BELOW } else { BELOW_V6 };
        assert_eq!(adverts(&router.hear_on(answers_out_of_turn, lower, 50)).len(), 1, "as RFC 9568 demands");

        let [first, second] = schedule(&mut router, 4_000);

        if answers_out_of_turn == FIRST {
            assert_eq!(first, [1_000, 2_000, 3_000, 4_000], "an interval after the answer");
            assert_eq!(second, [600, 1_000, 2_000, 3_000, 4_000]);
        } else {
            assert_eq!(first, [600, 1_600, 2_600, 3_600], "as if nothing had happened");
            assert_eq!(second, [600, 1_600, 2_600, 3_600]);
        }
    }
}

#[test]
fn members_in_step_advertise_once_an_interval_each() {
    let mut router = Router::master(dual_stack(100));
    assert_eq!(schedule(&mut router, 3_500), [[1_000, 2_000, 3_000], [1_000, 2_000, 3_000]]);
}

#[test]
fn a_member_that_has_just_answered_is_in_step_without_another_advert() {
    let mut router = Router::master(dual_stack(100));
    router.pass(ms(2_999));
    router.sleep(ms(1));
    assert_eq!(adverts(&router.hear_on(SECOND, BELOW_V6, 50)).len(), 1);

    assert_eq!(adverts(&router.handle(Event::Timer)).len(), 1, "of the first member");
    assert_eq!(schedule(&mut router, 2_500), [[1_000, 2_000], [1_000, 2_000]]);
}
