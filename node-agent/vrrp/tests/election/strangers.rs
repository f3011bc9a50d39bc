//! Who has a say: known peers, and nobody else if they are known.

use holdfast_vrrp::wire::MacAddress;
use holdfast_vrrp::{Event, MemberConfig, Notice, State};

use crate::support::*;

#[test]
fn a_router_that_is_no_peer_is_counted_told_once_and_not_obeyed() {
    let mut router = Router::master(single(member()));

    assert_eq!(router.hear(STRANGER, 255), [holdfast_vrrp::Action::Notify(Notice::ForeignRouter { member: FIRST })]);
    assert_eq!(router.hear(STRANGER, 255), [], "once is enough");
    assert_eq!(router.hear_release(STRANGER), []);

    assert_eq!(router.state(), State::Master);
    assert_eq!(router.group.foreign_router(FIRST), Some(ip(STRANGER)));
    assert_eq!(router.group.counters(FIRST).unwrap().foreign_adverts, 3);
}

#[test]
fn a_stranger_does_not_keep_a_backup_waiting() {
    let mut router = Router::started(single(member()));
    for _ in 0..3 {
        router.pass(ms(1_000));
        router.hear(STRANGER, 255);
    }
    router.pass(ms(700));

    assert_eq!(router.state(), State::Master);
}

#[test]
fn a_release_by_a_stranger_makes_nobody_take_over() {
    let mut router = Router::started(single(member()));
    router.hear(ABOVE, 200);
    router.hear_release(STRANGER);

    assert_eq!(deeds(&router.pass(ms(3_000))), []);
}

#[test]
fn without_a_list_of_peers_any_router_is_obeyed() {
    let mut router = Router::master(single(MemberConfig { known_peers: None, ..member() }));

    router.hear(STRANGER, 200);

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn an_own_advert_that_comes_back_never_deposes_anybody() {
    let mut router = Router::master(single(MemberConfig { known_peers: None, ..member() }));

    assert_eq!(router.hear(OWN, 100), []);
    assert_eq!(router.hear(OWN, 255), []);
    assert_eq!(router.state(), State::Master);
    assert_eq!(router.group.counters(FIRST).unwrap().own_adverts, 2);
}

#[test]
fn the_claim_of_another_machine_to_a_masters_address_is_a_conflict() {
    let mut router = Router::master(single(member()));
    router.pass(ms(2_500));
    let by = Some(MacAddress([2, 0, 0, 0, 0, 9]));
    let claim = Event::NeighborClaim { member: FIRST, address: ip(VIP), by };
    let conflict = Notice::AddressConflict { member: FIRST, address: ip(VIP), by };

    let actions = router.handle(claim);
    assert_eq!(deeds(&actions), [announce(VIP)], "clients shall know where it is");
    assert_eq!(notices(&actions), [conflict]);

    let actions = router.handle(claim);
    assert_eq!(deeds(&actions), [], "not for each claim");
    assert_eq!(notices(&actions), [conflict]);
    assert_eq!(router.state(), State::Master);
    assert_eq!(router.group.counters(FIRST).unwrap().address_conflicts, 2);
}

#[test]
fn a_claim_right_after_the_takeover_is_a_conflict_too() {
    let mut router = Router::master(single(member()));

    let actions = router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None });

    assert_eq!(deeds(&actions), [], "the takeover has just been announced");
    assert_eq!(notices(&actions), [Notice::AddressConflict { member: FIRST, address: ip(VIP), by: None }]);
}
