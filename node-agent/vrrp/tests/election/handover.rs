//! Leaving without a gap: make before break (`vrrp.md` section 6, win 1).

use holdfast_vrrp::{Claim, Event, MemberConfig, State};

use crate::support::*;

/// (3 + 255/256) intervals of 1 s, and 50 ms.
const BOUND_NANOS: u64 = 3_996_093_750 + 50_000_000;

#[test]
fn without_a_successor_the_addresses_go_when_the_slowest_peer_would_have_taken_them() {
    let mut router = Router::master(single(member()));
    router.handle(Event::Drain);

    let bound = std::time::Duration::from_nanos(BOUND_NANOS);
    assert_eq!(router.next(), Some(bound));
    assert_eq!(deeds(&router.pass(bound)), [remove(VIP)]);
    assert!(router.group.is_finished());
}

#[test]
fn a_successor_that_advertises_shortens_the_bound_and_later_adverts_do_not_extend_it() {
    let mut router = Router::master(single(member()));
    router.handle(Event::Drain);
    router.pass(ms(600));

    router.hear(BELOW, 50);
    router.pass(ms(30));
    router.hear(BELOW, 50);

    assert_eq!(router.next(), Some(ms(270)));
}

#[test]
fn each_address_goes_as_soon_as_the_successor_claims_it() {
    let other = "10.77.0.101";
    let mut router = Router::master(single(MemberConfig { addresses: vec![ip(VIP), ip(other)], ..member() }));
    router.handle(Event::Drain);

    assert_eq!(
        deeds(&router.handle(Event::NeighborClaim { member: FIRST, address: ip(other), by: None })),
        [remove(other)]
    );
    assert_eq!(router.installed(), [ip(VIP)]);
    assert!(!router.group.is_finished());
    assert_eq!(
        deeds(&router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None })),
        [remove(VIP)]
    );
    assert!(router.group.is_finished());
}

#[test]
fn a_claim_to_an_address_that_is_not_held_is_no_news() {
    let mut router = Router::started(single(member()));

    assert_eq!(router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None }), []);
    assert_eq!(router.handle(Event::NeighborClaim { member: FIRST, address: ip("10.77.0.7"), by: None }), []);
}

#[test]
fn an_abort_gives_the_addresses_up_at_once_also_in_the_middle_of_a_drain() {
    let mut router = Router::master(single(member()));
    assert_eq!(deeds(&router.handle(Event::Abort)), [RELEASE, remove(VIP)]);

    let mut router = Router::master(single(member()));
    router.handle(Event::Drain);
    assert_eq!(deeds(&router.handle(Event::Abort)), [remove(VIP)], "the release was sent");
    assert!(router.group.is_finished());
}

#[test]
fn a_backup_leaves_without_a_word() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);

    assert_eq!(deeds(&router.handle(Event::Drain)), []);
    assert!(router.group.is_finished());
    assert_eq!(router.next(), None);
}

#[test]
fn a_drained_group_never_comes_back() {
    let mut router = Router::master(single(member()));
    router.handle(Event::Drain);

    assert_eq!(router.handle(Event::Start), []);
    router.pass(ms(600_000));
    assert_eq!(router.state(), State::Initialize);
}

#[test]
fn who_takes_over_again_while_it_holds_the_addresses_keeps_them() {
    let mut router = Router::master(single(member()));
    router.hear(ABOVE, 200);
    router.hear_release(ABOVE);
    // Within the grace: nothing was removed yet.
    let mut router = Router { group: router.group.clone(), now: router.now };
    router.reconfigure(&single(with_priority(254)));

    let (_, actions) = router.wait_for(State::Master);

    assert!(!deeds(&actions).contains(&remove(VIP)));
    assert_eq!(deeds(&router.pass(ms(60))), [], "the end of holding them is forgotten");
    assert_eq!(router.installed(), [ip(VIP)]);
}

#[test]
fn no_advert_follows_a_release() {
    let mut router = Router::master(single(member()));
    let mut said = adverts(&router.handle(Event::Drain));
    said.extend(adverts(&router.pass(ms(60_000))));

    assert_eq!(said, [Claim::Release], "an advert would re-arm the peers");
}

#[test]
fn a_router_that_fails_while_it_holds_addresses_for_a_successor_gives_them_up() {
    let mut router = Router::master(single(member()));
    router.hear(ABOVE, 200);

    assert_eq!(deeds(&router.link_down(FIRST)), [remove(VIP)]);
}
