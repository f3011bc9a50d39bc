//! Groups that gain and lose members, change their order, are divided or united, while everything runs.

use holdfast_vrrp::{
    Action, Claim, Event, Group, GroupConfig, Link, MemberConfig, MemberIndex, Notice, Predecessor, Reason, State,
    TrackState, VirtualRouterId,
};

use crate::support::*;

const OTHER_VIP: &str = "10.77.0.200";

/// Another virtual router on the same interface.
fn other() -> MemberConfig {
    MemberConfig { virtual_router_id: VirtualRouterId::new(52).unwrap(), addresses: vec![ip(OTHER_VIP)], ..member() }
}

fn group(members: &[MemberConfig]) -> GroupConfig {
    GroupConfig::new(members.to_vec(), PREEMPT, vec![]).unwrap()
}

/// Where a member of a new group comes from.
fn from(router: &Router, member: MemberIndex) -> Predecessor<'_> {
    Predecessor { group: &router.group, member }
}

/// The successor at the time of its first predecessor, and what it does at first.
fn succeed(config: &GroupConfig, predecessors: &[Option<Predecessor<'_>>], near: &Router) -> (Router, Vec<Action>) {
    let mut router = Router { group: Group::succeed(config, &[], predecessors), now: near.now };
    let actions = router.reconfigure(config);
    (router, actions)
}

fn link_up(router: &mut Router, member: MemberIndex) -> Vec<Action> {
    router.handle(Event::Link { member, link: Link::Up { source: ip(OWN) } })
}

// === the same members ===

#[test]
fn another_order_of_the_members_changes_nothing() {
    let before = Router::master(group(&[member(), other()]));

    let (mut after, actions) =
        succeed(&group(&[other(), member()]), &[Some(from(&before, SECOND)), Some(from(&before, FIRST))], &before);

    assert_eq!(actions, [], "not a word, and no address is touched");
    assert_eq!((after.state(), after.group.since()), (State::Master, before.group.since()));
    assert_eq!(after.installed(), [ip(OTHER_VIP), ip(VIP)]);
    assert_eq!(after.next(), before.next());
    let adverts = deeds(&after.pass(ms(1_000)));
    assert_eq!(adverts.iter().filter(|action| matches!(action, Action::SendAdvert { .. })).count(), 2);
}

#[test]
fn a_backup_goes_on_waiting_for_the_master_that_it_follows() {
    let mut before = Router::started(group(&[member(), other()]));
    before.hear_on(FIRST, ABOVE, 200);
    before.hear_on(SECOND, ABOVE, 200);
    before.pass(ms(1_000));

    let (after, actions) =
        succeed(&group(&[other(), member()]), &[Some(from(&before, SECOND)), Some(from(&before, FIRST))], &before);

    assert_eq!((actions, after.state(), after.next()), (vec![], State::Backup, before.next()));
    assert_eq!(after.group.followed(SECOND), before.group.followed(FIRST));
}

#[test]
fn what_a_new_order_changes_besides_is_done_as_ever() {
    let before = Router::master(group(&[member(), other()]));
    let extended = MemberConfig { addresses: vec![ip(VIP), ip("10.77.0.101")], ..member() };

    let (after, actions) =
        succeed(&group(&[other(), extended]), &[Some(from(&before, SECOND)), Some(from(&before, FIRST))], &before);

    let (address, epoch) = (ip("10.77.0.101"), after.group.epoch());
    let added = Action::AddAddress { member: SECOND, address, epoch };
    assert_eq!(deeds(&actions), [added, Action::Announce { member: SECOND, address }]);
}

// === members that come ===

#[test]
fn a_member_joins_a_master_as_soon_as_its_interface_works() {
    let before = Router::master(single(member()));

    let (mut after, actions) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);
    assert_eq!((actions, after.state()), (vec![], State::Master));
    assert_eq!(deeds(&after.pass(ms(900))), [], "where the new member is to run is not known yet");

    let actions = link_up(&mut after, SECOND);
    let (address, epoch) = (ip(OTHER_VIP), after.group.epoch());
    let joined = [
        Action::SendAdvert { member: SECOND, claim: Claim::Master(priority(100)) },
        Action::AddAddress { member: SECOND, address, epoch },
        Action::Announce { member: SECOND, address },
    ];
    assert_eq!(deeds(&actions), joined);
    assert_eq!(notices(&actions), [], "the group is what it was");
}

#[test]
fn a_member_that_joins_a_backup_waits_as_long_as_any_other() {
    let mut before = Router::started(single(member()));
    before.hear(ABOVE, 200);
    let (mut after, _) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);
    after.pass(ms(2_000));
    assert_eq!(link_up(&mut after, SECOND), []);

    let (waited, _) = after.wait_for(State::Master);

    assert_eq!(waited.as_micros(), 3_609_375, "members move together");
}

#[test]
fn without_the_interface_of_a_new_member_a_backup_does_not_move() {
    let before = Router::started(single(member()));
    let (mut after, _) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);

    after.pass(ms(60_000));
    assert_eq!(after.state(), State::Backup);

    link_up(&mut after, SECOND);
    after.wait_for(State::Master);
}

#[test]
fn an_interface_that_is_down_takes_the_whole_group_along() {
    let before = Router::master(single(member()));
    let (mut after, _) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);

    let actions = after.link_down(SECOND);

    assert_eq!(deeds(&actions), [RELEASE, remove(VIP)]);
    assert_eq!((after.state(), after.reason()), (State::Fault, Reason::InterfaceDown));
}

#[test]
fn a_member_that_waits_to_join_does_not_make_its_group_look_asleep() {
    let before = Router::master(single(member()));
    let (mut after, _) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);

    after.pass(ms(60_000));

    assert_eq!(after.state(), State::Master);
    assert_eq!(after.group.counters(FIRST).unwrap().stalls, 0);
}

#[test]
fn a_better_router_of_a_member_that_joins_takes_the_group() {
    // Another node had been master of it alone: from now on the two belong together.
    let before = Router::master(single(member()));
    let (mut after, _) = succeed(&group(&[member(), other()]), &[Some(from(&before, FIRST)), None], &before);
    link_up(&mut after, SECOND);

    after.hear_on(SECOND, ABOVE, 200);

    assert_eq!((after.state(), after.reason()), (State::Backup, Reason::HigherPriority));
    assert_eq!(after.installed().len(), 2, "held until the other answers");
}

// === members that go ===

#[test]
fn only_the_member_that_goes_says_farewell() {
    let before = Router::master(group(&[member(), other()]));

    let (stays, quiet) = succeed(&single(member()), &[Some(from(&before, FIRST))], &before);
    let (mut goes, nothing) = succeed(&single(other()), &[Some(from(&before, SECOND))], &before);
    let farewell = goes.handle(Event::Drain);

    assert_eq!((quiet, nothing), (vec![], vec![]));
    assert_eq!((stays.state(), stays.installed()), (State::Master, vec![ip(VIP)]));
    assert_eq!(deeds(&farewell), [RELEASE]);
    assert_eq!(goes.installed(), [ip(OTHER_VIP)], "held until somebody takes it");
    goes.pass(ms(5_000));
    assert!(goes.group.is_finished());
}

#[test]
fn a_group_that_is_divided_stays_master_in_all_parts() {
    let before = Router::master(group(&[member(), other()]));
    for (config, member) in [(member(), FIRST), (other(), SECOND)] {
        let (part, actions) = succeed(&single(config), &[Some(from(&before, member))], &before);
        assert_eq!((actions, part.state()), (vec![], State::Master));
    }
}

#[test]
fn a_member_that_waited_for_the_others_alone_takes_over_without_them() {
    let mut before = Router::started(group(&[member(), other()]));
    for _ in 0..5 {
        before.hear_on(FIRST, ABOVE, 200);
        before.pass(ms(1_000));
    }
    assert_eq!(before.group.deaf_members().collect::<Vec<_>>(), [SECOND]);

    let (mut alone, _) = succeed(&single(other()), &[Some(from(&before, SECOND))], &before);

    assert_eq!(alone.wait_for(State::Master).0, ms(0), "its master has been silent for long enough");
}

// === groups that are united ===

#[test]
fn masters_that_are_united_are_one_master() {
    let (one, two) = (Router::master(single(member())), Router::master(single(other())));

    let (after, actions) =
        succeed(&group(&[member(), other()]), &[Some(from(&one, FIRST)), Some(from(&two, FIRST))], &one);

    assert_eq!((actions, after.state()), (vec![], State::Master));
    assert_eq!(after.installed(), [ip(VIP), ip(OTHER_VIP)]);
}

#[test]
fn a_master_that_is_united_with_a_backup_gives_way_and_keeps_its_addresses_until_then() {
    let master = Router::master(single(member()));
    let mut backup = Router::started(single(other()));
    backup.sleep(master.now.saturating_since(backup.now));
    backup.hear(ABOVE, 200);

    let (mut after, actions) =
        succeed(&group(&[member(), other()]), &[Some(from(&master, FIRST)), Some(from(&backup, FIRST))], &master);

    assert_eq!(deeds(&actions), [RELEASE], "for the member that was master");
    assert_eq!((after.state(), after.reason()), (State::Backup, Reason::Resigned));
    assert_eq!(after.installed(), [ip(VIP)]);
    let (_, actions) = after.wait_for(State::Master);
    assert!(!deeds(&actions).contains(&remove(VIP)), "nobody wanted the group");
    assert_eq!(after.installed(), [ip(VIP), ip(OTHER_VIP)]);
}

#[test]
fn a_fault_is_a_fault_of_the_united_group() {
    let master = Router::master(single(member()));
    let mut unfit = Router::started(single(other()));
    unfit.link_down(FIRST);

    let (after, actions) =
        succeed(&group(&[member(), other()]), &[Some(from(&master, FIRST)), Some(from(&unfit, FIRST))], &master);

    assert_eq!(deeds(&actions), [RELEASE, remove(VIP)]);
    assert_eq!((after.state(), after.reason()), (State::Fault, Reason::InterfaceDown));
}

#[test]
fn a_router_that_resigned_is_bound_by_that_in_a_new_group_too() {
    let config = tracking(MemberConfig { rival: Some(priority(99)), ..member() }, vec![weight(-15)]);
    let mut resigned = Router::master(config);
    resigned.track(0, TrackState::Down);
    let mut other_backup = Router::started(single(other()));
    other_backup.sleep(resigned.now.saturating_since(other_backup.now));

    let (mut after, _) = succeed(
        &group(&[member(), other()]),
        &[Some(from(&resigned, FIRST)), Some(from(&other_backup, FIRST))],
        &resigned,
    );
    for _ in 0..3 {
        after.pass(ms(1_000));
        after.hear_on(FIRST, BELOW, 50);
        after.hear_on(SECOND, BELOW, 50);
    }

    assert_eq!(after.state(), State::Backup, "a lower master is obeyed");
}

// === groups that take no part ===

#[test]
fn a_fault_lasts_in_the_successor_and_with_it_the_wait_for_the_kernel() {
    let mut before = Router::master(group(&[member(), other()]));
    before.refuse_address(VIP, before.group.epoch());

    let (after, actions) =
        succeed(&group(&[other(), member()]), &[Some(from(&before, SECOND)), Some(from(&before, FIRST))], &before);

    assert_eq!((actions, after.state(), after.reason()), (vec![], State::Fault, Reason::AddressFailed));
    assert_eq!(after.next(), before.next());
}

#[test]
fn a_group_of_new_members_only_is_a_new_group() {
    let config = group(&[member(), other()]);
    let mut router = Router::new(config.clone());
    router.group = Group::succeed(&config, &[], &[None, None]);

    router.links_up();
    let actions = router.handle(Event::Start);

    let started = Notice::StateChanged { from: State::Initialize, to: State::Backup, reason: Reason::Started };
    assert_eq!(notices(&actions), [started]);
}

#[test]
fn who_has_stopped_has_no_successor() {
    let mut stopped = Router::master(single(member()));
    stopped.handle(Event::Drain);

    let successor = Group::succeed(&single(member()), &[], &[Some(from(&stopped, FIRST))]);

    assert_eq!((successor.state(), successor.installed(FIRST).count()), (State::Initialize, 0));
}

// === another version of the protocol ===

#[test]
fn a_master_speaks_a_new_version_of_the_protocol_at_once() {
    let mut router = Router::master(single(MemberConfig { protocol: V2, ..member() }));
    router.pass(ms(300));

    let actions = router.reconfigure(&single(member()));

    assert_eq!(deeds(&actions), [advert(100)]);
    assert_eq!((router.state(), router.installed()), (State::Master, vec![ip(VIP)]));
}
