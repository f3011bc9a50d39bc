//! What is promised, in numbers.

use std::time::{Duration, Instant};

use crate::lab::stall;

/// The time between two adverts of the example: the default of a `VirtualIP`.
const INTERVAL: Duration = Duration::from_millis(200);

/// After so long at most a backup knows that the master is dead: three intervals, and at most one more that sets backups
/// apart by their priorities (RFC 9568, section 6.1).
pub(super) const FAILOVER: Duration = INTERVAL.saturating_mul(4);

/// How soon `kubectl` names a new master after the change itself.
pub(super) const VISIBLE: Duration = Duration::from_secs(1);

/// How soon the status is true after an outage of the API server.
pub(super) const TRUE_AGAIN: Duration = Duration::from_secs(5);

/// How soon a first `VirtualIP` is ready after it was applied.
pub(super) const FIRST_READY: Duration = Duration::from_secs(5);

/// How soon everything runs that Helm installs, without a download.
pub(super) const INSTALLED: Duration = Duration::from_secs(60);

/// Long enough for whatever comes by itself, on a slow machine; every wait ends with its event.
pub(super) const PATIENCE: Duration = Duration::from_secs(90);

/// What a busy machine may add to every time: scheduling, and the distance between two probes.
const NOISE: Duration = Duration::from_millis(30);

/// [`NOISE`], and what this machine has been seen to hold programs up for since a moment.
pub(super) fn noise_since(moment: Instant) -> Duration {
    NOISE + stall::since(moment)
}
