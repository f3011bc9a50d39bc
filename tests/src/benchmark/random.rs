//! Chance that can be repeated: splitmix64, from a seed that the report names.

use std::time::Duration;

/// A generator.
#[derive(Clone, Debug)]
pub(super) struct Random(u64);

impl Random {
    /// The same seed gives the same numbers.
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A part of `whole`: at least nothing, less than all.
    pub(super) fn part_of(&mut self, whole: Duration) -> Duration {
        let [.., a, b, c, d] = self.next().to_le_bytes();
        let parts = u128::from(u32::from_le_bytes([a, b, c, d]));
        let nanoseconds = (whole.as_nanos() * parts) >> 32;
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }

    /// One part for each of `runs`, from another stretch of `whole` each: a few runs cover it evenly.
    pub(super) fn spread_over(&mut self, whole: Duration, runs: usize) -> Vec<Duration> {
        let runs = u32::try_from(runs).unwrap_or(u32::MAX);
        let stretch = whole.checked_div(runs).unwrap_or_default();
        (0..runs).map(|run| stretch * run + self.part_of(stretch)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: Duration = Duration::from_millis(100);

    #[test]
    fn a_seed_can_be_repeated_and_parts_are_within_the_whole() {
        let (mut one, mut same, mut other) = (Random::new(7), Random::new(7), Random::new(8));
        let parts: Vec<Duration> = (0..1_000).map(|_| one.part_of(WHOLE)).collect();
        assert!(parts.iter().all(|part| *part < WHOLE));
        assert!(parts.iter().any(|part| *part > WHOLE * 9 / 10) && parts.iter().any(|part| *part < WHOLE / 10));
        assert_eq!(parts, (0..1_000).map(|_| same.part_of(WHOLE)).collect::<Vec<_>>());
        assert_ne!(parts, (0..1_000).map(|_| other.part_of(WHOLE)).collect::<Vec<_>>());
    }

    #[test]
    fn runs_are_spread_evenly() {
        let parts = Random::new(7).spread_over(WHOLE, 4);
        for (run, part) in (0..4).zip(&parts) {
            let stretch = WHOLE / 4;
            assert!((stretch * run..stretch * (run + 1)).contains(part), "{parts:?}");
        }
        assert_eq!(Random::new(7).spread_over(WHOLE, 0), Vec::<Duration>::new());
    }
}
