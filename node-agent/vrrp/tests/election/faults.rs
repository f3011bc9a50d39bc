//! Being unfit to be master (`keepalived.md` section 2.4): entered at once, left only when the last cause is gone.

use holdfast_vrrp::{Event, MemberConfig, Notice, Reason, State, TrackState};

use crate::support::*;

fn check() -> holdfast_vrrp::GroupConfig {
    tracking(member(), vec![weight(0)])
}

#[test]
fn a_master_that_fails_says_so_and_gives_the_addresses_up_at_once() {
    let mut router = Router::master(check());

    let actions = router.track(0, TrackState::Down);

    assert_eq!(deeds(&actions), [RELEASE, remove(VIP)], "what does not work cannot be handed over");
    let told = Notice::StateChanged { from: State::Master, to: State::Fault, reason: Reason::CheckFailed };
    assert_eq!(notices(&actions), [told]);
    assert_eq!(router.next(), None, "no timer runs");
}

#[test]
fn a_master_whose_link_is_down_cannot_even_say_so() {
    let mut router = Router::master(single(member()));

    let actions = router.link_down(FIRST);

    assert_eq!(deeds(&actions), [remove(VIP)]);
    assert_eq!(router.reason(), Reason::InterfaceDown);
}

#[test]
fn a_backup_that_fails_only_tells() {
    let mut router = Router::started(check());
    router.hear(ABOVE, 200);

    let actions = router.track(0, TrackState::Down);

    assert_eq!(deeds(&actions), []);
    assert_eq!(notices(&actions).len(), 1);
}

#[test]
fn a_router_in_fault_ignores_adverts() {
    let mut router = Router::started(check());
    router.track(0, TrackState::Down);

    for number in [0, 1, 100, 254, 255] {
        let actions = if number == 0 { router.hear_release(ABOVE) } else { router.hear(ABOVE, number) };
        assert_eq!((actions, router.state()), (vec![], State::Fault), "priority {number}");
    }
}

#[test]
fn a_fault_is_left_through_backup_and_a_whole_master_down_interval() {
    let mut router = Router::master(check());
    router.track(0, TrackState::Down);
    router.pass(ms(60_000));

    router.track(0, TrackState::Up);

    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::Recovered));
    assert_eq!(router.wait_for(State::Master).0.as_micros(), 3_609_375);
}

#[test]
fn an_owner_leaves_a_fault_as_master() {
    let mut router = Router::master(tracking(with_priority(255), vec![weight(0)]));
    router.track(0, TrackState::Down);
    assert_eq!(router.state(), State::Fault, "a check counts for an owner too");

    router.track(0, TrackState::Up);

    assert_eq!((router.state(), router.reason()), (State::Master, Reason::AddressOwner));
}

#[test]
fn a_fault_lasts_until_its_last_cause_is_gone() {
    // keepalived once kept one bit for all interfaces: the first to recover cleared it.
    let mut router = Router::started(tracking(member(), vec![weight(0), weight(0)]));
    router.track(0, TrackState::Down);
    router.track(1, TrackState::Down);
    router.link_down(FIRST);

    router.track(0, TrackState::Up);
    assert_eq!(router.state(), State::Fault);
    router.links_up();
    assert_eq!(router.state(), State::Fault);
    router.track(1, TrackState::Up);
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_reversed_check_of_weight_zero_fails_when_it_succeeds() {
    let tracker = holdfast_vrrp::Tracker { reverse: true, ..weight(0) };
    let mut router = Router::new(tracking(member(), vec![tracker]));
    router.links_up();
    router.handle(Event::Start);

    router.track(0, TrackState::Up);
    assert_eq!(router.state(), State::Fault);
    router.track(0, TrackState::Down);
    assert_eq!(router.state(), State::Backup);
}

#[test]
fn a_start_waits_for_interfaces_and_for_checks_of_weight_zero_but_for_no_others() {
    let mut router = Router::new(tracking(member(), vec![weight(0), weight(-15)]));
    assert_eq!(router.handle(Event::Start), []);
    assert_eq!(router.state(), State::Initialize);
    router.links_up();
    assert_eq!(router.state(), State::Initialize);
    router.track(0, TrackState::Up);
    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::Started));
}

// === the kernel ===

#[test]
fn an_address_that_the_kernel_refuses_is_a_fault_and_no_black_hole() {
    let both = vec![ip(VIP), ip("10.77.0.101")];
    let mut router = Router::master(single(MemberConfig { addresses: both, ..member() }));

    let actions = router.refuse_address(VIP, router.group.epoch());

    assert_eq!(deeds(&actions), [RELEASE, remove("10.77.0.101")], "the refused one is not there to be removed");
    assert_eq!((router.state(), router.reason()), (State::Fault, Reason::AddressFailed));
}

#[test]
fn what_the_kernel_refused_is_tried_again_ever_more_rarely() {
    let mut router = Router::master(single(member()));
    let mut waits = Vec::new();
    for _ in 0..8 {
        router.refuse_address(VIP, router.group.epoch());
        assert_eq!(router.state(), State::Fault);
        waits.push(router.next().unwrap().as_secs());
        router.wait_for(State::Master);
    }

    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 32, 32]);
}

#[test]
fn a_master_that_held_its_addresses_for_an_interval_starts_to_count_anew() {
    let mut router = Router::master(single(member()));
    router.refuse_address(VIP, router.group.epoch());
    router.wait_for(State::Master);
    router.pass(ms(1_000));

    router.refuse_address(VIP, router.group.epoch());

    assert_eq!(router.next(), Some(ms(1_000)));
}

#[test]
fn a_report_about_an_earlier_state_is_out_of_date() {
    let mut router = Router::master(single(member()));
    let before = router.group.epoch();
    router.hear(ABOVE, 200);

    assert_eq!(router.refuse_address(VIP, before), []);
    assert_eq!(router.group.counters(FIRST).unwrap().outdated_reports, 1);
}

#[test]
fn three_adverts_in_a_row_that_cannot_be_sent_are_a_fault() {
    let mut router = Router::master(single(member()));
    for _ in 0..2 {
        router.handle(Event::SendFailed { member: FIRST });
        assert_eq!(router.state(), State::Master);
        router.pass(ms(1_000));
    }

    router.handle(Event::SendFailed { member: FIRST });

    assert_eq!((router.state(), router.reason()), (State::Fault, Reason::SendFailed), "by now a peer takes over");
}

#[test]
fn an_advert_that_was_sent_in_between_makes_up_for_those_that_were_not() {
    let mut router = Router::master(single(member()));
    for _ in 0..10 {
        router.handle(Event::SendFailed { member: FIRST });
        router.pass(ms(2_000));
    }

    assert_eq!(router.state(), State::Master);
}

#[test]
fn several_failures_of_one_advert_count_once() {
    let mut router = Router::master(single(member()));
    for _ in 0..10 {
        router.handle(Event::SendFailed { member: FIRST });
    }

    assert_eq!(router.state(), State::Master, "one advert to ten peers");
}

// === causes that change ===

#[test]
fn a_fault_names_the_cause_that_is_left() {
    let mut router = Router::started(check());
    router.track(0, TrackState::Down);
    assert_eq!(router.reason(), Reason::CheckFailed);

    let actions = router.link_down(FIRST);
    assert_eq!(router.reason(), Reason::InterfaceDown, "what is more fundamental counts first");
    assert_eq!(notices(&actions), [Notice::ReasonChanged { reason: Reason::InterfaceDown }]);

    let since = router.group.since();
    router.pass(ms(1_000));
    router.links_up();
    assert_eq!(router.reason(), Reason::CheckFailed);
    assert_eq!(router.group.since(), since, "it is still the same fault");
}

#[test]
fn what_the_kernel_refused_is_forgotten_with_the_address_that_it_was_about() {
    let mut router = Router::master(single(member()));
    router.refuse_address(VIP, router.group.epoch());

    let same = MemberConfig { priority: priority(90), ..member() };
    router.reconfigure(&single(same));
    assert_eq!(router.state(), State::Fault, "the address is still the one that was refused");

    let other = MemberConfig { addresses: vec![ip("10.77.0.101")], ..member() };
    router.reconfigure(&single(other));
    assert_eq!((router.state(), router.reason()), (State::Backup, Reason::Recovered), "there is no need to wait");
}

#[test]
fn what_the_kernel_refused_is_forgotten_when_the_interface_changes() {
    let mut router = Router::master(single(member()));
    router.refuse_address(VIP, router.group.epoch());

    router.link_down(FIRST);
    assert_eq!(router.reason(), Reason::InterfaceDown);
    router.links_up();

    assert_eq!(router.state(), State::Backup);
}

#[test]
fn adverts_that_cannot_be_sent_have_nothing_to_do_with_addresses() {
    let mut router = Router::master(single(member()));
    for _ in 0..2 {
        router.handle(Event::SendFailed { member: FIRST });
        router.pass(ms(1_000));
    }
    router.handle(Event::SendFailed { member: FIRST });
    assert_eq!(router.reason(), Reason::SendFailed);

    router.reconfigure(&single(MemberConfig { addresses: vec![ip("10.77.0.101")], ..member() }));

    assert_eq!(router.state(), State::Fault);
}
