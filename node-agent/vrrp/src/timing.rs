//! The intervals of the election, in nanoseconds: multiplied before divided, so that no skew is lost.

use std::time::Duration;

use crate::types::{Priority, Protocol};

/// How many silent intervals a backup bears (RFC 9568 section 6.1).
pub const DOWN_INTERVALS: u32 = 3;

/// How long a deposed master keeps answering after the first advert of its successor if it does not hear it announce the
/// addresses.
///
/// A router sends its advert, then adds its addresses, then announces them: keepalived up to 8 ms later under load. One that
/// takes over thousands of addresses sends all adverts first, and needs about 0.1 ms for each address.
pub const ANNOUNCEMENT_GRACE: Duration = Duration::from_millis(300);

/// What a successor that has just taken over may need to answer.
const SUCCESSOR_GRACE: Duration = Duration::from_millis(50);

/// How long after a takeover nobody is asked whether he answers for the addresses too.
///
/// A predecessor whose agent was killed has them until their lifetime in its kernel ends: up to 3.2 s after its last word
/// (measured). That is no conflict with anybody, and is over by itself.
pub const PREDECESSOR_GRACE: Duration = Duration::from_secs(4);

/// The least time between two answers to routers that should not be master.
pub const MINIMUM_REANNOUNCE_INTERVAL: Duration = Duration::from_secs(1);

/// `Skew_Time`: what a backup waits beyond the down interval, the longer the lower its priority.
///
/// VRRPv3 scales it with the master's interval (RFC 9568 section 6.1), VRRPv2 does not (RFC 3768 section 6.1).
pub fn skew(protocol: &Protocol, priority: Priority, master_interval: Duration) -> Duration {
    let steps = 256 - u32::from(priority.get());
    match protocol {
        Protocol::V2 { .. } => Duration::from_secs(1) * steps / 256,
        Protocol::V3 { .. } => master_interval * steps / 256,
    }
}

/// `Active_Down_Interval` (RFC 9568 section 6.1), `Master_Down_Interval` (RFC 3768 section 6.1).
pub fn master_down(protocol: &Protocol, priority: Priority, master_interval: Duration) -> Duration {
    master_interval * DOWN_INTERVALS + skew(protocol, priority, master_interval)
}

/// How long after its last advert a master may be sure that no peer has taken over.
pub fn earliest_takeover(interval: Duration) -> Duration {
    interval * DOWN_INTERVALS
}

/// How long a leaving master keeps answering when it hears of no successor.
///
/// A live peer of the lowest priority takes over within this time even if it missed the release.
pub fn release_bound(protocol: &Protocol, interval: Duration) -> Duration {
    master_down(protocol, Priority::MIN, interval) + SUCCESSOR_GRACE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Ipv4Checksum;

    const V2: Protocol = Protocol::V2 { password: None };
    const V3: Protocol = Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader };

    #[test]
    fn skew_and_down_interval_follow_the_formulas_of_both_versions() {
        let cases: [(Protocol, u8, u64, u64, u64); 8] = [
            // protocol, priority, interval ms, skew ns, down ns
            (V2, 100, 1_000, 609_375_000, 3_609_375_000),
            (V2, 254, 1_000, 7_812_500, 3_007_812_500),
            (V2, 100, 2_000, 609_375_000, 6_609_375_000),
            (V3, 100, 1_000, 609_375_000, 3_609_375_000),
            (V3, 100, 100, 60_937_500, 360_937_500),
            (V3, 254, 10, 78_125, 30_078_125),
            (V3, 255, 10, 39_062, 30_039_062),
            (V3, 1, 40_950, 40_790_039_062, 163_640_039_062),
        ];
        for (protocol, priority, interval, skew_ns, down_ns) in cases {
            let priority = Priority::new(priority).expect("not zero");
            let interval = Duration::from_millis(interval);
            assert_eq!(skew(&protocol, priority, interval), Duration::from_nanos(skew_ns));
            assert_eq!(master_down(&protocol, priority, interval), Duration::from_nanos(down_ns));
        }
    }

    #[test]
    fn neighbouring_priorities_never_share_a_skew() {
        // A truncated skew lets every backup take over at once.
        let interval = Duration::from_millis(10);
        let skews: Vec<_> =
            (1..=255).map(|priority| skew(&V3, Priority::new(priority).expect("not zero"), interval)).collect();
        assert!(skews.windows(2).all(|pair| pair[0] > pair[1]));
    }
}
