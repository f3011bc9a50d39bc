//! Priorities that follow health checks and interfaces (`keepalived.md` section 2), and what their change does.

use std::time::Duration;

use holdfast_vrrp::{MemberConfig, Notice, Preemption, Reason, State, TrackState, Tracker};

use crate::support::*;

const DOWN: TrackState = TrackState::Down;
const UP: TrackState = TrackState::Up;

fn reversed(number: i32) -> Tracker {
    Tracker { reverse: true, ..weight(number) }
}

/// Backed by a rival of this priority.
fn with_rival(number: u8, rival: u8) -> MemberConfig {
    MemberConfig { rival: Some(priority(rival)), ..with_priority(number) }
}

#[test]
fn the_effective_priority_is_the_base_and_all_weights_within_1_and_254() {
    type Tracked<'a> = &'a [(Tracker, TrackState)];
    let cases: [(u8, Tracked<'_>, u8); 12] = [
        (100, &[], 100),
        (100, &[(weight(10), UP)], 110),
        (100, &[(weight(10), DOWN)], 100),
        (100, &[(weight(-15), UP)], 100),
        (100, &[(weight(-15), DOWN)], 85),
        (100, &[(reversed(10), UP)], 90),
        (100, &[(reversed(-15), DOWN)], 115),
        (100, &[(weight(-253), DOWN)], 1),
        (100, &[(weight(253), UP)], 254),
        // What is cut off is not lost: the sum counts.
        (200, &[(weight(253), UP), (weight(-250), DOWN)], 203),
        (255, &[(weight(-100), DOWN)], 255),
        (100, &[(weight(-15), TrackState::Unknown), (weight(10), TrackState::Unknown)], 100),
    ];
    for (base, tracked, effective) in cases {
        let trackers: Vec<Tracker> = tracked.iter().map(|(tracker, _)| *tracker).collect();
        let mut router = Router::started(tracking(with_priority(base), trackers));
        for (place, (_, state)) in tracked.iter().enumerate() {
            router.track(place, *state);
        }
        assert_eq!(router.group.priority(FIRST), Some(priority(effective)), "{base} with {tracked:?}");
    }
}

#[test]
fn a_master_says_its_new_priority_at_once() {
    let mut router = Router::master(tracking(member(), vec![weight(20)]));
    router.pass(ms(300));

    let actions = router.track(0, DOWN);

    assert_eq!(deeds(&actions), [advert(100)], "keepalived waits for the next advert, up to an interval");
    assert_eq!(notices(&actions), [Notice::PriorityChanged]);
}

#[test]
fn a_master_that_falls_below_its_rival_resigns() {
    let mut router = Router::master(tracking(with_rival(100, 99), vec![weight(-15)]));

    let actions = router.track(0, DOWN);

    assert_eq!(deeds(&actions), [RELEASE], "the rival need not wait for three intervals");
    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::Resigned));
    assert_eq!(router.installed(), [ip(VIP)], "the address is held until the rival answers");
}

#[test]
fn a_master_resigns_also_without_preemption() {
    let config = tracking(with_rival(100, 99), vec![weight(-15)]);
    let config =
        holdfast_vrrp::GroupConfig::new(config.members().to_vec(), Preemption::Never, config.trackers).unwrap();
    let mut router = Router::master(config);

    router.track(0, DOWN);

    assert_eq!(router.reason(), Reason::Resigned, "keepalived's VIP would stay where the service is dead");
}

#[test]
fn who_does_not_fall_below_its_rival_does_not_resign() {
    let cases = [
        // base, rival, weight: effective priority afterwards
        (100, 85, -15),  // equal: the addresses decide, not we
        (100, 50, -15),  // still better
        (100, 200, -15), // was worse already
    ];
    for (base, rival, change) in cases {
        let member = with_rival(base, rival);
        let mut router = Router::master(tracking(member, vec![weight(change)]));
        router.track(0, DOWN);
        assert_eq!(router.state(), State::Master, "rival {rival:?}");
    }
}

#[test]
fn where_no_rival_is_configured_the_best_that_was_heard_counts_or_else_the_own_priority() {
    let cases = [
        // heard before and after the takeover, weight, whether it resigns
        (None, None, -15, true),         // others as good as we were may be waiting in silence
        (Some(90), None, -15, true),     // the former master is better now
        (None, Some(90), -15, true),     // so is a router that wanted to be master beside us
        (Some(60), None, -15, false),    // it is worse still
        (Some(60), Some(90), -15, true), // the best counts
        (Some(200), None, -15, true),    // it has gone: as if nobody had been heard
        (None, None, -253, true),
    ];
    for (before, after, change, resigns) in cases {
        let mut router = Router::started(tracking(member(), vec![weight(change)]));
        before.map(|number| router.hear(BELOW, number));
        router.wait_for(State::Master);
        after.map(|number| router.hear(BELOW, number));

        router.track(0, DOWN);

        assert_eq!(router.reason() == Reason::Resigned, resigns, "heard {before:?} and {after:?}, weight {change}");
    }
}

#[test]
fn what_was_heard_before_the_router_was_backup_last_does_not_count() {
    let mut router = Router::started(tracking(member(), vec![weight(-15)]));
    router.hear(BELOW, 90);
    router.wait_for(State::Master);
    router.hear(ABOVE, 200);
    router.hear_release(ABOVE);
    router.wait_for(State::Master);
    router.hear(BELOW, 50);

    router.track(0, DOWN);

    assert_eq!(router.state(), State::Backup, "200 was better than we are and has gone: our own priority counts");
}

#[test]
fn a_router_that_resigned_leaves_the_claim_to_others_for_as_long_as_they_need() {
    let mut router = Router::master(tracking(with_rival(100, 99), vec![weight(-15)]));
    router.track(0, DOWN);
    router.track(0, UP);

    // A third router, worse than both, was the one to take over.
    for _ in 0..3 {
        router.pass(ms(1_000));
        router.hear(BELOW, 50);
    }
    router.pass(ms(1_500));
    router.hear(BELOW, 50);
    assert_eq!(router.state(), State::Backup, "the lower master is obeyed");

    for _ in 0..10 {
        router.pass(ms(1_000));
        router.hear(BELOW, 50);
    }
    assert_eq!(router.state(), State::Master, "but not for ever");
}

#[test]
fn a_router_that_resigned_takes_the_addresses_back_if_nobody_wants_them_and_no_one_notices() {
    let mut router = Router::master(tracking(with_rival(100, 99), vec![weight(-15)]));
    router.track(0, DOWN);

    let (_, actions) = router.wait_for(State::Master);

    assert!(!deeds(&actions).contains(&remove(VIP)));
    assert_eq!(router.installed(), [ip(VIP)]);
}

#[test]
fn the_timer_of_a_backup_moves_with_the_skew_of_its_priority() {
    let skew = |number: u64| Duration::from_nanos((256 - number) * 1_000_000_000 / 256);
    let mut router = Router::started(tracking(member(), vec![weight(-40)]));
    router.hear(ABOVE, 200);
    router.pass(ms(1_000));

    router.track(0, DOWN);

    assert_eq!(router.wait_for(State::Master).0, ms(2_000) + skew(60));
}

#[test]
fn a_raised_priority_does_not_depose_anybody_at_once() {
    let mut router = Router::started(tracking(member(), vec![weight(120)]));
    router.track(0, DOWN);
    router.hear(ABOVE, 200);

    router.track(0, UP);
    assert_eq!(router.state(), State::Backup);

    router.hear(ABOVE, 200);
    let (waited, _) = router.wait_for(State::Master);
    assert!(waited > ms(2_000) && waited < ms(4_000), "the running timer ends: {waited:?}");
    assert_eq!(router.reason(), Reason::Preempting);
}

#[test]
fn what_changes_nothing_says_nothing() {
    let mut router = Router::master(tracking(member(), vec![weight(-15)]));

    assert_eq!(router.track(0, UP), []);
    assert_eq!(router.track(7, DOWN), [], "there is no such tracker");
}
