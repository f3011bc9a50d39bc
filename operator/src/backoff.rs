//! How long to wait after failures. Pure.
//!
//! Short at its longest: after an outage of the API server everything is to be right again within seconds, and one operator
//! with a few watches is no herd.

use std::time::Duration;

/// After the first failure.
const FIRST: Duration = Duration::from_millis(200);
/// After many.
pub const LONGEST: Duration = Duration::from_secs(3);

/// The wait after so many failures in a row. `chance` in 0..=1 spreads it over its upper half, so that those who fail
/// together do not come back together.
pub fn wait(failures: u32, chance: f64) -> Duration {
    let doubled = FIRST.saturating_mul(1 << failures.saturating_sub(1).min(16)).min(LONGEST);
    doubled.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0)
}

/// A number in 0..1 for [`wait`]: the clock is chance enough.
pub fn chance() -> f64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    f64::from(now.map_or(0, |now| now.subsec_micros()) % 1000) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_longest() {
        let waits = [1, 2, 3, 4, 5, 6, 100, u32::MAX].map(|failures| wait(failures, 1.0).as_millis());
        assert_eq!(waits, [200, 400, 800, 1600, 3000, 3000, 3000, 3000]);
    }

    #[test]
    fn chance_shortens_a_wait_by_half_at_most() {
        assert_eq!(wait(1, 0.0).as_millis(), 100);
        assert_eq!(wait(1, 0.5).as_millis(), 150);
        assert!((0.0..1.0).contains(&chance()));
    }
}
