//! Strangers that were noticed lately (pure).
//!
//! The election thread counts each advert of a foreign router and each claim to our addresses, and reports them. A problem
//! in a status has a duration: it lasts until nothing more was noticed for a while.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use holdfast_vrrp::wire::MacAddress;

use crate::election::{Conflict, Report};
use crate::snapshot::RouterSnapshot;

/// How long after the last advert of a foreign router it counts as gone, at least.
const FOREIGN_FOR: Duration = Duration::from_secs(30);

/// The same in advertisement intervals: a router that is there advertises once in each.
const FOREIGN_INTERVALS: u32 = 3;

/// How long after a claim to an address there is still a conflict: who has an address says so rarely.
const CONFLICT_FOR: Duration = Duration::from_secs(120);

/// What was noticed, by virtual router.
#[derive(Clone, Debug, Default)]
pub(super) struct Sightings {
    routers: BTreeMap<String, Sighting>,
}

#[derive(Clone, Debug, Default)]
struct Sighting {
    foreign: Counted,
    conflicts: Counted,
    claim: Option<Claim>,
}

/// A counter, and when it grew last.
#[derive(Clone, Copy, Debug, Default)]
struct Counted {
    count: u64,
    grew: Option<Instant>,
}

/// A claim to an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Claim {
    /// The address.
    pub address: IpAddr,
    /// Who says that it is his own, if he said who he is.
    pub by: Option<MacAddress>,
}

impl Sightings {
    /// Takes in a report of the election thread: it says who it was.
    pub(super) fn hear(&mut self, report: &Report) {
        if let Report::AddressConflict { router, address, conflict: Conflict::ClaimedBy(by), .. } = report {
            self.routers.entry(router.clone()).or_default().claim = Some(Claim { address: *address, by: *by });
        }
    }

    /// Takes in the counters of all virtual routers: they say whether it goes on.
    pub(super) fn look(&mut self, routers: &[RouterSnapshot], now: Instant) {
        self.routers.retain(|name, _| routers.iter().any(|router| router.name == *name));
        for router in routers {
            let counter = |name: &str| router.counters.get(name).copied().unwrap_or_default();
            let (foreign, conflicts) = (counter("foreign_adverts"), counter("address_conflicts"));
            if foreign + conflicts > 0 {
                let sighting = self.routers.entry(router.name.clone()).or_default();
                sighting.foreign.see(foreign, now);
                sighting.conflicts.see(conflicts, now);
            }
        }
    }

    /// Whether a foreign router advertises the ID of this virtual router, which has this interval.
    pub(super) fn has_foreign_router(&self, router: &str, interval: Duration, now: Instant) -> bool {
        let limit = FOREIGN_FOR.max(interval * FOREIGN_INTERVALS);
        self.routers.get(router).is_some_and(|sighting| sighting.foreign.grew_within(limit, now))
    }

    /// The last claim to an address of this virtual router, while it counts.
    pub(super) fn claim(&self, router: &str, now: Instant) -> Option<Claim> {
        let sighting = self.routers.get(router)?;
        sighting.claim.filter(|_| sighting.conflicts.grew_within(CONFLICT_FOR, now))
    }
}

impl Counted {
    fn see(&mut self, count: u64, now: Instant) {
        if count > self.count {
            self.grew = Some(now);
        }
        self.count = count;
    }

    fn grew_within(&self, limit: Duration, now: Instant) -> bool {
        self.grew.is_some_and(|grew| now.saturating_duration_since(grew) <= limit)
    }
}

#[cfg(test)]
mod tests {
    use super::super::test_snapshots::router;
    use super::*;

    const INTERVAL: Duration = Duration::from_millis(200);

    fn counting(counter: &str, count: u64) -> Vec<RouterSnapshot> {
        let mut router = router("web");
        router.counters.insert(counter.to_owned().into(), count);
        vec![router]
    }

    fn claimed(address: &str) -> Report {
        Report::AddressConflict {
            router: "web".to_owned(),
            interface: "eth0".to_owned(),
            address: address.parse().expect("an address"),
            conflict: Conflict::ClaimedBy(Some(MacAddress([2, 0, 0, 0, 0, 9]))),
        }
    }

    #[test]
    fn a_foreign_router_is_there_while_its_adverts_go_on() {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        sightings.look(&[router("web")], start);
        assert!(!sightings.has_foreign_router("web", INTERVAL, start));
        for (count, second) in [(1, 0), (9, 20), (9, 45)] {
            sightings.look(&counting("foreign_adverts", count), start + Duration::from_secs(second));
        }
        let seen_at = |second| sightings.has_foreign_router("web", INTERVAL, start + Duration::from_secs(second));
        assert_eq!([45, 50, 51].map(seen_at), [true, true, false], "30 s after the last");
    }

    #[test]
    fn one_that_advertises_rarely_is_waited_for_longer() {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        sightings.look(&counting("foreign_adverts", 1), start);
        let (rarely, later) = (Duration::from_secs(40), start + Duration::from_secs(119));
        assert!(sightings.has_foreign_router("web", rarely, later));
        assert!(!sightings.has_foreign_router("web", INTERVAL, later));
    }

    #[test]
    fn a_claim_counts_for_a_while_and_says_who_made_it() {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        sightings.hear(&claimed("192.0.2.1"));
        sightings.look(&counting("address_conflicts", 1), start);
        let claim = sightings.claim("web", start).expect("a claim");
        assert_eq!(claim.address.to_string(), "192.0.2.1");
        assert_eq!(sightings.claim("web", start + CONFLICT_FOR + INTERVAL), None);
    }

    #[test]
    fn a_virtual_router_that_is_gone_is_forgotten() {
        let (mut sightings, start) = (Sightings::default(), Instant::now());
        sightings.look(&counting("foreign_adverts", 1), start);
        sightings.look(&[], start);
        assert!(!sightings.has_foreign_router("web", INTERVAL, start));
    }
}
