//! One wake-up of a driver for ten thousand groups at once, as the agent's election thread does it, but for the system
//! calls: deadlines in a heap, one list of actions for all groups, one buffer for all adverts.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::hint::black_box;
use std::ops::Range;

use holdfast_vrrp::{Action, Event, Group, Instant, State};

use super::Operation;
use super::decode::datagram;
use super::router::{INTERVAL, MEMBER, V3_IPV4};

pub(crate) const INSTANCES: u32 = 10_000;

/// Enough for an advert of one address.
const ADVERT_LENGTH: usize = 64;

/// Every group is master, and all of them are due at once.
pub(crate) fn masters_send() -> Operation {
    let mut driver = Driver::new(&V3_IPV4.master());
    let mut step = move || {
        driver.now = driver.now.saturating_add(INTERVAL);
        driver.fire_timers();
        driver.write_adverts()
    };
    assert_eq!(step(), INSTANCES as usize);
    Box::new(step)
}

/// Every group is backup, and each hears its master. Every fourth time the deadlines in the heap have become too early.
pub(crate) fn backups_receive() -> Operation {
    let packets = vec![V3_IPV4.packet_of_master(); INSTANCES as usize];
    let mut driver = Driver::new(&V3_IPV4.backup());
    let mut step = move || {
        driver.now = driver.now.saturating_add(INTERVAL);
        driver.receive(black_box(&packets));
        driver.fire_timers();
        driver.groups.iter().filter(|group| group.state() == State::Backup).count()
    };
    assert_eq!(step(), INSTANCES as usize);
    Box::new(step)
}

struct Driver {
    now: Instant,
    groups: Vec<Group>,
    /// An entry may be too early: it is put back when its turn comes.
    deadlines: BinaryHeap<Reverse<(Instant, usize)>>,
    actions: Vec<Action>,
    /// Which group asked for which actions.
    requests: Vec<(usize, Range<usize>)>,
    bytes: Vec<u8>,
}

impl Driver {
    fn new(group: &Group) -> Self {
        let count = INSTANCES as usize;
        let deadline = group.next_deadline().unwrap();
        Self {
            now: group.since(),
            groups: vec![group.clone(); count],
            deadlines: (0..count).map(|slot| Reverse((deadline, slot))).collect(),
            actions: Vec::with_capacity(count),
            requests: Vec::with_capacity(count),
            bytes: vec![0; count * ADVERT_LENGTH],
        }
    }

    fn receive(&mut self, packets: &[Vec<u8>]) {
        for (slot, packet) in packets.iter().enumerate() {
            let datagram = datagram(&V3_IPV4, packet);
            self.handle(slot, Event::Packet { member: MEMBER, datagram });
        }
    }

    fn fire_timers(&mut self) {
        while let Some(Reverse((queued, slot))) = self.deadlines.peek().copied().filter(|entry| entry.0.0 <= self.now) {
            self.deadlines.pop();
            let wanted = self.groups.get(slot).and_then(Group::next_deadline);
            if wanted == Some(queued) {
                self.handle(slot, Event::Timer);
            }
            let next = self.groups.get(slot).and_then(Group::next_deadline);
            self.deadlines.extend(next.map(|next| Reverse((next, slot))));
        }
    }

    fn handle(&mut self, slot: usize, event: Event<'_>) {
        let Some(group) = self.groups.get_mut(slot) else { return };
        let first = self.actions.len();
        group.handle(self.now, event, &mut self.actions);
        if self.actions.len() > first {
            self.requests.push((slot, first..self.actions.len()));
        }
    }

    /// Returns how many.
    fn write_adverts(&mut self) -> usize {
        let (mut written, mut rest) = (0, self.bytes.as_mut_slice());
        for (slot, range) in self.requests.drain(..) {
            let (Some(group), Some(actions)) = (self.groups.get(slot), self.actions.get(range)) else { continue };
            for action in actions {
                let Action::SendAdvert { member, claim } = *action else { continue };
                let buffer = rest.split_off_mut(..ADVERT_LENGTH).unwrap();
                let (source, destination) = (V3_IPV4.own_address(), V3_IPV4.destination());
                group.encode(member, claim, source, destination, buffer).unwrap();
                written += 1;
            }
        }
        self.actions.clear();
        black_box(&self.bytes);
        written
    }
}
