//! What packets were rejected or lost, summed up now and then: a flood of packets makes no flood of lines.

use std::collections::BTreeMap;

use crate::snapshot::Snapshot;

/// Counters of virtual routers that grow only if something is wrong, by the beginning of their names.
const ROUTER_FAULTS: [&str; 4] = ["rejected_", "own_adverts", "interval_differs", "send_failures"];

/// The same for interfaces.
const INTERFACE_FAULTS: [&str; 4] = ["malformed_", "receive_drops", "adverts_failed_", "announcements_failed_"];

/// A counter that has grown.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Fault {
    /// The virtual router or interface.
    pub(super) subject: Subject,
    /// The name of the counter.
    pub(super) counter: String,
    /// By how much it has grown.
    pub(super) count: u64,
}

/// What a counter is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    Router(String),
    Interface(String),
}

/// Compares counters with what they were. Only those above zero are remembered: most stay there for ever.
#[derive(Debug, Default)]
pub(super) struct PacketFaults {
    before: BTreeMap<(Subject, String), u64>,
}

impl PacketFaults {
    /// What has grown since the last call. A counter that is new has grown from zero.
    pub(super) fn news(&mut self, snapshot: &Snapshot) -> Vec<Fault> {
        let now: BTreeMap<(Subject, String), u64> = counters(snapshot).collect();
        let grown = now.iter().filter_map(|(key, count)| {
            let before = self.before.get(key).copied().unwrap_or_default();
            // A counter below its earlier value belongs to a virtual router that was made anew.
            let count = if *count >= before { count - before } else { *count };
            let (subject, counter) = key.clone();
            (count > 0).then_some(Fault { subject, counter, count })
        });
        let grown = grown.collect();
        self.before = now;
        grown
    }
}

fn counters(snapshot: &Snapshot) -> impl Iterator<Item = ((Subject, String), u64)> + '_ {
    let routers = snapshot.virtual_routers.iter().flat_map(|router| {
        let subject = Subject::Router(router.name.clone());
        faults(&router.counters, &ROUTER_FAULTS).map(move |(name, count)| ((subject.clone(), name), count))
    });
    let interfaces = snapshot.interfaces.iter().flat_map(|interface| {
        let subject = Subject::Interface(interface.name.clone());
        faults(&interface.counters, &INTERFACE_FAULTS).map(move |(name, count)| ((subject.clone(), name), count))
    });
    routers.chain(interfaces)
}

fn faults<'a, N: AsRef<str>>(
    counters: &'a BTreeMap<N, u64>,
    prefixes: &'static [&'static str],
) -> impl Iterator<Item = (String, u64)> + 'a {
    let is_fault = |name: &str| prefixes.iter().any(|prefix| name.starts_with(prefix));
    let counters = counters.iter().map(|(name, count)| (name.as_ref(), *count));
    counters.filter(move |(name, count)| *count > 0 && is_fault(name)).map(|(name, count)| (name.to_owned(), count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::InterfaceSnapshot;

    fn snapshot(counters: &[(&str, u64)]) -> Snapshot {
        let counters = counters.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
        let interface = InterfaceSnapshot { name: "eth0".to_owned(), up: true, addresses: Vec::new(), counters };
        Snapshot { interfaces: vec![interface], ..Snapshot::default() }
    }

    fn told(faults: &mut PacketFaults, counters: &[(&str, u64)]) -> Vec<(String, u64)> {
        faults.news(&snapshot(counters)).into_iter().map(|fault| (fault.counter, fault.count)).collect()
    }

    #[test]
    fn only_growth_is_news() {
        let mut faults = PacketFaults::default();
        let name = "malformed_checksum";
        assert_eq!(told(&mut faults, &[(name, 0)]), []);
        assert_eq!(told(&mut faults, &[(name, 5)]), [(name.to_owned(), 5)]);
        assert_eq!(told(&mut faults, &[(name, 5)]), []);
        assert_eq!(told(&mut faults, &[(name, 7)]), [(name.to_owned(), 2)]);
    }

    #[test]
    fn counters_of_ordinary_life_are_no_news() {
        let counters = [("packets_received", 7), ("unknown_virtual_router", 3), ("neighbor_claims", 1)];
        assert_eq!(told(&mut PacketFaults::default(), &counters), []);
    }

    #[test]
    fn a_counter_that_was_made_anew_counts_from_zero() {
        let mut faults = PacketFaults::default();
        told(&mut faults, &[("receive_drops", 9)]);
        assert_eq!(told(&mut faults, &[("receive_drops", 2)]), [("receive_drops".to_owned(), 2)]);
    }
}
