//! Which write is next. Pure: it is told the time.
//!
//! Each object has at most one write that waits, the newest, and one under way. A write that fails waits; those of other
//! objects do not wait for it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::failure::{Failure, Next};
use super::rate::{OBJECT, Rate};
use super::{Stamp, Target, Write, Written};

/// What is done need not be done again until its effect is seen; but if that is never seen, it was not done.
const EFFECT: Duration = Duration::from_secs(60);

/// The writes that wait.
#[derive(Debug, Default)]
pub struct Queue {
    entries: BTreeMap<Target, Entry>,
    /// The objects that have a write that waits and none under way, by the time it is due.
    due: BTreeSet<(Duration, Target)>,
}

#[derive(Debug, Default)]
struct Entry {
    waiting: Option<Write>,
    under_way: bool,
    /// Whether what is under way is not wanted any more.
    unwanted: bool,
    /// When it was begun.
    begun: Duration,
    done: Option<Done>,
    rate: Rate,
    /// How many attempts have failed in a row, and until when to wait for that.
    failures: u32,
    not_before: Duration,
    /// As in [`Queue::due`].
    due: Option<Duration>,
}

/// The last write that was carried out.
#[derive(Debug)]
struct Done {
    stamp: Stamp,
    /// The version of the object since; none if it is gone.
    result: Option<String>,
    at: Duration,
}

impl Done {
    /// Whether a write of the same is needless: it was decided by what was seen before this one took effect.
    ///
    /// Versions are numbers that grow. Of anything else it can only be said whether it is the same.
    fn covers(&self, write: &Write) -> bool {
        let number = |version: &Option<String>| version.as_ref().and_then(|version| version.parse::<u64>().ok());
        let seen = &write.stamp.seen;
        let is_older = match (number(seen), number(&self.result)) {
            (Some(seen), Some(result)) => seen <= result,
            _ => *seen == self.stamp.seen || *seen == self.result && seen.is_some(),
        };
        self.stamp.digest == write.stamp.digest && is_older
    }
}

impl Queue {
    /// Everything that should be written of these kinds, by what was seen. What was to be written before and is not in
    /// here any more is not written.
    pub fn replace(&mut self, kinds: &[Written], writes: impl IntoIterator<Item = Write>, now: Duration) {
        let mut wanted = BTreeSet::new();
        for write in writes {
            wanted.insert(write.target.clone());
            self.offer(write, now);
        }
        let others = self.entries.keys().filter(|target| kinds.contains(&target.kind) && !wanted.contains(*target));
        for target in others.cloned().collect::<Vec<_>>() {
            self.change(&target, |entry| {
                entry.waiting = None;
                entry.unwanted = entry.under_way;
                // The object is as it should be: the effect of what was done was seen, and whatever comes is new.
                entry.done = None;
            });
        }
        self.prune(now);
    }

    /// Takes the next write that is due; it is under way until it is [`Queue::succeeded`] or [`Queue::failed`].
    pub fn take(&mut self, now: Duration) -> Option<Write> {
        let (due, target) = self.due.first().cloned()?;
        if due > now {
            return None;
        }
        let mut taken = None;
        self.change(&target, |entry| {
            taken = entry.waiting.take();
            entry.under_way = taken.is_some();
            entry.unwanted = false;
            entry.begun = now;
            entry.rate.spend(OBJECT, now);
        });
        taken
    }

    /// When the next write is due.
    pub fn next_due(&self) -> Option<Duration> {
        self.due.first().map(|(due, _)| *due)
    }

    /// How many writes wait or are under way.
    pub fn len(&self) -> usize {
        self.entries.values().filter(|entry| entry.waiting.is_some() || entry.under_way).count()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A write was carried out, and led to this version of the object; none if it is gone.
    pub fn succeeded(&mut self, write: &Write, result: Option<String>, now: Duration) {
        self.change(&write.target, |entry| {
            entry.under_way = false;
            entry.failures = 0;
            // What takes the API server long is not asked of it all the time.
            entry.not_before = now + now.saturating_sub(entry.begun);
            let done = Done { stamp: write.stamp.clone(), result, at: now };
            // The same may have been asked for again, by what was seen before this took effect.
            entry.waiting.take_if(|waiting| done.covers(waiting));
            entry.done = Some(done);
        });
    }

    /// A write was not carried out, as far as is known. `chance` in 0..=1 spreads the wait. Returns how many attempts at
    /// this object have failed in a row.
    pub fn failed(&mut self, write: Write, failure: Failure, chance: f64, now: Duration) -> u32 {
        let mut failures = 0;
        self.change(&write.target.clone(), |entry| {
            entry.under_way = false;
            entry.failures = entry.failures.saturating_add(1);
            failures = entry.failures;
            match failure.next(entry.failures, chance) {
                Next::Forget => {}
                Next::Retry(wait) => {
                    entry.not_before = now + wait;
                    // What is newer may be accepted.
                    if failure == Failure::Refused && entry.waiting.is_some() {
                        entry.not_before = now;
                    }
                    if !entry.unwanted {
                        entry.waiting.get_or_insert(write);
                    }
                }
            }
        });
        failures
    }

    fn offer(&mut self, write: Write, now: Duration) {
        let target = write.target.clone();
        self.change(&target, |entry| {
            entry.unwanted = false;
            if !entry.under_way && entry.done.as_ref().is_some_and(|done| done.covers(&write)) {
                entry.waiting = None;
                return;
            }
            let is_new = entry.waiting.as_ref().is_none_or(|waiting| waiting.stamp.digest != write.stamp.digest);
            if is_new && entry.waiting.is_some() {
                // It may be what mends the failure.
                entry.not_before = entry.not_before.min(now + crate::backoff::LONGEST);
            }
            entry.waiting = Some(write);
        });
    }

    /// Changes an entry, and puts it into its place.
    fn change(&mut self, target: &Target, change: impl FnOnce(&mut Entry)) {
        let entry = self.entries.entry(target.clone()).or_default();
        change(entry);
        let ready = entry.waiting.is_some() && !entry.under_way;
        let due = ready.then(|| entry.rate.next(OBJECT).max(entry.not_before));
        let earlier = std::mem::replace(&mut entry.due, due);
        if let Some(earlier) = earlier {
            self.due.remove(&(earlier, target.clone()));
        }
        if let Some(due) = due {
            self.due.insert((due, target.clone()));
        }
    }

    /// Forgets the objects of which nothing need be remembered.
    fn prune(&mut self, now: Duration) {
        self.entries.retain(|_, entry| {
            let recent = entry.done.as_ref().is_some_and(|done| done.at + EFFECT > now);
            if !recent {
                entry.done = None;
            }
            recent || entry.waiting.is_some() || entry.under_way || !entry.rate.is_rested(now)
        });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::Change;
    use super::*;

    const KINDS: &[Written] = &[Written::VirtualIPStatus];
    const CHANCE: f64 = 1.0;

    const fn ms(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// A write of the content `digest`, decided by the version `seen`.
    fn write(name: &str, digest: u64, seen: u64) -> Write {
        Write {
            target: Target { kind: Written::VirtualIPStatus, name: name.to_owned() },
            change: Change::Apply(json!(digest)),
            stamp: Stamp { digest, seen: Some(seen.to_string()) },
        }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as the queue takes it")]
    fn version(number: u64) -> Option<String> {
        Some(number.to_string())
    }

    fn taken(queue: &mut Queue, now: Duration) -> Vec<(String, u64)> {
        std::iter::from_fn(|| queue.take(now)).map(|write| (write.target.name, write.stamp.digest)).collect()
    }

    #[test]
    fn writes_go_at_once_one_of_an_object_at_a_time() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1), write("b", 1, 1)], ms(0));
        assert_eq!(taken(&mut queue, ms(0)), [("a".to_owned(), 1), ("b".to_owned(), 1)]);
        queue.replace(KINDS, [write("a", 2, 1), write("b", 1, 1)], ms(1));
        assert_eq!(taken(&mut queue, ms(1)), [], "the first is still under way");
        queue.succeeded(&write("a", 1, 1), version(2), ms(2));
        assert_eq!(taken(&mut queue, ms(4)), [("a".to_owned(), 2)]);
        assert_eq!(queue.len(), 2);
    }

    #[test]
    fn what_takes_long_has_to_rest_as_long() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.replace(KINDS, [write("a", 2, 1)], ms(10));
        queue.succeeded(&first, version(2), ms(2000));
        assert_eq!(queue.next_due(), Some(ms(4000)));
    }

    #[test]
    fn the_newest_wins() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        queue.replace(KINDS, [write("a", 2, 1)], ms(0));
        assert_eq!(taken(&mut queue, ms(0)), [("a".to_owned(), 2)]);
    }

    #[test]
    fn what_is_not_wanted_any_more_is_not_written() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        queue.replace(&[Written::NodeConfig], [], ms(0));
        assert_eq!(queue.len(), 1, "that is another kind");
        queue.replace(KINDS, [], ms(0));
        assert!(queue.is_empty());
        assert_eq!(queue.next_due(), None);
    }

    #[test]
    fn what_is_not_wanted_any_more_while_it_is_under_way_does_not_come_back_when_it_fails() {
        for (is_wanted_again, left) in [(false, 0), (true, 1)] {
            let mut queue = Queue::default();
            queue.replace(KINDS, [write("a", 1, 1)], ms(0));
            let first = queue.take(ms(0)).unwrap();
            queue.replace(KINDS, [], ms(1));
            if is_wanted_again {
                queue.replace(KINDS, [write("a", 1, 1)], ms(2));
            }
            queue.failed(first, Failure::Overloaded, CHANCE, ms(3));
            assert_eq!(queue.len(), left, "wanted again: {is_wanted_again}");
        }
    }

    #[test]
    fn what_is_done_is_not_done_again_until_something_new_is_seen() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.succeeded(&first, version(2), ms(10));
        // The watch has not yet brought the effect.
        queue.replace(KINDS, [write("a", 1, 1)], ms(20));
        assert!(queue.is_empty());
        // Somebody has undone it.
        queue.replace(KINDS, [write("a", 1, 3)], ms(30));
        assert_eq!(taken(&mut queue, ms(30)), [("a".to_owned(), 1)]);
    }

    #[test]
    fn what_is_under_way_is_not_done_twice_for_what_was_seen_meanwhile() {
        for (seen, again) in [(2, false), (3, false), (4, true)] {
            let mut queue = Queue::default();
            queue.replace(KINDS, [write("a", 1, 1)], ms(0));
            let first = queue.take(ms(0)).unwrap();
            queue.replace(KINDS, [write("a", 1, seen)], ms(1));
            queue.succeeded(&first, version(3), ms(2));
            assert_eq!(queue.len(), usize::from(again), "version 3 was written, version {seen} was seen");
        }
    }

    #[test]
    fn what_was_made_and_seen_is_made_again_when_it_is_gone() {
        let create = || Write { stamp: Stamp { digest: 1, seen: None }, ..write("a", 1, 1) };
        let mut queue = Queue::default();
        queue.replace(KINDS, [create()], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.succeeded(&first, version(2), ms(1));
        queue.replace(KINDS, [create()], ms(2));
        assert!(queue.is_empty(), "it was not seen yet");
        queue.replace(KINDS, [], ms(3));
        queue.replace(KINDS, [create()], ms(4));
        assert_eq!(queue.len(), 1, "somebody has deleted it");
    }

    #[test]
    fn what_was_deleted_is_not_deleted_again_before_that_was_seen() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.succeeded(&first, None, ms(1));
        queue.replace(KINDS, [write("a", 1, 1)], ms(2));
        assert!(queue.is_empty());
        queue.replace(KINDS, [write("a", 1, 9)], ms(3));
        assert_eq!(queue.len(), 1, "that is another one");
    }

    #[test]
    fn what_has_no_effect_for_long_is_tried_again() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.succeeded(&first, version(2), ms(0));
        queue.replace(KINDS, [write("a", 1, 1)], ms(59_000));
        assert!(queue.is_empty());
        queue.replace(KINDS, [], ms(60_000));
        queue.replace(KINDS, [write("a", 1, 1)], ms(60_000));
        assert_eq!(queue.len(), 1);
    }

    #[test]
    fn an_object_that_flaps_is_written_once_a_second_after_a_burst() {
        let mut queue = Queue::default();
        let mut writes = Vec::new();
        for now in (0..10_000).step_by(10) {
            queue.replace(KINDS, [write("a", now, now)], ms(now));
            while let Some(write) = queue.take(ms(now)) {
                queue.succeeded(&write, version(now), ms(now));
                writes.push(now);
            }
        }
        assert_eq!(writes.len(), 12, "{writes:?}");
        assert_eq!(writes.get(..4), Some(&[0, 10, 20, 1000][..]), "{writes:?}");
    }

    #[test]
    fn what_fails_is_tried_again_and_holds_up_nobody() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1), write("b", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.failed(first, Failure::Overloaded, CHANCE, ms(0));
        assert_eq!(taken(&mut queue, ms(0)), [("b".to_owned(), 1)]);
        assert_eq!(queue.next_due(), Some(ms(200)));

        let second = queue.take(ms(200)).unwrap();
        queue.failed(second, Failure::Unreachable, CHANCE, ms(200));
        assert_eq!(queue.next_due(), Some(ms(600)));
        assert_eq!(taken(&mut queue, ms(599)), []);
        assert_eq!(taken(&mut queue, ms(600)), [("a".to_owned(), 1)]);
    }

    #[test]
    fn a_newer_write_takes_the_place_of_one_that_failed() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.replace(KINDS, [write("a", 2, 2)], ms(1));
        queue.failed(first, Failure::Overloaded, CHANCE, ms(2));
        assert_eq!(taken(&mut queue, ms(202)), [("a".to_owned(), 2)]);
    }

    #[test]
    fn what_is_gone_or_has_changed_waits_for_what_is_seen_next() {
        for failure in [Failure::Gone, Failure::Conflict] {
            let mut queue = Queue::default();
            queue.replace(KINDS, [write("a", 1, 1)], ms(0));
            let first = queue.take(ms(0)).unwrap();
            queue.failed(first, failure, CHANCE, ms(0));
            assert!(queue.is_empty(), "{failure:?}");
            queue.replace(KINDS, [write("a", 1, 2)], ms(1));
            assert_eq!(queue.len(), 1, "{failure:?}");
        }
    }

    #[test]
    fn what_was_refused_waits_long_unless_there_is_something_new_to_write() {
        let mut queue = Queue::default();
        queue.replace(KINDS, [write("a", 1, 1)], ms(0));
        let first = queue.take(ms(0)).unwrap();
        queue.failed(first, Failure::Refused, CHANCE, ms(0));
        queue.replace(KINDS, [write("a", 1, 1)], ms(10));
        assert_eq!(queue.next_due(), Some(ms(30_000)));
        queue.replace(KINDS, [write("a", 2, 1)], ms(20));
        assert_eq!(queue.next_due(), Some(ms(3_020)));
    }

    #[test]
    fn nothing_is_remembered_for_ever() {
        let mut queue = Queue::default();
        for name in 0..100 {
            queue.replace(KINDS, [write(&name.to_string(), 1, 1)], ms(name));
            let write = queue.take(ms(name)).unwrap();
            queue.succeeded(&write, version(2), ms(name));
        }
        queue.replace(KINDS, [], ms(100_000));
        assert!(queue.entries.is_empty() && queue.due.is_empty());
    }
}
