//! Multicast and unicast, and changing from one to the other node by node while everything runs.

use holdfast_vrrp::{Counters, MemberConfig, State, Transport};

use crate::support::*;

fn unicast() -> MemberConfig {
    MemberConfig { transport: Transport::Unicast(vec![ip(BELOW), ip(ABOVE)]), ..member() }
}

fn counters(router: &Router) -> &Counters {
    router.group.counters(FIRST).unwrap()
}

#[test]
fn a_peer_is_obeyed_whichever_way_its_adverts_come() {
    let mut multicast = Router::master(single(member()));
    multicast.hear_unicast(ABOVE, 200, 255);
    assert_eq!(multicast.state(), State::Backup, "else there would be two masters until the last node has changed");
    assert_eq!((counters(&multicast).adverts_received, counters(&multicast).transport_mismatches), (1, 1));

    let mut unicast = Router::master(single(unicast()));
    unicast.hear(ABOVE, 200);
    assert_eq!(unicast.state(), State::Backup);
    assert_eq!(counters(&unicast).transport_mismatches, 1);
}

#[test]
fn a_stranger_is_obeyed_by_neither_way() {
    let mut router = Router::master(single(member()));

    router.hear_unicast(STRANGER, 200, 255);

    assert_eq!((router.state(), counters(&router).foreign_adverts), (State::Master, 1));
}

#[test]
fn a_router_that_uses_multicast_takes_nothing_that_was_forwarded() {
    let member = MemberConfig { known_peers: None, ..member_v6() };
    let mut router = Router::master(single(member));

    router.hear_unicast(ABOVE_V6, 200, 64);

    assert_eq!(router.state(), State::Master, "it may come from anywhere");
}

#[test]
fn a_master_shows_itself_by_the_new_transport_at_once() {
    let mut router = Router::master(single(member()));
    router.pass(ms(300));

    assert_eq!(deeds(&router.reconfigure(&single(unicast()))), [advert(100)]);
    assert_eq!(router.group.unicast_peers(FIRST), [ip(BELOW), ip(ABOVE)]);
    assert_eq!(router.reconfigure(&single(unicast())), [], "only once");
}

#[test]
fn peers_that_go_on_with_the_former_transport_keep_their_say_from_their_former_addresses() {
    // Over IPv6 multicast comes from link-local addresses, which the list of unicast peers does not have.
    let multicast = member_v6();
    let peers = vec![ip("fd77::5"), ip("fd77::20")];
    let changed =
        MemberConfig { transport: Transport::Unicast(peers.clone()), known_peers: Some(peers), ..multicast.clone() };
    let mut router = Router::started(single(multicast));
    router.hear(ABOVE_V6, 200);

    router.reconfigure(&single(changed.clone()));
    for _ in 0..5 {
        router.pass(ms(1_000));
        router.hear(ABOVE_V6, 200);
    }
    assert_eq!(router.state(), State::Backup, "the master has not changed yet");

    router.hear_unicast("fd77::20", 200, 255);
    assert_eq!(router.group.followed(FIRST).map(|master| master.address), Some(ip("fd77::20")), "now it has");
    router.hear_unicast(ABOVE_V6, 200, 255);
    assert_eq!(counters(&router).foreign_adverts, 1, "by the new transport only the new list counts");

    let mut restarted = Router::master(single(changed));
    restarted.hear(ABOVE_V6, 200);
    assert_eq!(restarted.state(), State::Master, "who was not there before knows nothing of it");
}
