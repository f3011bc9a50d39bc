//! Taking over from a live master of lower priority, or not (RFC 9568 section 6.1, `keepalived.md` section 4.3).

use std::time::Duration;

use holdfast_vrrp::{Preemption, Reason, State};

use crate::support::*;

/// (256 - 100) / 256 of a second.
const SKEW: Duration = Duration::from_micros(609_375);

/// Lets a router of this priority advertise each second, until the group is master or `seconds` have passed.
fn advertise(router: &mut Router, from: &str, number: u8, seconds: u64) -> Option<Duration> {
    let began = router.now;
    for _ in 0..seconds {
        router.hear(from, number);
        for _ in 0..1_000 {
            router.pass(ms(1));
            if router.state() == State::Master {
                return Some(router.now.saturating_since(began));
            }
        }
    }
    None
}

#[test]
fn a_lower_advert_does_not_reset_the_timer_of_a_backup_that_preempts() {
    let mut router = Router::started(preempting(member(), PREEMPT));

    let waited = advertise(&mut router, BELOW, 50, 20).unwrap();

    assert_eq!(waited.as_millis(), 3_610, "three intervals and the skew, since it started");
    assert_eq!(router.reason(), Reason::Preempting);
}

#[test]
fn an_equal_priority_never_preempts_whatever_the_addresses() {
    for from in [BELOW, ABOVE] {
        let mut router = Router::started(preempting(member(), PREEMPT));
        assert_eq!(advertise(&mut router, from, 100, 20), None, "{from}");
    }
}

#[test]
fn never_leaves_a_live_master_alone() {
    let mut router = Router::started(preempting(with_priority(254), Preemption::Never));

    assert_eq!(advertise(&mut router, BELOW, 1, 60), None);
}

#[test]
fn never_takes_over_from_a_silent_master_and_from_one_that_releases() {
    let mut router = Router::started(preempting(member(), Preemption::Never));
    router.hear(BELOW, 50);
    assert_eq!(router.wait_for(State::Master).0, ms(3_000) + SKEW);

    let mut router = Router::started(preempting(member(), Preemption::Never));
    router.hear(BELOW, 50);
    router.hear_release(BELOW);
    assert_eq!(router.wait_for(State::Master).0, SKEW);
}

#[test]
fn a_delay_runs_from_the_first_lower_advert_and_then_a_whole_master_down_interval() {
    let mut router = Router::started(preempting(member(), Preemption::Preempt { delay: ms(10_500) }));
    router.pass(ms(1_000));

    let waited = advertise(&mut router, BELOW, 50, 60).unwrap();

    // The last advert that is obeyed comes after 10 s: the delay, rounded down to adverts, and 3 s and the skew.
    assert_eq!(waited.as_millis(), 10_000 + 3_610);
}

#[test]
fn an_advert_that_is_no_worse_ends_the_delay_and_the_next_lower_one_begins_it_anew() {
    let mut router = Router::started(preempting(member(), Preemption::Preempt { delay: ms(5_500) }));
    assert_eq!(advertise(&mut router, BELOW, 50, 5), None);
    router.hear(ABOVE, 100);

    let waited = advertise(&mut router, BELOW, 50, 60).unwrap();

    assert_eq!(waited.as_millis(), 5_000 + 3_610);
}

#[test]
fn a_delay_never_holds_back_a_takeover_from_a_silent_master() {
    let mut router = Router::started(preempting(member(), Preemption::Preempt { delay: ms(600_000) }));
    router.hear(BELOW, 50);

    assert_eq!(router.wait_for(State::Master).0, ms(3_000) + SKEW);
}

#[test]
fn a_delay_never_holds_back_a_takeover_from_a_master_that_releases() {
    let mut router = Router::started(preempting(member(), Preemption::Preempt { delay: ms(600_000) }));
    router.hear(BELOW, 50);
    router.hear_release(BELOW);

    assert_eq!(router.wait_for(State::Master).0, SKEW);
}

#[test]
fn an_owner_of_the_addresses_is_master_at_once() {
    let router = Router::started(single(with_priority(255)));

    assert_eq!((router.state(), router.reason()), (State::Master, Reason::AddressOwner));
}

#[test]
fn an_owner_of_the_addresses_preempts_whatever_is_configured() {
    for preemption in [Preemption::Never, Preemption::Preempt { delay: ms(60_000) }] {
        let mut router = Router::started(preempting(with_priority(255), preemption));
        // Only after it was silent for long does an owner listen at all.
        router.sleep(ms(10_000));
        router.hear(BELOW, 100);
        assert_eq!(router.state(), State::Backup, "it slept");

        assert!(advertise(&mut router, BELOW, 100, 5).is_some(), "{preemption:?}");
    }
}

#[test]
fn the_last_advert_of_a_deposed_router_does_not_shorten_the_patience_with_the_new_master() {
    // The new master advertises every 10 s, the deposed one did every second.
    let mut router = Router::started(preempting(with_priority(100), PREEMPT));
    router.hear_every(ABOVE, 200, 10_000);
    router.hear_every(BELOW, 150, 1_000);

    assert_eq!(deeds(&router.pass(ms(30_000))), [], "it would take over before the new master's second advert");
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_lower_master_is_followed_once_the_better_one_has_been_silent_for_long() {
    let mut router = Router::started(preempting(with_priority(100), PREEMPT));
    router.hear(ABOVE, 200);
    for _ in 0..10 {
        router.pass(ms(1_000));
        router.hear(BELOW, 150);
    }

    assert_eq!(router.state(), State::Backup);
    assert_eq!(router.group.followed(FIRST).map(|followed| followed.address), Some(ip(BELOW)));
}
