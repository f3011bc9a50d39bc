//! Masters that their `VirtualIPs` do not name.

use holdfast_crds::RouterState::{Backup, Master};
use holdfast_operator::aggregate::Naming;

use crate::cluster::{Cluster, at};

/// So long has an agent to write it.
const PATIENCE: u64 = 10;

fn named(node: &str) -> Naming {
    Naming { node: node.to_owned(), since: Some(at(10)) }
}

/// What is to be written into web.
fn naming(cluster: &mut Cluster) -> Option<Naming> {
    cluster.look().namings.remove("web")
}

#[test]
fn a_master_that_is_named_needs_nothing() {
    let mut cluster = Cluster::settled();
    cluster.wait(3 * PATIENCE, &["a", "b", "c"]);
    assert_eq!(naming(&mut cluster), None);
}

#[test]
fn a_master_that_is_not_named_is_named_after_a_while() {
    for wrong in [None, Some("b"), Some("by hand")] {
        let mut cluster = Cluster::settled();
        let status = cluster.virtual_ips.get_mut("web").unwrap().status.as_mut().unwrap();
        (status.master, status.master_since) = (wrong.map(str::to_owned), Some(at(1)));
        let due = cluster.look().look_again;
        assert_eq!(due, Some(cluster.clock + crate::cluster::seconds(PATIENCE)), "{wrong:?}");
        cluster.wait(PATIENCE - 1, &["a", "b", "c"]);
        assert_eq!(naming(&mut cluster), None, "{wrong:?}: it may be about to write it");
        cluster.wait(1, &["a", "b", "c"]);
        assert_eq!(naming(&mut cluster), Some(named("a")), "{wrong:?}");
        cluster.claim("a", "web", 10);
        assert_eq!(naming(&mut cluster), None, "{wrong:?}: it is done");
    }
}

#[test]
fn another_master_has_as_much_time_as_the_first() {
    let mut cluster = Cluster::settled();
    cluster.virtual_ips.get_mut("web").unwrap().status.as_mut().unwrap().master = None;
    cluster.look();
    cluster.wait(PATIENCE - 1, &["a", "b", "c"]);
    cluster.state("a", "web", Backup, 20);
    cluster.state("b", "web", Master, 20);
    cluster.wait(PATIENCE - 1, &["a", "b", "c"]);
    assert_eq!(naming(&mut cluster), None);
}

#[test]
fn of_two_masters_none_is_named() {
    let mut cluster = Cluster::settled();
    cluster.state("b", "web", Master, 20);
    cluster.virtual_ips.get_mut("web").unwrap().status.as_mut().unwrap().master = None;
    cluster.wait(3 * PATIENCE, &["a", "b", "c"]);
    assert_eq!(cluster.is("web", "Ready"), ("False", "SplitBrain"));
    assert_eq!(naming(&mut cluster), None);
}
