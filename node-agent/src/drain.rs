//! How long leaving may take (pure).

use std::time::Duration;

use holdfast_vrrp::timing;

use crate::desired::Desired;

/// What a busy machine may add to the time that the protocol needs, and the least limit: with usual intervals a drain ends
/// well before, and should it not, this is within what Kubernetes and systemd wait.
const ALLOWANCE: Duration = Duration::from_secs(20);

/// After how long a drain has failed: the longest time that any virtual router may wait for its successor, and an allowance.
///
/// The longest interval of VRRPv3, 40.95 s, makes it three minutes (RFC 9568 section 5.2.7), that of
/// VRRPv2, 255 s, a quarter of an hour.
pub(crate) fn limit(desired: &Desired) -> Duration {
    let routers = desired.groups.iter().flat_map(|group| group.config.members());
    let bounds = routers.map(|router| timing::release_bound(&router.protocol, router.interval.get()));
    bounds.max().unwrap_or_default() + ALLOWANCE
}

#[cfg(test)]
mod tests {
    use holdfast_vrrp::{AdvertInterval, Protocol};

    use super::*;
    use crate::election::test_groups::group_with;

    /// Virtual routers with these protocols and intervals.
    fn running(routers: &[(Protocol, AdvertInterval)]) -> Desired {
        let group = |(protocol, interval): &(Protocol, AdvertInterval)| {
            group_with("web", 51, |member| (member.protocol, member.interval) = (*protocol, *interval))
        };
        routers.iter().map(group).collect()
    }

    #[test]
    fn the_router_that_waits_longest_decides() {
        const V2: Protocol = Protocol::V2 { password: None };
        const V3: Protocol = Protocol::V3 { checksum: holdfast_vrrp::Ipv4Checksum::PseudoHeader };
        let v2 = |seconds| (V2, AdvertInterval::v2(Duration::from_secs(seconds)).expect("in range"));
        let v3 = |millis| (V3, AdvertInterval::v3(Duration::from_millis(millis)).expect("in range"));
        // Three intervals, a skew of nearly one (of nearly a second with version 2), and the grace for a successor.
        let cases = [
            (vec![], 20..21),
            (vec![v3(200)], 20..21),
            (vec![v3(200), v3(40_950), v3(1_000)], 183..184),
            (vec![v2(255)], 786..787),
        ];
        for (routers, seconds) in cases {
            let limit = limit(&running(&routers)).as_secs();
            assert!(seconds.contains(&limit), "{limit} s for {routers:?}");
        }
    }
}
