//! From silence or release to mastership, and back (RFC 9568 section 6.4, RFC 3768 section 6.4).

use std::time::Duration;

use holdfast_vrrp::{AdvertInterval, Claim, Event, MemberConfig, Notice, Reason, State};

use crate::support::*;

/// (256 - 100) / 256 of a second: the skew of priority 100 with an interval of 1 s, in both versions.
const SKEW: Duration = Duration::from_micros(609_375);

#[test]
fn a_backup_bears_three_intervals_and_its_skew_of_silence() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);
    assert_eq!(router.wait_for(State::Master).0, ms(3_000) + SKEW);
    assert_eq!(router.reason(), Reason::MasterSilent);
}

#[test]
fn a_new_master_advertises_then_adds_then_announces_then_tells() {
    let mut router = Router::started(single(member()));
    let (_, actions) = router.wait_for(State::Master);
    let epoch = router.group.epoch();
    assert_eq!(deeds(&actions), [advert(100), add(VIP, epoch), announce(VIP)]);
    let told = Notice::StateChanged { from: State::Backup, to: State::Master, reason: Reason::MasterSilent };
    assert_eq!(notices(&actions), [told]);
}

#[test]
fn a_release_leaves_a_backup_only_its_skew_to_wait() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);
    router.hear_release(ABOVE);
    assert_eq!(router.wait_for(State::Master).0, SKEW);
    assert_eq!(router.reason(), Reason::MasterReleased);
}

#[test]
fn a_release_counts_also_after_the_last_word_of_a_router_that_the_master_deposed() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);
    router.hear(BELOW, 50);
    router.hear_release(ABOVE);
    assert_eq!(router.wait_for(State::Master).0, SKEW);
}

#[test]
fn a_release_by_a_router_that_is_not_the_master_counts_for_nothing() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);
    router.hear_release(BELOW);
    assert_eq!(router.wait_for(State::Master).0, ms(3_000) + SKEW);
}

#[test]
fn version_3_learns_the_interval_of_the_master_and_scales_its_skew() {
    let mut router = Router::started(single(member()));
    router.hear_every(ABOVE, 200, 100);
    assert_eq!(router.wait_for(State::Master).0, ms(300) + SKEW / 10);
}

#[test]
fn version_2_has_a_skew_of_its_own_whatever_the_interval() {
    let interval = AdvertInterval::v2(ms(2_000)).unwrap();
    let mut router = Router::started(single(MemberConfig { protocol: V2, interval, ..member() }));
    assert_eq!(router.wait_for(State::Master).0, ms(6_000) + SKEW);
}

#[test]
fn a_better_master_gets_one_last_advert_and_the_addresses_stay_until_it_announces_them() {
    let mut router = Router::master(single(member()));
    router.pass(ms(500));
    let actions = router.hear(ABOVE, 200);
    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::HigherPriority));
    assert_eq!(deeds(&actions), [advert(100)], "no release, and no removal yet");
    let actions = router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None });
    assert_eq!(deeds(&actions), [remove(VIP)]);
}

#[test]
fn a_successor_that_only_advertises_gets_300_ms() {
    let mut router = Router::master(single(member()));
    router.hear(ABOVE, 200);
    assert_eq!(deeds(&router.pass(ms(299))), []);
    assert_eq!(deeds(&router.pass(ms(1))), [remove(VIP)]);
}

#[test]
fn a_drained_master_releases_and_holds_on_until_its_successor_answers() {
    let mut router = Router::master(single(member()));
    let actions = router.handle(Event::Drain);
    assert_eq!(deeds(&actions), [RELEASE]);
    assert_eq!(adverts(&router.pass(ms(600))), [] as [Claim; 0], "an advert would hold the successor back");
    assert_eq!(router.installed(), [ip(VIP)]);
    router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None });
    assert!(router.group.is_finished());
}

#[test]
fn a_check_without_a_first_result_keeps_a_recovered_group_waiting() {
    let mut router = Router::new(tracking(member(), vec![weight(0)]));
    router.link_down(FIRST);
    router.handle(Event::Start);
    assert_eq!(router.state(), State::Fault);
    router.links_up();
    router.pass(ms(10_000));
    assert_eq!(router.state(), State::Initialize);
}

#[test]
fn a_repetition_that_comes_too_soon_is_put_off_and_not_given_up() {
    let mut router = Router::master(single(member()));
    router.pass(ms(300));
    assert_eq!(announcements(&router.hear(BELOW, 50)), 0, "the takeover was announced just now");
    assert_eq!(announcements(&router.pass(ms(699))), 0);
    assert_eq!(announcements(&router.pass(ms(1))), 1);
}
