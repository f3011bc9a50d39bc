//! In steady state the core allocates nothing: a busy machine must not make the election wait for memory.

#[cfg(test)]
#[path = "../benches/cases/mod.rs"]
mod cases;

#[cfg(test)]
mod tests {
    use std::net::IpAddr;
    use std::time::Duration;

    use allocation_counter::measure;
    use holdfast_vrrp::wire::{AdvertRepr, Datagram};
    use holdfast_vrrp::{
        Action, AdvertInterval, Announcements, Claim, Event, Family, Group, GroupConfig, Instant, Ipv4Checksum, Link,
        MemberConfig, MemberIndex, Preemption, Priority, Protocol, State, Transport, VirtualRouterId,
    };

    use super::cases::CASES;

    /// Timer and packet events of each test.
    const EVENTS: u32 = 10_000;

    /// Room for the most actions of one call: two members' adverts, and for each address three announcements and two
    /// questions.
    const MOST_ACTIONS: usize = 2 * (1 + 9 * 20);

    const MEMBER: MemberIndex = MemberIndex(0);
    const SECOND: MemberIndex = MemberIndex(1);

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn addresses() -> Vec<IpAddr> {
        (1..=20).map(|host| IpAddr::from([10, 77, 1, host])).collect()
    }

    fn member(vrid: u8, priority: u8) -> MemberConfig {
        MemberConfig {
            virtual_router_id: VirtualRouterId::new(vrid).unwrap(),
            family: Family::Ipv4,
            protocol: Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader },
            interval: AdvertInterval::v3(Duration::from_millis(200)).unwrap(),
            priority: Priority::new(priority).unwrap(),
            addresses: addresses(),
            transport: Transport::Multicast,
            known_peers: Some(vec![ip("10.77.0.2")]),
            rival: None,
            announcements: Announcements { refresh: Some(Duration::from_secs(1)), ..Announcements::default() },
        }
    }

    fn group_of(members: Vec<MemberConfig>) -> Group {
        let indices = (0..).map(MemberIndex).take(members.len());
        let preemption = Preemption::Preempt { delay: Duration::ZERO };
        let mut group = Group::new(GroupConfig::new(members, preemption, Vec::new()).unwrap(), &[]);
        let mut actions = Vec::new();
        let link = Link::Up { source: ip("10.77.0.1") };
        for member in indices {
            group.handle(Instant::ZERO, Event::Link { member, link }, &mut actions);
        }
        group.handle(Instant::ZERO, Event::Start, &mut actions);
        group
    }

    fn group(priority: u8) -> Group {
        group_of(vec![member(51, priority)])
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
        let mut sent = 0;
        let measured = measure(|| {
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
        });
        (sent, measured.count_total)
    }

    #[test]
    fn no_operation_that_is_measured_allocates() {
        for case in CASES {
            let mut operation = (case.prepare)();
            let measured = measure(|| (0..5).for_each(|_| assert!(operation() < usize::MAX)));
            assert_eq!(measured.count_total, 0, "{}, with 5 times {} adverts", case.name, case.adverts);
        }
    }

    #[test]
    fn ten_thousand_events_of_a_master_allocate_nothing() {
        let (mut group, mut actions, mut buffer) = (group(200), Vec::with_capacity(MOST_ACTIONS), [0; 128]);
        become_master(&mut group, &mut actions);

        let (sent, allocations) = run(&mut group, &message(100), EVENTS, &mut actions, &mut buffer);

        assert_eq!(group.state(), State::Master);
        assert!(sent > 1_000, "{sent} adverts");
        assert_eq!(allocations, 0);
    }

    #[test]
    fn ten_thousand_events_of_a_group_of_two_masters_allocate_nothing() {
        let mut group = group_of(vec![member(51, 200), member(52, 200)]);
        let (mut actions, mut buffer) = (Vec::with_capacity(MOST_ACTIONS), [0; 128]);
        become_master(&mut group, &mut actions);

        let (sent, allocations) = run(&mut group, &message(100), EVENTS, &mut actions, &mut buffer);

        assert_eq!(group.state(), State::Master);
        assert!(sent > 2_000, "{sent} adverts");
        assert!(group.counters(SECOND).unwrap().adverts_sent > 1_000);
        assert_eq!(allocations, 0);
    }

    fn become_master(group: &mut Group, actions: &mut Vec<Action>) {
        let now = group.next_deadline().unwrap();
        group.handle(now, Event::Timer, actions);
        assert_eq!(group.state(), State::Master);
        group.handle(now.saturating_add(Duration::from_millis(1)), Event::Timer, actions);
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
        assert_eq!(measure(|| drop(std::hint::black_box(Box::new(1_u64)))).count_total, 1);
    }
}
