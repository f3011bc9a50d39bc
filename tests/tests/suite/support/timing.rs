//! How long things may take (RFC 9568 §6.1), at the interval that the suites use.

use std::time::{Duration, Instant};

use holdfast_tests::lab::stall;

/// Advertisement interval of the suites.
pub(crate) const INTERVAL: Duration = Duration::from_millis(100);

/// What a busy machine may add to a time.
pub(crate) const NOISE: Duration = Duration::from_millis(150);

/// What the machine may have added to a time since `event`: [`NOISE`], and what it has been seen to hold programs up for.
pub(crate) fn noise_since(event: Instant) -> Duration {
    NOISE + stall::since(event)
}

/// How long to wait for something that is certain to come.
pub(crate) const LONG: Duration = Duration::from_secs(20);

/// How long an address without its agent may stay: its lifetime of 2 s, and the kernel looks at lifetimes once a second.
pub(crate) const LEASE: Duration = Duration::from_millis(3200);

/// Skew of VRRPv3: how long a router of this priority waits after priority 0.
pub(crate) fn skew(priority: u8) -> Duration {
    INTERVAL * (256 - u32::from(priority)) / 256
}

/// How long a router of this priority waits after the last advert.
pub(crate) fn master_down(priority: u8) -> Duration {
    INTERVAL * 3 + skew(priority)
}
