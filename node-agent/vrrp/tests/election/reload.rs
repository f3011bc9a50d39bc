//! A new configuration while running: only what differs changes, and nobody is deposed for it.

use holdfast_vrrp::{Event, Preemption, Reason, State};

use crate::support::*;

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

    let changed = holdfast_vrrp::MemberConfig { priority: priority(120), ..with_interval(200) };
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
