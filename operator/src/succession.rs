//! Who has to rise before others fall. Pure.
//!
//! When a `VirtualIP` is to go from one node to another by their priorities, both `NodeConfigs` change. If the old master fell first,
//! a third node would be the best for a moment, and take over in between. So `NodeConfigs` that only take something away from a
//! node wait until those that give it to others have been seen.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use holdfast_crds::{NodeConfig, NodeConfigSpec};

use crate::world::Store;
use crate::write::{Change, Write};

/// Others are not waited for any longer: the API server may refuse them.
const PATIENCE: Duration = Duration::from_secs(2);

/// Since when something waits.
#[derive(Clone, Copy, Debug, Default)]
pub struct Succession {
    waiting_since: Option<Duration>,
}

impl Succession {
    /// Leaves out what has to wait.
    pub fn admit(&mut self, writes: Vec<Write>, seen: &Store<NodeConfig>, now: Duration) -> Vec<Write> {
        let waiting = must_wait(&writes, seen);
        self.waiting_since = (!waiting.is_empty()).then(|| self.waiting_since.unwrap_or(now));
        if self.waiting_since.is_none_or(|since| since + PATIENCE <= now) {
            return writes;
        }
        writes.into_iter().filter(|write| !waiting.contains(&write.target.name)).collect()
    }

    /// When what waits is admitted in any case.
    pub fn due(&self, now: Duration) -> Option<Duration> {
        self.waiting_since.map(|since| since + PATIENCE).filter(|due| *due > now)
    }
}

fn must_wait(writes: &[Write], seen: &Store<NodeConfig>) -> BTreeSet<String> {
    let changes: Vec<(&str, Moves<'_>)> =
        writes.iter().filter_map(|write| Some((name(write), moves(write, seen)?))).collect();
    let rising: BTreeSet<&str> = changes.iter().flat_map(|(_, moves)| moves.rise.iter().copied()).collect();
    let waits = |moves: &Moves<'_>| moves.rise.is_empty() && moves.fall.iter().any(|router| rising.contains(router));
    changes.iter().filter(|(_, moves)| waits(moves)).map(|(name, _)| (*name).to_owned()).collect()
}

fn name(write: &Write) -> &str {
    &write.target.name
}

/// The virtual routers whose priority rises on a node, and those whose priority falls.
struct Moves<'a> {
    rise: BTreeSet<&'a str>,
    fall: BTreeSet<&'a str>,
}

/// None for what nobody has to wait for: a `NodeConfig` that is new, unreadable, or goes.
fn moves<'a>(write: &'a Write, seen: &'a Store<NodeConfig>) -> Option<Moves<'a>> {
    let Change::NodeConfig { plan, .. } = &write.change else { return None };
    let name = name(write);
    let before = priorities(&seen.get(name).filter(|_| !seen.unreadable().contains_key(name))?.spec);
    let after = priorities(plan.node_configs.get(name)?);
    let better = |one: &BTreeMap<&'a str, u8>, other: &BTreeMap<&'a str, u8>| {
        let is_better = |(router, priority): (&&'a str, &u8)| {
            other.get(router).is_none_or(|other| priority > other).then_some(*router)
        };
        one.iter().filter_map(is_better).collect()
    };
    Some(Moves { rise: better(&after, &before), fall: better(&before, &after) })
}

fn priorities(spec: &NodeConfigSpec) -> BTreeMap<&str, u8> {
    spec.virtual_routers.iter().map(|router| (router.name.as_str(), router.priority)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use holdfast_plan::Plan;
    use kube::core::DeserializeGuard;
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;
    use crate::node_config;

    const START: Duration = Duration::from_secs(100);

    /// A node with the priorities of its virtual routers.
    type Node<'a> = (&'a str, &'a [(&'a str, u8)]);

    fn spec(routers: &[(&str, u8)]) -> Value {
        let router = |(name, priority): &(&str, u8)| {
            json!({
                "name": name, "virtualIP": name, "group": name, "family": "IPv4", "virtualRouterID": 51,
                "protocolVersion": 3, "advertisementInterval": "1s", "priority": priority, "addresses": ["192.0.2.1/24"],
            })
        };
        json!({ "virtualRouters": routers.iter().map(router).collect::<Vec<_>>() })
    }

    fn seen(nodes: &[Node<'_>]) -> Store<NodeConfig> {
        let mut store = Store::default();
        for (name, routers) in nodes {
            let object = json!({ "metadata": { "name": name, "resourceVersion": "7" }, "spec": spec(routers) });
            let object: DeserializeGuard<NodeConfig> = serde_json::from_value(object).unwrap();
            store.apply(Event::Apply(object));
        }
        assert!(store.unreadable().is_empty(), "{:?}", store.unreadable());
        store
    }

    fn admitted(succession: &mut Succession, before: &[Node<'_>], after: &[Node<'_>], now: Duration) -> Vec<String> {
        let seen = seen(before);
        let planned = |(name, routers): &Node<'_>| ((*name).to_owned(), serde_json::from_value(spec(routers)).unwrap());
        let plan = Plan { node_configs: after.iter().map(planned).collect(), ..Plan::default() };
        let writes = node_config::writes(&seen, &Store::default(), &Arc::new(plan), &BTreeMap::new());
        succession.admit(writes, &seen, now).into_iter().map(|write| write.target.name).collect()
    }

    #[test]
    fn who_loses_the_preference_waits_for_who_gets_it() {
        let mut succession = Succession::default();
        let (before, after): ([Node<'_>; 2], [Node<'_>; 2]) =
            ([("a", &[("web", 254)]), ("b", &[("web", 150)])], [("a", &[("web", 200)]), ("b", &[("web", 254)])]);
        assert_eq!(admitted(&mut succession, &before, &after, START), ["b"]);
        let halfway: [Node<'_>; 2] = [("a", &[("web", 254)]), ("b", &[("web", 254)])];
        assert_eq!(admitted(&mut succession, &halfway, &after, START), ["a"]);
        assert_eq!(succession.due(START), None);
    }

    #[test]
    fn who_leaves_waits_for_who_comes() {
        let (before, after): ([Node<'_>; 2], [Node<'_>; 2]) =
            ([("a", &[("web", 200)]), ("b", &[])], [("a", &[]), ("b", &[("web", 200)])]);
        assert_eq!(admitted(&mut Succession::default(), &before, &after, START), ["b"]);
    }

    #[test]
    fn nobody_waits_where_nobody_rises_or_both_do() {
        let cases: [([Node<'_>; 2], [Node<'_>; 2]); 3] = [
            // A node is drained.
            ([("a", &[("web", 254)]), ("b", &[("web", 150)])], [("a", &[("web", 1)]), ("b", &[("web", 150)])]),
            // Two change places.
            (
                [("a", &[("web", 254), ("api", 1)]), ("b", &[("web", 1), ("api", 254)])],
                [("a", &[("web", 1), ("api", 254)]), ("b", &[("web", 254), ("api", 1)])],
            ),
            // Others are concerned.
            ([("a", &[("web", 254)]), ("b", &[("api", 150)])], [("a", &[("web", 1)]), ("b", &[("api", 200)])]),
        ];
        for (before, after) in cases {
            let changed = before.iter().zip(&after).filter(|(before, after)| before != after);
            let expected: Vec<&str> = changed.map(|(before, _)| before.0).collect();
            assert_eq!(admitted(&mut Succession::default(), &before, &after, START), expected, "{after:?}");
        }
    }

    #[test]
    fn a_node_that_is_new_is_not_waited_for() {
        let (before, after): ([Node<'_>; 1], [Node<'_>; 2]) =
            ([("a", &[("web", 254)])], [("a", &[("web", 1)]), ("b", &[("web", 254)])]);
        assert_eq!(admitted(&mut Succession::default(), &before, &after, START), ["a", "b"]);
    }

    #[test]
    fn nobody_waits_for_ever() {
        let mut succession = Succession::default();
        let (before, after): ([Node<'_>; 2], [Node<'_>; 2]) =
            ([("a", &[("web", 254)]), ("b", &[("web", 150)])], [("a", &[("web", 200)]), ("b", &[("web", 254)])]);
        assert_eq!(admitted(&mut succession, &before, &after, START), ["b"]);
        let due = succession.due(START).unwrap();
        assert_eq!(admitted(&mut succession, &before, &after, due), ["a", "b"]);
        assert_eq!(succession.due(due), None);
    }
}
