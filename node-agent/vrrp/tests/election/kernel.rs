//! Addresses on the interface: what the kernel refuses, what others take away.

use holdfast_vrrp::{Event, Notice, State};

use crate::support::*;

#[test]
fn an_address_that_somebody_deletes_is_put_back_at_once() {
    let mut router = Router::master(single(member()));

    let actions = router.handle(Event::AddressDeleted { member: FIRST, address: ip(VIP) });

    assert_eq!(deeds(&actions), [add(VIP, router.group.epoch()), announce(VIP)]);
    assert_eq!(notices(&actions), [Notice::AddressRestored { member: FIRST, address: ip(VIP) }]);
    assert_eq!(router.state(), State::Master, "keepalived gives everything up and starts again");
}

#[test]
fn an_address_that_is_not_ours_may_come_and_go() {
    let mut router = Router::master(single(member()));

    assert_eq!(router.handle(Event::AddressDeleted { member: FIRST, address: ip("10.77.0.7") }), []);
}

#[test]
fn an_address_that_vanishes_while_it_is_held_for_a_successor_stays_away() {
    let mut router = Router::master(single(member()));
    router.handle(Event::Drain);

    assert_eq!(router.handle(Event::AddressDeleted { member: FIRST, address: ip(VIP) }), []);
    assert!(router.group.is_finished());
}

#[test]
fn a_takeover_asks_for_every_address_even_those_that_are_still_held() {
    // The request of the first takeover may have been refused, and the report is about an earlier state by now.
    let mut router = Router::master(single(member()));
    let first = router.group.epoch();
    router.hear(ABOVE, 200);
    assert_eq!(router.installed(), [ip(VIP)], "held for the successor");
    router.hear_release(ABOVE);
    router.sleep(ms(40));
    router.hear_release(ABOVE);
    router.group.handle(
        router.now,
        Event::Reconfigure { config: &single(with_priority(254)), trackers: &[] },
        &mut Vec::new(),
    );
    let (_, actions) = router.wait_for(State::Master);

    assert!(deeds(&actions).contains(&add(VIP, router.group.epoch())), "{actions:?}");
    router.refuse_address(VIP, first);
    assert_eq!(router.state(), State::Master, "an outdated report");
}

#[test]
fn an_address_that_was_there_before_the_refused_request_is_removed() {
    let mut router = Router::master(single(member()));
    router.handle(Event::AddressDeleted { member: FIRST, address: ip(VIP) });
    let epoch = router.group.epoch();

    let actions = router.refuse_address(VIP, epoch);

    assert!(deeds(&actions).contains(&remove(VIP)), "one of the two requests may have been granted: {actions:?}");
    assert_eq!(router.installed(), [] as [std::net::IpAddr; 0]);
}
