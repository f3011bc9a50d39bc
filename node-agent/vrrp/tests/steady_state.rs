//! In steady state the core allocates nothing: a busy machine must not make the election wait for memory.

// Counting allocations is not possible without `unsafe`; the counter hands everything on to the system's allocator.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is handed on unchanged to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: the caller keeps the contract of `alloc`, which is the same there.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the pointer comes from `alloc` above, that is from the system's allocator, with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use holdfast_vrrp::wire::{AdvertRepr, Datagram};
    use holdfast_vrrp::{
        Action, AdvertInterval, Announcements, Claim, Event, Family, Group, GroupConfig, Instant, Ipv4Checksum, Link,
        MemberConfig, MemberIndex, Preemption, Priority, Protocol, State, Transport, VirtualRouterId,
    };

    use super::ALLOCATIONS;

    /// Timer and packet events of each test.
    const EVENTS: u32 = 10_000;

    /// Room for the most actions of one call: an advert, and for each address three announcements and two questions.
    const MOST_ACTIONS: usize = 1 + 5 * 20;

    const MEMBER: MemberIndex = MemberIndex(0);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addresses() -> Vec<IpAddr> {
        (1..=20).map(|host| IpAddr::from([10, 77, 1, host])).collect()
    }

    fn group(number: u8) -> Group {
        let member = MemberConfig {
            virtual_router_id: VirtualRouterId::new(51).unwrap(),
            family: Family::Ipv4,
            protocol: Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
            interval: AdvertInterval::v3(Duration::from_millis(200)).unwrap(),
            priority: Priority::new(number).unwrap(),
            addresses: addresses(),
            transport: Transport::Multicast,
            known_peers: Some(vec![ip("10.77.0.2")]),
            rival: None,
            announcements: Announcements { refresh: Some(Duration::from_secs(1)), ..Announcements::default() },
        };
        let preemption = Preemption::Preempt { delay: Duration::ZERO };
        let mut group = Group::new(GroupConfig::new(vec![member], preemption, Vec::new()).unwrap(), &[]);
        let mut actions = Vec::new();
        let link = Link::Up { source: ip("10.77.0.1") };
        group.handle(Instant::ZERO, Event::Link { member: MEMBER, link }, &mut actions);
        group.handle(Instant::ZERO, Event::Start, &mut actions);
        group
    }

    fn message(number: u8) -> Vec<u8> {
        let repr = AdvertRepr {
            vrid: VirtualRouterId::new(51).unwrap(),
            claim: Claim::Master(Priority::new(number).unwrap()),
            protocol: Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
            interval: AdvertInterval::v3(Duration::from_millis(200)).unwrap(),
            addresses: &addresses(),
        };
        let mut buffer = vec![0; repr.length()];
        repr.emit(ip("10.77.0.2"), ip("224.0.0.18"), &mut buffer).unwrap();
        buffer
    }

    /// Wakes the group at each of its deadlines, hands it an advert each time, and writes what it asks for. Returns how
    /// many adverts it sent and how often memory was allocated.
    fn run(group: &mut Group, heard: &[u8], events: u32, actions: &mut Vec<Action>, buffer: &mut [u8]) -> (u32, u64) {
        let (source, destination) = (ip("10.77.0.2"), ip("224.0.0.18"));
        let mut now = group.next_deadline().unwrap_or_default();
        let (mut sent, before) = (0, ALLOCATIONS.get());
        for number in 0..events {
            actions.clear();
            if number % 2 == 0 {
                group.handle(now, Event::Timer, actions);
            } else {
                let datagram = Datagram { source, destination, hop_limit: 255, payload: heard };
                group.handle(now, Event::Packet { member: MEMBER, datagram }, actions);
                let wake = now.saturating_add(Duration::from_millis(150));
                now = group.next_deadline().map_or(wake, |deadline| deadline.min(wake)).max(now);
            }
            for action in &*actions {
                if let Action::SendAdvert { member, claim } = action {
                    group.encode(*member, *claim, ip("10.77.0.1"), destination, buffer).unwrap();
                    sent += 1;
                }
            }
        }
        (sent, ALLOCATIONS.get() - before)
    }

    #[test]
    fn ten_thousand_events_of_a_master_allocate_nothing() {
        let (mut group, mut actions, mut buffer) = (group(200), Vec::with_capacity(MOST_ACTIONS), [0; 128]);
        let mut now = group.next_deadline().unwrap();
        group.handle(now, Event::Timer, &mut actions);
        now = now.saturating_add(Duration::from_millis(1));
        assert_eq!(group.state(), State::Master);
        group.handle(now, Event::Timer, &mut actions);

        let (sent, allocations) = run(&mut group, &message(100), EVENTS, &mut actions, &mut buffer);

        assert_eq!(group.state(), State::Master);
        assert!(sent > 1_000, "{sent} adverts");
        assert_eq!(allocations, 0);
    }

    #[test]
    fn ten_thousand_events_of_a_backup_allocate_nothing() {
        let (mut group, mut actions, mut buffer) = (group(100), Vec::with_capacity(MOST_ACTIONS), [0; 128]);
        let heard = message(200);
        run(&mut group, &heard, 2, &mut actions, &mut buffer);

        let (sent, allocations) = run(&mut group, &heard, EVENTS, &mut actions, &mut buffer);

        assert_eq!((group.state(), sent), (State::Backup, 0));
        assert_eq!(group.counters(MEMBER).unwrap().adverts_received, 5_001);
        assert_eq!(allocations, 0);
    }

    #[test]
    fn a_flood_of_broken_packets_allocates_nothing() {
        let (mut group, mut actions, mut buffer) = (group(100), Vec::with_capacity(MOST_ACTIONS), [0; 128]);
        let mut broken = message(200);
        broken[6] ^= 0xff;
        run(&mut group, &broken, 2, &mut actions, &mut buffer);

        let (_, allocations) = run(&mut group, &broken, EVENTS, &mut actions, &mut buffer);

        assert_eq!(group.counters(MEMBER).unwrap().receive.total(), 5_001);
        assert_eq!(allocations, 0);
    }

    #[test]
    fn the_counter_counts() {
        let before = ALLOCATIONS.get();
        std::hint::black_box(Box::new(1_u64));
        assert_eq!(ALLOCATIONS.get() - before, 1);
    }
}
