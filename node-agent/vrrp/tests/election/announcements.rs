//! Telling neighbours where the addresses are, and how often (`vrrp.md` section 4, RFC 9568 section 6.4).

use holdfast_vrrp::{Action, Announcements, Event, MemberConfig, State};

use crate::support::*;

fn schedule(count: u8, delay_ms: u64) -> Announcements {
    Announcements { count, delay: ms(delay_ms), refresh: None }
}

fn master_with(announcements: Announcements) -> Router {
    Router::master(single(MemberConfig { announcements, ..member() }))
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
fn five_announcements_spread_over_five_seconds_unless_configured_otherwise() {
    let mut router = master_with(Announcements { refresh: None, ..Announcements::default() });

    assert_eq!(times(&mut router, 10_000), [79, 625, 2_110, 5_000], "rounded up; the first was sent with the takeover");
}

#[test]
fn a_single_announcement_is_not_repeated() {
    let mut router = master_with(schedule(1, 5_000));

    assert_eq!(times(&mut router, 20_000), [] as [u64; 0]);
}

#[test]
fn a_master_repeats_its_announcements_as_often_as_it_is_told() {
    let mut router = master_with(Announcements { refresh: Some(ms(1_500)), ..schedule(1, 0) });

    assert_eq!(times(&mut router, 5_000), [1_500, 3_000, 4_500]);
}

#[test]
fn every_repetition_asks_whether_anyone_else_answers() {
    let mut router = master_with(Announcements { refresh: Some(ms(4_500)), ..schedule(5, 5_000) });
    router.pass(ms(4_000));

    // At 4.5 s, at 5 s, and at 9 s.
    for pause in [500, 500, 4_000] {
        let actions = router.pass(ms(pause));

        assert!(actions.contains(&Action::Probe { member: FIRST, address: ip(VIP) }), "{actions:?}");
    }
}

#[test]
fn a_predecessor_that_was_killed_may_answer_until_its_kernel_has_forgotten_the_address() {
    let mut router = master_with(schedule(5, 5_000));

    for _ in 0..3_999 {
        let actions = router.pass(ms(1));

        assert!(!actions.iter().any(|action| matches!(action, Action::Probe { .. })), "{actions:?}");
    }
}

#[test]
fn nothing_is_announced_by_who_is_not_master() {
    let mut router = master_with(Announcements { refresh: Some(ms(1_500)), ..schedule(5, 5_000) });
    router.hear(ABOVE, 200);
    for _ in 0..20 {
        assert_eq!(announcements(&router.pass(ms(1_000))), 0);
        router.hear(ABOVE, 200);
    }
}

#[test]
fn addresses_are_announced_in_their_order_round_by_round() {
    let addresses = vec![ip("10.77.0.103"), ip("10.77.0.101"), ip("10.77.0.102")];
    let mut router = Router::started(single(MemberConfig { addresses: addresses.clone(), ..member() }));

    let (_, actions) = router.wait_for(State::Master);

    let announced: Vec<_> = actions
        .iter()
        .filter_map(|action| match action {
            holdfast_vrrp::Action::Announce { address, .. } => Some(*address),
            _ => None,
        })
        .collect();
    assert_eq!(announced, addresses);
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
