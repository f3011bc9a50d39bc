//! What the protocol promises, in numbers (RFC 3768 and RFC 9568, section 6.1).

use std::time::Duration;

/// The version of VRRP that the demo speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    /// Whole seconds, with a password.
    V2,
    /// Any multiple of ten milliseconds.
    V3,
}

/// The intervals of one virtual router.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// The version of VRRP.
    pub(super) version: Version,
    /// The time between two adverts.
    pub(super) interval: Duration,
}

impl Bounds {
    /// What a backup of this priority waits after a release.
    pub(super) fn skew(&self, priority: u8) -> Duration {
        let steps = 256 - u32::from(priority);
        match self.version {
            Version::V2 => Duration::from_secs(1) * steps / 256,
            Version::V3 => self.interval * steps / 256,
        }
    }

    /// The longest silence that a backup of this priority bears.
    pub(super) fn master_down(&self, priority: u8) -> Duration {
        self.interval * 3 + self.skew(priority)
    }

    /// How soon, at best, a crash is noticed: it can happen a whole interval after the last advert.
    pub(super) fn soonest_failover(&self, priority: u8) -> Duration {
        self.interval * 2 + self.skew(priority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bounds_are_those_of_the_protocol() {
        let classic = Bounds { version: Version::V2, interval: Duration::from_secs(1) };
        assert_eq!(classic.master_down(99), Duration::from_nanos(3_613_281_250));
        let fast = Bounds { version: Version::V3, interval: Duration::from_millis(100) };
        assert_eq!(fast.master_down(99), Duration::from_nanos(361_328_125));
        assert_eq!(fast.soonest_failover(99), Duration::from_nanos(261_328_125));
    }
}
