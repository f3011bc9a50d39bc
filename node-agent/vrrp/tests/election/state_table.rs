//! The state table, cell by cell: what becomes of a group in each situation when something happens to it.
//!
//! A group of priority 100 with two trackers: the first has weight 0, the second -40. Its address is held by nobody else,
//! and its rival is worse than it can become.

use holdfast_vrrp::wire::Datagram;
use holdfast_vrrp::{Epoch, Event, MemberConfig, State, TrackState};

use crate::support::*;

/// Where a group stands. `Initialize` is three of them.
const SITUATIONS: &str = "New Pending Fault Backup Master Stopped";

/// What happens, and in which situation that leaves each of the six.
const TABLE: &str = "
    Start               Pending  Pending  Fault    Backup   Master   Stopped
    Drain               Stopped  Stopped  Stopped  Stopped  Stopped  Stopped
    Abort               Stopped  Stopped  Stopped  Stopped  Stopped  Stopped
    EarlyTimer          New      Pending  Fault    Backup   Master   Stopped
    LateTimer           New      Pending  Fault    Master   Master   Stopped
    Release             New      Pending  Fault    Backup   Master   Stopped
    HigherPriority      New      Pending  Fault    Backup   Backup   Stopped
    HigherAddress       New      Pending  Fault    Backup   Backup   Stopped
    LowerAddress        New      Pending  Fault    Backup   Master   Stopped
    LowerPriority       New      Pending  Fault    Backup   Master   Stopped
    StrangerAdvert      New      Pending  Fault    Backup   Master   Stopped
    OwnAdvert           New      Pending  Fault    Backup   Master   Stopped
    Junk                New      Pending  Fault    Backup   Master   Stopped
    LinkUp              New      Pending  Fault    Backup   Master   Stopped
    LinkDown            New      Fault    Fault    Fault    Fault    Stopped
    CheckPasses         New      Backup   Backup   Backup   Master   Stopped
    CheckFails          New      Fault    Fault    Fault    Fault    Stopped
    PriorityRises       New      Pending  Fault    Backup   Master   Stopped
    PriorityFalls       New      Pending  Fault    Backup   Master   Stopped
    NoNews              New      Pending  Fault    Backup   Master   Stopped
    NeighborClaim       New      Pending  Fault    Backup   Master   Stopped
    AddressDeleted      New      Pending  Fault    Backup   Master   Stopped
    AddressRefused      New      Pending  Fault    Backup   Fault    Stopped
    OutdatedRefusal     New      Pending  Fault    Backup   Master   Stopped
    SendRefused         New      Pending  Fault    Backup   Master   Stopped
    HigherPriorityConf  New      Pending  Fault    Backup   Master   Stopped
    OwnerConf           New      Pending  Fault    Backup   Master   Stopped
    WithoutCheckConf    New      Backup   Backup   Backup   Master   Stopped
    FailingCheckConf    New      Fault    Fault    Fault    Fault    Stopped
    ResigningConf       New      Pending  Fault    Backup   Backup   Stopped
    OtherRouterConf     New      Pending  Fault    Backup   Master   Stopped
";

/// The same for a group whose addresses are its own: it waits for nobody.
const TABLE_OF_AN_OWNER: &str = "
    CheckPasses         New      Master   Master   Backup   Master   Stopped
    WithoutCheckConf    New      Master   Master   Backup   Master   Stopped
    LinkUp              New      Pending  Fault    Backup   Master   Stopped
    HigherAddress       New      Pending  Fault    Backup   Backup   Stopped
    PriorityFalls       New      Pending  Fault    Backup   Master   Stopped
    LowerPriority       New      Pending  Fault    Backup   Master   Stopped
";

fn config(number: u8) -> holdfast_vrrp::GroupConfig {
    let member = MemberConfig { rival: Some(priority(10)), ..with_priority(number) };
    tracking(member, vec![weight(0), weight(-40)])
}

fn in_situation(situation: &str, number: u8) -> Router {
    let mut router = Router::new(config(number));
    router.links_up();
    if situation == "New" {
        return router;
    }
    router.handle(Event::Start);
    match situation {
        "Pending" => return router,
        "Fault" => {
            router.track(0, TrackState::Down);
            return router;
        }
        _ => router.track(0, TrackState::Up),
    };
    if situation == "Backup" {
        // An owner is one only after it has slept for long.
        router.sleep(ms(if number == 255 { 10_000 } else { 1 }));
        router.hear(BELOW, number - 1);
        return router;
    }
    if router.state() != State::Master {
        router.wait_for(State::Master);
    }
    router.pass(ms(1_500));
    if situation == "Stopped" {
        router.handle(Event::Drain);
    }
    router
}

fn happen(input: &str, router: &mut Router, number: u8) {
    let first = router.group.epoch();
    match input {
        "Start" => router.handle(Event::Start),
        "Drain" => router.handle(Event::Drain),
        "Abort" => router.handle(Event::Abort),
        "EarlyTimer" => router.handle(Event::Timer),
        "LateTimer" => {
            router.sleep(router.next().unwrap_or_default());
            let silent = router.state() == State::Backup;
            router.sleep(ms(if silent { 4_000 } else { 0 }));
            router.handle(Event::Timer)
        }
        "Release" => router.hear_release(BELOW),
        "HigherPriority" => router.hear(BELOW, number + 1),
        "HigherAddress" => router.hear(ABOVE, number),
        "LowerAddress" => router.hear(BELOW, number),
        "LowerPriority" => router.hear(ABOVE, number - 1),
        "StrangerAdvert" => router.hear(STRANGER, 255),
        "OwnAdvert" => router.hear(OWN, number),
        "Junk" => {
            let (source, destination) = (ip(ABOVE), ip("224.0.0.18"));
            let datagram = Datagram { source, destination, hop_limit: 255, payload: &[0x31, 51, 255, 1, 0, 100, 0, 0] };
            router.handle(Event::Packet { member: FIRST, datagram })
        }
        "LinkUp" => router.links_up(),
        "LinkDown" => router.link_down(FIRST),
        "CheckPasses" => router.track(0, TrackState::Up),
        "CheckFails" => router.track(0, TrackState::Down),
        "PriorityRises" => {
            router.track(1, TrackState::Down);
            router.track(1, TrackState::Up)
        }
        "PriorityFalls" => router.track(1, TrackState::Down),
        "NoNews" => router.track(1, TrackState::Unknown),
        "NeighborClaim" => router.handle(Event::NeighborClaim { member: FIRST, address: ip(VIP), by: None }),
        "AddressDeleted" => router.handle(Event::AddressDeleted { member: FIRST, address: ip(VIP) }),
        "AddressRefused" => router.refuse_address(VIP, first),
        "OutdatedRefusal" => router.refuse_address(VIP, Epoch(first.0.wrapping_sub(1))),
        "SendRefused" => router.handle(Event::SendFailed { member: FIRST }),
        "HigherPriorityConf" => router.reconfigure(&config(number.max(200))),
        "OwnerConf" => router.reconfigure(&config(255)),
        "WithoutCheckConf" => router.reconfigure(&tracking(with_priority(number), vec![])),
        "FailingCheckConf" => {
            let event = Event::Reconfigure { config: &config(number), trackers: &[TrackState::Down] };
            router.handle(event)
        }
        "ResigningConf" => {
            let resigning = MemberConfig { rival: Some(priority(90)), ..with_priority(80) };
            router.reconfigure(&tracking(resigning, vec![weight(0), weight(-40)]))
        }
        "OtherRouterConf" => {
            let virtual_router_id = holdfast_vrrp::VirtualRouterId::new(7).unwrap();
            router.reconfigure(&single(MemberConfig { virtual_router_id, ..member() }))
        }
        other => panic!("{other}?"),
    };
}

fn check(table: &str, number: u8) {
    for row in table.lines().filter(|row| !row.trim().is_empty()) {
        let (input, outcomes) = row.trim().split_once(' ').unwrap();
        for (situation, outcome) in SITUATIONS.split(' ').zip(outcomes.split_whitespace()) {
            let mut router = in_situation(situation, number);
            happen(input, &mut router, number);
            let expected = match outcome {
                "Fault" => State::Fault,
                "Backup" => State::Backup,
                "Master" => State::Master,
                _ => State::Initialize,
            };
            assert_eq!(router.state(), expected, "{situation} + {input}, priority {number}: {:?}", router.reason());
            check_initialize(outcome, router, input);
        }
    }
}

/// Tells the three kinds of `Initialize` apart by what wakes them.
fn check_initialize(outcome: &str, mut router: Router, input: &str) {
    let everything_is_there = |router: &mut Router| {
        router.links_up();
        router.track(0, TrackState::Up);
        router.state() != State::Initialize
    };
    match outcome {
        "New" => {
            assert!(!everything_is_there(&mut router), "{input}: not started");
            router.handle(Event::Start);
            assert!(everything_is_there(&mut router), "{input}: can be started");
        }
        "Pending" => assert!(everything_is_there(&mut router), "{input}: was waiting"),
        "Stopped" => {
            router.handle(Event::Start);
            assert!(!everything_is_there(&mut router), "{input}: is stopped for good");
        }
        _ => {}
    }
}

#[test]
fn each_cell_of_the_state_table_has_its_outcome() {
    check(TABLE, 100);
}

#[test]
fn an_owner_of_the_addresses_waits_for_nobody() {
    check(TABLE_OF_AN_OWNER, 255);
}
