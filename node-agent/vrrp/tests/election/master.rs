//! Being master: adverts on schedule, and what is made of the adverts of others (RFC 9568 section 6.4.3).

use holdfast_vrrp::{Claim, Event, MemberConfig, Notice, Preemption, Reason, State};

use crate::support::*;

/// A master that has been one for a while.
fn settled() -> Router {
    let mut router = Router::master(single(member()));
    router.pass(ms(10_500));
    router
}

#[test]
fn who_stays_master_when_two_meet_is_decided_by_priority_then_by_address() {
    let cases = [
        // from, priority, state afterwards, reason
        (BELOW, 101, State::Backup, Reason::HigherPriority),
        (ABOVE, 101, State::Backup, Reason::HigherPriority),
        (BELOW, 255, State::Backup, Reason::HigherPriority),
        (ABOVE, 100, State::Backup, Reason::HigherAddress),
        (BELOW, 100, State::Master, Reason::MasterSilent),
        (ABOVE, 99, State::Master, Reason::MasterSilent),
        (BELOW, 1, State::Master, Reason::MasterSilent),
    ];
    for (from, number, state, reason) in cases {
        let mut router = settled();
        router.hear(from, number);
        assert_eq!((router.state(), router.reason()), (state, reason), "{from} with priority {number}");
    }
}

#[test]
fn addresses_are_compared_as_unsigned_numbers_in_network_order() {
    // As signed bytes, or from the last byte on, these would compare the other way round.
    let cases = [("10.77.0.200", State::Backup), ("10.77.1.1", State::Backup), ("10.76.255.255", State::Master)];
    for (from, state) in cases {
        let mut router = Router::master(single(MemberConfig { known_peers: None, ..member() }));
        router.hear(from, 100);
        assert_eq!(router.state(), state, "{from}");
    }
}

#[test]
fn a_release_by_another_is_answered_at_once() {
    let mut router = settled();

    assert_eq!(deeds(&router.hear_release(BELOW)), [advert(100)]);
    assert_eq!(router.next(), Some(ms(1_000)), "the next advert is due an interval later");
}

#[test]
fn a_master_that_should_not_be_one_is_answered_at_once() {
    let mut router = settled();

    let actions = router.hear(BELOW, 50);

    assert_eq!(deeds(&actions), [advert(100), announce(VIP)], "switches and neighbours may have learned the other");
    assert_eq!(notices(&actions), [Notice::LowerMasterHeard { member: FIRST }]);
}

#[test]
fn a_lower_master_that_stays_is_told_of_as_long_as_it_does() {
    let mut router = settled();
    for _ in 0..50 {
        assert_eq!(notices(&router.hear(BELOW, 50)), [Notice::LowerMasterHeard { member: FIRST }]);
        router.pass(ms(100));
    }
}

#[test]
fn the_last_advert_of_a_predecessor_is_no_second_master() {
    let mut router = Router::master(single(member()));

    assert_eq!(notices(&router.hear(BELOW, 50)), []);
}

#[test]
fn a_flood_of_lower_adverts_is_not_answered_one_by_one() {
    let mut router = settled();
    let (mut adverts_sent, mut announced) = (0, 0);
    for _ in 0..1_000 {
        let actions = router.hear(BELOW, 50);
        adverts_sent += adverts(&actions).len();
        announced += announcements(&actions);
        router.pass(ms(1));
    }

    assert!(adverts_sent <= 8, "{adverts_sent} answers within one interval");
    assert_eq!(announced, 1, "within one second");
}

#[test]
fn adverts_follow_the_schedule_and_not_the_wake_ups() {
    let mut router = Router::master(single(member()));
    let takeover = router.now;
    for _ in 0..10 {
        // Each wake-up comes 30 ms late.
        router.sleep(router.next().unwrap() + ms(30));
        assert_eq!(adverts(&router.handle(Event::Timer)).len(), 1);
    }

    let next = router.group.next_deadline().unwrap().saturating_since(takeover);
    assert_eq!(next, ms(11_000), "no delay adds up");
}

#[test]
fn a_late_wake_up_sends_one_advert_and_not_those_that_were_missed() {
    let mut router = Router::master(single(member()));
    router.sleep(ms(2_900));

    assert_eq!(adverts(&router.handle(Event::Timer)).len(), 1);
    assert_eq!(router.next(), Some(ms(1_000)));
}

#[test]
fn yielding_learns_the_interval_of_the_better_master() {
    let mut router = settled();
    router.hear_every(ABOVE, 200, 100);

    let (waited, _) = router.wait_for(State::Master);

    assert_eq!(waited.as_micros(), 360_937, "three intervals of the other, and the skew that belongs to them");
}

#[test]
fn yielding_sends_no_release() {
    let mut router = settled();

    assert!(!adverts(&router.hear(ABOVE, 200)).contains(&Claim::Release));
}

#[test]
fn a_lower_master_without_preemption_yields_all_the_same() {
    let mut router = Router::master(preempting(member(), Preemption::Never));

    router.hear(BELOW, 101);

    assert_eq!(router.state(), State::Backup, "Never concerns taking over, not yielding");
}

#[test]
fn a_list_of_other_addresses_is_told_and_accepted() {
    let mut router = Router::started(single(member()));
    let list = [ip("10.77.0.101"), ip("10.77.0.102")];

    let actions = router.hear_listing(FIRST, ABOVE, Claim::Master(priority(200)), member().interval, &list);

    assert_eq!(notices(&actions), [Notice::AddressListDiffers { member: FIRST }]);
    assert_eq!(router.group.followed(FIRST).map(|followed| followed.address), Some(ip(ABOVE)));
    assert_eq!(router.group.counters(FIRST).unwrap().address_list_differs, 1);
}

#[test]
fn the_order_of_the_list_is_the_senders_choice() {
    let both = vec![ip(VIP), ip("10.77.0.101")];
    let mut router = Router::started(single(MemberConfig { addresses: both.clone(), ..member() }));
    let turned: Vec<_> = both.into_iter().rev().collect();

    let actions = router.hear_listing(FIRST, ABOVE, Claim::Master(priority(200)), member().interval, &turned);

    assert_eq!(actions, []);
}
