//! A process that slept longer than its peers wait may not be master any more, and must not speak as if it were.

use holdfast_vrrp::{Event, Reason, State};

use crate::support::*;

#[test]
fn a_master_that_slept_for_three_intervals_steps_down_before_it_speaks() {
    let mut router = Router::master(single(member()));
    router.sleep(ms(3_000));

    let actions = router.handle(Event::Timer);

    assert_eq!(deeds(&actions), [remove(VIP)], "no advert, no release, no announcement");
    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::Stalled));
}

#[test]
fn a_master_that_slept_less_goes_on() {
    let mut router = Router::master(single(member()));
    router.sleep(ms(2_999));

    assert_eq!(adverts(&router.handle(Event::Timer)).len(), 1);
    assert_eq!(router.state(), State::Master);
}

#[test]
fn whatever_wakes_it_first_finds_it_stepped_down() {
    type Wake = fn(&mut Router) -> Vec<holdfast_vrrp::Action>;
    let wakes: [(&str, Wake); 5] = [
        ("a timer", |router| router.handle(Event::Timer)),
        ("a lower advert", |router| router.hear(BELOW, 50)),
        ("a release", |router| router.hear_release(BELOW)),
        ("a claim to the address", |router| {
            router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None })
        }),
        ("an address that vanished", |router| router.handle(Event::AddressDeleted { member: FIRST, address: ip(VIP) })),
    ];
    for (name, wake) in wakes {
        let mut router = Router::master(single(member()));
        router.sleep(ms(60_000));
        let actions = wake(&mut router);
        assert_eq!(deeds(&actions), [remove(VIP)], "{name}");
        assert_eq!(router.state(), State::Backup, "{name}");
    }
}

#[test]
fn a_stalled_master_listens_before_it_takes_over_again() {
    let mut router = Router::master(single(member()));
    router.sleep(ms(10_000));
    router.hear(ABOVE, 200);
    assert_eq!(router.group.followed(FIRST).map(|followed| followed.address), Some(ip(ABOVE)));

    assert_eq!(router.wait_for(State::Master).0.as_micros(), 3_609_375, "a whole master down interval of silence");
}

#[test]
fn a_stalled_master_that_is_asked_to_leave_leaves_silently() {
    let mut router = Router::master(single(member()));
    router.sleep(ms(10_000));

    assert_eq!(deeds(&router.handle(Event::Drain)), [remove(VIP)], "a release would stop the new master's peers");
}

#[test]
fn a_backup_that_slept_hears_first_what_waits_in_its_socket() {
    let mut router = Router::started(single(member()));
    router.sleep(ms(60_000));
    router.hear(ABOVE, 200);

    assert_eq!(deeds(&router.handle(Event::Timer)), [], "the driver hands packets in before timers");
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn any_member_that_was_silent_for_too_long_is_a_stall_of_the_group() {
    let slow =
        holdfast_vrrp::MemberConfig { interval: holdfast_vrrp::AdvertInterval::v3(ms(10_000)).unwrap(), ..member_v6() };
    let config = holdfast_vrrp::GroupConfig::new(vec![member(), slow], PREEMPT, Vec::new()).unwrap();
    let mut router = Router::master(config);
    router.sleep(ms(3_000));

    router.handle(Event::Timer);

    assert_eq!(router.reason(), Reason::Stalled, "the first member's peers wait three seconds only");
}
