//! Starting, stopping, and what is heard of a group that is not there any more.

use holdfast_vrrp::{Event, State, TrackState};

use crate::support::*;

#[test]
fn a_stopped_group_says_nothing_whatever_happens() {
    let mut router = Router::master(tracking(member(), vec![weight(-15)]));
    router.handle(Event::Drain);
    let other_list = [ip("10.77.0.101")];
    let interval = member().interval;

    let mut actions = router.track(0, TrackState::Down);
    actions.extend(router.hear(STRANGER, 255));
    actions.extend(router.hear_listing(FIRST, BELOW, holdfast_vrrp::Claim::Master(priority(1)), interval, &other_list));
    actions.extend(router.link_down(FIRST));
    actions.extend(router.links_up());
    actions.extend(router.reconfigure(&tracking(with_priority(200), vec![weight(-15)])));

    assert_eq!(actions, []);
    assert_eq!(router.state(), State::Initialize);
}
