//! Where decisions come from: a seed, a string of bytes, or one combination after the other.
//!
//! A scenario asks a [`Chooser`] for everything that is left open. Zero is always the tame choice, so that a chooser
//! that runs dry ends in a scenario where nothing goes wrong.

/// A source of decisions.
pub trait Chooser {
    /// A number below `bound`; zero if `bound` is 0 or 1.
    fn pick(&mut self, bound: u64) -> u64;

    /// A number from `low` to `high`, both included.
    fn between(&mut self, low: u64, high: u64) -> u64 {
        low.saturating_add(self.pick(high.saturating_sub(low).saturating_add(1)))
    }

    /// Yes in `times` of `out_of` cases. The tame choice is no.
    fn chance(&mut self, times: u64, out_of: u64) -> bool {
        self.pick(out_of) >= out_of.saturating_sub(times)
    }
}

/// One element of a list; the first is the tame choice.
pub fn one_of<T: Copy + Default>(chooser: &mut (impl Chooser + ?Sized), list: &[T]) -> T {
    let place = chooser.pick(list.len() as u64);
    usize::try_from(place).ok().and_then(|place| list.get(place)).copied().unwrap_or_default()
}

/// Pseudo-random numbers from a seed: `SplitMix64`, which passes the usual tests and has one word of state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Seeds(u64);

/// Decisions from a string of bytes: as many bytes each as the bound needs. All zero after its end.
#[derive(Clone, Copy, Debug)]
pub struct Bytes<'a>(&'a [u8]);

/// Every combination of decisions, one after the other, like an odometer.
///
/// ```
/// use holdfast_vrrp::sim::{Chooser, Enumerator};
///
/// let mut seen = Vec::new();
/// let mut choices = Enumerator::default();
/// loop {
///     let first = choices.pick(2);
///     seen.push((first, if first == 1 { choices.pick(3) } else { 0 }));
///     if !choices.advance() {
///         break;
///     }
/// }
/// assert_eq!(seen, [(0, 0), (1, 0), (1, 1), (1, 2)]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Enumerator {
    digits: Vec<Digit>,
    place: usize,
}

#[derive(Clone, Copy, Debug)]
struct Digit {
    value: u64,
    bound: u64,
}

// === impl Seeds ===

impl Seeds {
    /// The numbers of this seed.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A stream of its own for one part of a scenario: draws in one stream do not shift those in another.
    pub fn stream(seed: u64, part: u64) -> Self {
        let mut mixer = Self(seed ^ part.wrapping_mul(0xd1b5_4a32_d192_ed03));
        Self(mixer.next())
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Chooser for Seeds {
    fn pick(&mut self, bound: u64) -> u64 {
        let scaled = u128::from(self.next()) * u128::from(bound);
        u64::try_from(scaled >> 64).unwrap_or_default()
    }
}

// === impl Bytes ===

impl<'a> Bytes<'a> {
    /// The decisions in these bytes.
    pub const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }
}

impl Chooser for Bytes<'_> {
    fn pick(&mut self, bound: u64) -> u64 {
        let mut number: u64 = 0;
        let mut largest = bound.saturating_sub(1);
        while largest > 0 {
            let byte = self.0.split_off_first().copied().unwrap_or_default();
            number = number << 8 | u64::from(byte);
            largest >>= 8;
        }
        number.checked_rem(bound).unwrap_or_default()
    }
}

// === impl Enumerator ===

impl Enumerator {
    /// Goes on to the next combination; `false` after the last one.
    pub fn advance(&mut self) -> bool {
        self.digits.truncate(self.place);
        self.place = 0;
        while let Some(last) = self.digits.pop() {
            if last.value + 1 < last.bound {
                self.digits.push(Digit { value: last.value + 1, ..last });
                return true;
            }
        }
        false
    }
}

impl Chooser for Enumerator {
    fn pick(&mut self, bound: u64) -> u64 {
        let digit = self.digits.get(self.place).copied().unwrap_or_else(|| {
            let digit = Digit { value: 0, bound };
            self.digits.push(digit);
            digit
        });
        debug_assert_eq!(digit.bound, bound, "the same decisions must lead to the same question");
        self.place += 1;
        digit.value
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_gives_the_same_numbers_each_time_and_its_streams_differ() {
        let draw = |mut seeds: Seeds| (0..8).map(|_| seeds.pick(1 << 40)).collect::<Vec<_>>();
        assert_eq!(draw(Seeds::new(7)), draw(Seeds::new(7)));
        assert_ne!(draw(Seeds::stream(7, 1)), draw(Seeds::stream(7, 2)));
        assert_ne!(draw(Seeds::stream(7, 1)), draw(Seeds::stream(8, 1)));
    }

    #[test]
    fn a_seed_reaches_every_number_below_the_bound_about_equally_often() {
        let mut seeds = Seeds::new(1);
        let mut counts = [0_u32; 10];
        for _ in 0..10_000 {
            counts[usize::try_from(seeds.pick(10)).unwrap()] += 1;
        }
        assert!(counts.iter().all(|count| (850..1_150).contains(count)), "{counts:?}");
    }

    #[test]
    fn bytes_are_used_as_the_bound_needs_and_zero_after_their_end() {
        let mut bytes = Bytes::new(&[3, 1, 0, 9]);
        assert_eq!(bytes.pick(4), 3);
        assert_eq!(bytes.pick(1), 0, "nothing to decide, nothing used");
        assert_eq!(bytes.pick(1_000), 256);
        assert_eq!(bytes.pick(256), 9);
        assert_eq!(bytes.pick(256), 0);
    }

    #[test]
    fn no_chooser_leaves_its_bound_and_zero_is_the_tame_choice() {
        for mut chooser in [&mut Seeds::new(3) as &mut dyn Chooser, &mut Bytes::new(&[0xff; 64])] {
            for bound in [0, 1, 2, 255, 256, 257] {
                assert!(chooser.pick(bound) < bound.max(1));
            }
            let _ = &mut chooser;
        }
        let mut tame = Bytes::new(&[]);
        assert!(!tame.chance(99, 100));
        assert_eq!(tame.between(5, 9), 5);
        assert_eq!(one_of(&mut tame, &[7, 8, 9]), 7);
    }
}
