//! When which group wants to be woken: a heap that forgets lazily.
//!
//! A group's deadline moves with almost every packet, mostly to a later time. A heap cannot move an entry, so an entry
//! that is too early stays, and is put back at its true time when its turn comes. So the heap holds one entry for each
//! group, and a few more where deadlines moved forward; a flood of packets adds none.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use holdfast_vrrp::Instant;

use super::slot::Slot;

/// The deadlines of all groups.
#[derive(Clone, Debug, Default)]
pub(super) struct Deadlines {
    heap: BinaryHeap<Reverse<(Instant, Slot)>>,
    groups: Vec<Deadline>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Deadline {
    /// When the group wants to be woken.
    wanted: Option<Instant>,
    /// The earliest entry of the heap that counts for the group.
    queued: Option<Instant>,
}

impl Deadlines {
    /// Sets the deadline of a group, in place of its earlier one.
    pub(super) fn set(&mut self, slot: Slot, wanted: Option<Instant>) {
        if self.groups.len() <= slot.index() {
            self.groups.resize(slot.index() + 1, Deadline::default());
        }
        let Some(deadline) = self.groups.get_mut(slot.index()) else { return };
        deadline.wanted = wanted;
        if let Some(wanted) = wanted
            && deadline.queued.is_none_or(|queued| wanted < queued)
        {
            deadline.queued = Some(wanted);
            self.heap.push(Reverse((wanted, slot)));
        }
    }

    /// The earliest deadline of all.
    pub(super) fn next(&mut self) -> Option<Instant> {
        self.settle_first().map(|(deadline, _)| deadline)
    }

    /// Takes out a group whose deadline has come; it has none until it is set anew.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<Slot> {
        let (_, slot) = self.settle_first().filter(|(deadline, _)| *deadline <= now)?;
        self.heap.pop();
        if let Some(deadline) = self.groups.get_mut(slot.index()) {
            *deadline = Deadline::default();
        }
        Some(slot)
    }

    /// Throws entries away, or puts them back at their true time, until the first one is true.
    fn settle_first(&mut self) -> Option<(Instant, Slot)> {
        loop {
            let Reverse((queued, slot)) = *self.heap.peek()?;
            let deadline = self.groups.get_mut(slot.index()).filter(|deadline| deadline.queued == Some(queued));
            match deadline {
                Some(Deadline { wanted: Some(wanted), .. }) if *wanted == queued => return Some((queued, slot)),
                Some(deadline) => {
                    self.heap.pop();
                    deadline.queued = deadline.wanted;
                    if let Some(wanted) = deadline.wanted {
                        self.heap.push(Reverse((wanted, slot)));
                    }
                }
                None => {
                    self.heap.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: [usize; 0] = [];

    fn at(nanoseconds: u64) -> Instant {
        Instant::from_nanos(nanoseconds)
    }

    fn due(deadlines: &mut Deadlines, now: u64) -> Vec<usize> {
        std::iter::from_fn(|| deadlines.take_due(at(now))).map(Slot::index).collect()
    }

    #[test]
    fn groups_come_in_the_order_of_their_deadlines_and_not_before() {
        let mut deadlines = Deadlines::default();
        for (slot, deadline) in [(0, 30), (1, 10), (2, 20)] {
            deadlines.set(Slot::new(slot), Some(at(deadline)));
        }
        assert_eq!(deadlines.next(), Some(at(10)));
        assert_eq!(due(&mut deadlines, 9), NONE);
        assert_eq!(due(&mut deadlines, 20), [1, 2]);
        assert_eq!(due(&mut deadlines, 30), [0]);
        assert_eq!(deadlines.next(), None);
    }

    #[test]
    fn a_deadline_that_moved_counts_at_its_new_time_only() {
        let mut deadlines = Deadlines::default();
        let slot = Slot::new(0);
        deadlines.set(slot, Some(at(10)));
        deadlines.set(slot, Some(at(30)));
        assert_eq!(deadlines.next(), Some(at(30)));
        assert_eq!(due(&mut deadlines, 29), NONE);
        deadlines.set(slot, Some(at(5)));
        assert_eq!(due(&mut deadlines, 5), [0]);
        assert_eq!(due(&mut deadlines, 100), NONE, "the entry at 30 is out of date");
    }

    #[test]
    fn a_cancelled_deadline_never_comes() {
        let mut deadlines = Deadlines::default();
        deadlines.set(Slot::new(3), Some(at(10)));
        deadlines.set(Slot::new(3), None);
        assert_eq!(deadlines.next(), None);
        assert_eq!(due(&mut deadlines, 100), NONE);
    }

    #[test]
    fn a_flood_of_later_deadlines_does_not_fill_the_heap() {
        let mut deadlines = Deadlines::default();
        for time in 0..100_000 {
            deadlines.set(Slot::new(0), Some(at(1_000 + time)));
            deadlines.next();
        }
        assert!(deadlines.heap.len() <= 2, "{} entries", deadlines.heap.len());
    }

    #[test]
    fn the_heap_agrees_with_a_plain_list_whatever_happens() {
        let (mut deadlines, mut plain) = (Deadlines::default(), [None; 8]);
        let mut random = 1_u64;
        let mut next = |bound: u64| {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (random >> 33) % bound
        };
        let mut now = 0;
        for _ in 0..20_000 {
            let slot = usize::try_from(next(8)).expect("small");
            match next(4) {
                0 => {
                    now += next(50);
                    let mut expected: Vec<usize> =
                        (0..8).filter(|slot| plain[*slot].is_some_and(|deadline| deadline <= at(now))).collect();
                    let mut found = due(&mut deadlines, now);
                    found.sort_unstable();
                    expected.sort_unstable();
                    assert_eq!(found, expected);
                    for slot in expected {
                        plain[slot] = None;
                    }
                }
                1 => {
                    plain[slot] = None;
                    deadlines.set(Slot::new(slot), None);
                }
                _ => {
                    let deadline = at(now + 1 + next(200));
                    plain[slot] = Some(deadline);
                    deadlines.set(Slot::new(slot), Some(deadline));
                }
            }
            assert_eq!(deadlines.next(), plain.iter().flatten().min().copied());
        }
    }
}
