//! One direction of the path between two nodes: what becomes of a packet on its way.

use std::time::Duration;

use super::chooser::{Chooser, Seeds};
use super::clock::Time;

/// How bad a path is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Quality {
    /// The shortest time that a packet takes.
    pub delay: Duration,
    /// The mean of what is added to it, exponentially distributed: later packets overtake earlier ones.
    pub jitter: Duration,
    /// Packets lost by chance, of a thousand.
    pub loss: u16,
    /// Packets after which a time of heavy loss begins, of a thousand (Gilbert-Elliott model).
    pub burst: u16,
    /// Packets that arrive a second time, much later, of a thousand.
    pub duplication: u16,
    /// Packets with one bit flipped, of a thousand.
    pub corruption: u16,
    /// The most packets on the way at a time, 0 for any number.
    pub capacity: u16,
}

/// What becomes of a packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Fate {
    /// Decides between packets that arrive at the same time.
    pub(super) shuffle: u64,
    /// When it arrives, and when once more.
    pub(super) arrivals: [Option<Time>; 2],
    /// Which bit is flipped, counted from the start modulo the length.
    pub(super) flipped_bit: Option<u64>,
}

/// A path, with what it remembers.
#[derive(Clone, Debug)]
pub(super) struct Link {
    /// How bad the path is now.
    pub(super) quality: Quality,
    in_burst: bool,
    on_the_way: Vec<Time>,
    choices: Seeds,
}

/// What happens at the same time happens in the order of random numbers below this.
pub(super) const SHUFFLE: u64 = 1 << 16;

/// While a burst of losses lasts, this many packets of a thousand are lost, and after as many it ends.
const LOSS_IN_BURST: u64 = 700;
const END_OF_BURST: u64 = 100;

/// Jitter never adds more than this many times its mean, so that a longest delay can be told.
const LONGEST_JITTER: u32 = 5;

/// A packet that arrives twice does so after this many delays.
const DUPLICATE_AFTER: u32 = 16;

// === impl Quality ===

impl Quality {
    /// A path on which nothing is lost, changed or doubled.
    pub fn is_clean(&self) -> bool {
        self.loss == 0 && self.burst == 0 && self.duplication == 0 && self.corruption == 0 && self.capacity == 0
    }

    /// The same path without its defects.
    #[must_use]
    pub fn cleaned(self) -> Self {
        Self { delay: self.delay, jitter: self.jitter, ..Self::default() }
    }

    /// No packet takes longer on a clean path.
    pub fn longest_delay(&self) -> Duration {
        self.delay + self.jitter * LONGEST_JITTER
    }
}

// === impl Link ===

impl Link {
    /// A path with this quality; `choices` decides what happens on it.
    pub(super) fn new(quality: Quality, choices: Seeds) -> Self {
        Self { quality, in_burst: false, on_the_way: Vec::new(), choices }
    }

    /// Decides what becomes of a packet that is sent now. Lost ones have no arrival.
    pub(super) fn send(&mut self, now: Time) -> Fate {
        if self.is_full(now) || self.loses() {
            return Fate::default();
        }
        let quality = self.quality;
        let first = now.plus(quality.delay + self.jitter());
        let again = (quality.duplication > 0 && self.choices.chance(quality.duplication.into(), 1_000))
            .then(|| first.plus((quality.delay + self.jitter()) * DUPLICATE_AFTER));
        let flipped = quality.corruption > 0 && self.choices.chance(quality.corruption.into(), 1_000);
        if quality.capacity > 0 {
            self.on_the_way.push(first);
        }
        Fate {
            arrivals: [Some(first), again],
            flipped_bit: flipped.then(|| self.choices.pick(u64::MAX)),
            shuffle: self.choices.pick(SHUFFLE),
        }
    }

    fn is_full(&mut self, now: Time) -> bool {
        self.on_the_way.retain(|arrival| *arrival > now);
        self.quality.capacity > 0 && self.on_the_way.len() >= usize::from(self.quality.capacity)
    }

    fn loses(&mut self) -> bool {
        if self.quality.burst > 0 {
            let flips = if self.in_burst { END_OF_BURST } else { self.quality.burst.into() };
            self.in_burst ^= self.choices.chance(flips, 1_000);
        } else {
            self.in_burst = false;
        }
        let loss = if self.in_burst { LOSS_IN_BURST } else { self.quality.loss.into() };
        loss > 0 && self.choices.chance(loss, 1_000)
    }

    /// About exponential: the number of zeros at the start of a random number is geometric, and is smoothed.
    fn jitter(&mut self) -> Duration {
        if self.quality.jitter.is_zero() {
            return Duration::ZERO;
        }
        let zeros = self.choices.pick(1 << 8).max(1).leading_zeros() - 56;
        let within = self.quality.jitter * u32::try_from(self.choices.pick(1_000)).unwrap_or_default() / 1_000;
        within + self.quality.jitter * zeros / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(quality: Quality) -> Link {
        Link::new(quality, Seeds::new(11))
    }

    fn lost_of_ten_thousand(quality: Quality) -> usize {
        let mut link = link(quality);
        (0..10_000).filter(|_| link.send(Time::ZERO).arrivals[0].is_none()).count()
    }

    #[test]
    fn a_clean_path_loses_nothing_and_keeps_its_longest_delay() {
        let quality =
            Quality { delay: Duration::from_millis(1), jitter: Duration::from_micros(500), ..Quality::default() };
        let mut link = link(quality);
        for _ in 0..10_000 {
            let fate = link.send(Time::ZERO);
            let took = fate.arrivals[0].unwrap().since(Time::ZERO);
            assert!((quality.delay..=quality.longest_delay()).contains(&took), "{took:?}");
            assert_eq!((fate.arrivals[1], fate.flipped_bit), (None, None));
        }
    }

    #[test]
    fn losses_come_as_often_as_the_quality_says() {
        let plain = lost_of_ten_thousand(Quality { loss: 100, ..Quality::default() });
        assert!((900..1_100).contains(&plain), "{plain}");
        let bursts = lost_of_ten_thousand(Quality { burst: 100, ..Quality::default() });
        assert!((3_000..4_000).contains(&bursts), "half of the time, seven of ten: {bursts}");
    }

    #[test]
    fn a_full_path_loses_what_comes_on_top() {
        let mut link = link(Quality { delay: Duration::from_millis(1), capacity: 2, ..Quality::default() });
        let arrived: Vec<bool> = (0..3).map(|_| link.send(Time::ZERO).arrivals[0].is_some()).collect();
        assert_eq!(arrived, [true, true, false]);
        let later = Time::after(Duration::from_millis(1));
        assert!(link.send(later).arrivals[0].is_some());
    }
}
