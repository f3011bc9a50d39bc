//! Telling neighbours where the addresses are, and how often (`vrrp.md` section 4, RFC 9568 section 6.4).

use holdfast_vrrp::{Announcements, Event, State};

use crate::support::*;

fn schedule(count: u8, delay_ms: u64) -> Announcements {
    Announcements { count, delay: ms(delay_ms), refresh: None }
}

fn master_with(announcements: Announcements) -> Router {
    Router::master(single(holdfast_vrrp::MemberConfig { announcements, ..member() }))
}

/// When each announcement after the first comes, in milliseconds after the takeover.
fn times(router: &mut Router, until_ms: u64) -> Vec<u64> {
    let takeover = router.now;
    let mut times = Vec::new();
    for _ in 0..until_ms {
        let actions = router.pass(ms(1));
        let after = u64::try_from(router.now.saturating_since(takeover).as_millis()).unwrap();
        times.extend(std::iter::repeat_n(after, announcements(&actions)));
    }
    times
}

#[test]
fn announcements_that_are_all_due_at_once_are_spread_and_none_is_left_out() {
    let mut router = master_with(schedule(5, 0));

    assert!(router.next() > Some(ms(0)), "a deadline in the present would make the driver spin");
    assert_eq!(times(&mut router, 100), [1, 2, 3, 4], "the first was sent with the takeover");
}

#[test]
fn announcements_that_a_late_wake_up_missed_do_not_come_all_at_once() {
    let mut router = master_with(schedule(5, 2_000));
    router.sleep(ms(2_500));

    let actions = router.handle(Event::Timer);

    assert_eq!(router.state(), State::Master);
    assert_eq!(announcements(&actions), 1);
    assert!(router.next() > Some(ms(0)), "a deadline in the present would make the driver spin");
}
