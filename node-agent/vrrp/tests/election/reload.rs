//! A new configuration while running: only what differs changes, and nobody is deposed for it.

use holdfast_vrrp::{
    Announcements, Event, GroupConfig, MemberConfig, Preemption, Reason, State, TrackState, VirtualRouterId,
};

use crate::support::*;

/// These addresses, in this order.
fn with_addresses(addresses: &[&str]) -> GroupConfig {
    single(MemberConfig { addresses: addresses.iter().map(|address| ip(address)).collect(), ..member() })
}

#[test]
fn only_addresses_that_differ_are_touched() {
    let mut router = Router::master(with_addresses(&["10.77.0.101", "10.77.0.102"]));
    let epoch = router.group.epoch();

    let actions = router.reconfigure(&with_addresses(&["10.77.0.103", "10.77.0.102"]));

    assert_eq!(deeds(&actions), [remove("10.77.0.101"), add("10.77.0.103", epoch), announce("10.77.0.103")]);
    assert_eq!(notices(&actions), [], "no transition");
}

#[test]
fn another_order_of_the_same_addresses_touches_none() {
    let mut router = Router::master(with_addresses(&["10.77.0.101", "10.77.0.102"]));

    assert_eq!(router.reconfigure(&with_addresses(&["10.77.0.102", "10.77.0.101"])), []);
    assert_eq!(router.installed(), [ip("10.77.0.102"), ip("10.77.0.101")]);
}

#[test]
fn new_addresses_deserve_the_whole_schedule_of_announcements() {
    let announcements_of = |addresses: Vec<&str>| {
        let addresses = addresses.into_iter().map(ip).collect();
        let schedule = Announcements { count: 3, delay: ms(1_000), refresh: None };
        single(MemberConfig { addresses, announcements: schedule, ..member() })
    };
    let mut router = Router::master(announcements_of(vec![VIP]));
    router.pass(ms(10_000));

    let at_once = router.reconfigure(&announcements_of(vec![VIP, "10.77.0.101"]));

    assert_eq!(announcements(&at_once), 1, "the new one");
    assert_eq!(announcements(&router.pass(ms(10_000))), 4, "both, twice more");
}

#[test]
fn who_is_master_no_more_with_the_new_configuration_adds_nothing() {
    let more = vec![ip(VIP), ip("10.77.0.101")];
    let check = |addresses| tracking(MemberConfig { addresses, ..member() }, vec![weight(0)]);
    let mut fails = Router::master(check(vec![ip(VIP)]));
    let failing = Event::Reconfigure { config: &check(more.clone()), trackers: &[TrackState::Down] };
    assert_eq!(deeds(&fails.handle(failing)), [RELEASE, remove(VIP)]);

    let mut resigns = Router::master(single(member()));
    let worse = MemberConfig { addresses: more, rival: Some(priority(90)), ..with_priority(80) };
    assert_eq!(deeds(&resigns.reconfigure(&single(worse))), [RELEASE]);
    assert_eq!(resigns.installed(), [ip(VIP)]);
}

#[test]
fn a_backup_does_not_touch_the_interface() {
    let mut router = Router::started(with_addresses(&["10.77.0.101"]));
    router.hear(ABOVE, 200);

    assert_eq!(router.reconfigure(&with_addresses(&["10.77.0.102", "10.77.0.103"])), []);
    assert_eq!(router.installed(), [] as [std::net::IpAddr; 0]);
}

#[test]
fn an_address_that_goes_while_it_is_held_for_a_successor_goes_at_once() {
    let mut router = Router::master(with_addresses(&["10.77.0.101", "10.77.0.102"]));
    router.hear(ABOVE, 200);

    assert_eq!(deeds(&router.reconfigure(&with_addresses(&["10.77.0.102"]))), [remove("10.77.0.101")]);
    assert_eq!(deeds(&router.pass(ms(300))), [remove("10.77.0.102")], "the other in its own time");
}

#[test]
fn the_same_configuration_again_does_nothing() {
    for mut router in [Router::master(single(member())), Router::started(single(member()))] {
        let before = router.group.clone();
        assert_eq!(router.reconfigure(&single(member())), []);
        assert_eq!(router.group, before);
    }
}

#[test]
fn a_new_priority_is_told_at_once_and_deposes_nobody() {
    let mut router = Router::master(single(with_priority(100)));
    router.pass(ms(300));

    assert_eq!(deeds(&router.reconfigure(&single(with_priority(50)))), [advert(50)]);
    assert_eq!(router.state(), State::Master);
}

#[test]
fn other_virtual_routers_are_another_group() {
    let router = Router::master(single(member()));
    let other_vrid = MemberConfig { virtual_router_id: VirtualRouterId::new(7).unwrap(), ..member() };
    let interval = holdfast_vrrp::AdvertInterval::v2(ms(1_000)).unwrap();
    let other_version = MemberConfig { protocol: V2, interval, ..member() };

    assert!(router.group.can_become(&single(with_priority(7))));
    assert!(router.group.can_become(&single(other_version)));
    assert!(!router.group.can_become(&single(other_vrid)));
    assert!(!router.group.can_become(&single(member_v6())));
    assert!(!router.group.can_become(&dual_stack(100)));
}

#[test]
fn a_check_that_the_new_configuration_does_not_have_is_no_fault_any_more() {
    let mut router = Router::started(tracking(member(), vec![weight(0)]));
    router.track(0, TrackState::Down);
    assert_eq!(router.state(), State::Fault);

    router.reconfigure(&single(member()));

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_master_tells_its_peers_a_new_interval_at_once() {
    let mut router = Router::master(single(with_interval(1_000)));
    router.pass(ms(500));

    let actions = router.reconfigure(&single(with_interval(10)));

    assert_eq!(deeds(&actions), [advert(100)], "peers wait for the interval that they heard last");
    assert_eq!(router.next(), Some(ms(10)));
}

#[test]
fn a_shorter_interval_is_not_taken_for_a_stall() {
    let mut router = Router::master(single(with_interval(1_000)));
    router.pass(ms(500));
    router.reconfigure(&single(with_interval(10)));

    router.sleep(ms(10));
    router.handle(Event::Timer);

    assert_eq!(router.state(), State::Master);
    assert_ne!(router.reason(), Reason::Stalled);
}

#[test]
fn a_longer_interval_does_not_hide_a_stall() {
    let mut router = Router::master(single(with_interval(10)));
    router.reconfigure(&single(with_interval(1_000)));

    assert_eq!(router.next(), Some(ms(1_000)), "the longer interval was told, so it may be used");
}

#[test]
fn a_new_interval_is_told_once_also_when_the_priority_changes_with_it() {
    let mut router = Router::master(single(with_interval(1_000)));
    router.pass(ms(500));

    let changed = MemberConfig { priority: priority(120), ..with_interval(200) };
    let actions = router.reconfigure(&single(changed));

    assert_eq!(deeds(&actions), [advert(120)]);
}

#[test]
fn a_refusal_by_the_kernel_counts_although_the_configuration_has_changed_since() {
    let mut router = Router::master(single(member()));
    let epoch = router.group.epoch();
    router.reconfigure(&single(with_priority(120)));

    router.refuse_address(VIP, epoch);

    assert_eq!((router.state(), router.reason()), (State::Fault, Reason::AddressFailed), "not a black hole");
}

#[test]
fn a_new_preemption_delay_is_served_from_its_beginning() {
    let mut router = Router::started(preempting(member(), PREEMPT));
    router.hear(BELOW, 50);

    let delay = ms(10_000);
    router.reconfigure(&preempting(member(), Preemption::Preempt { delay }));
    for _ in 0..9 {
        router.hear(BELOW, 50);
        router.pass(ms(1_000));
    }

    assert_eq!(router.state(), State::Backup);
}
