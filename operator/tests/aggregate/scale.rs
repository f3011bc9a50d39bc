//! Large clusters: nothing may be left out silently, and nothing may grow beyond what an object holds.

use std::time::Instant;

use holdfast_crds::RouterState::{Fault, Master};
use holdfast_crds::VirtualIPSpec;

use crate::cluster::Cluster;

fn large(nodes: usize, virtual_ips: usize) -> Cluster {
    let names: Vec<String> = (0..nodes).map(|number| format!("node-{number:04}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut cluster = Cluster::of(&names);
    for number in 0..virtual_ips {
        cluster.create(
            &format!("vip-{number:04}"),
            VirtualIPSpec::new([format!("10.1.{}.{}", number / 200, number % 200)]),
        );
    }
    cluster.carry_out();
    for number in 0..virtual_ips {
        let master = names[number % nodes];
        let vip = format!("vip-{number:04}");
        cluster.state(master, &vip, Master, 10);
        cluster.claim(master, &vip, 10);
    }
    cluster
}

#[test]
fn of_very_many_nodes_those_are_listed_that_tell_most() {
    let mut cluster = large(300, 1);
    cluster.settle("vip-0000", "node-0299");
    cluster.state("node-0298", "vip-0000", Fault, 20);
    cluster.look();
    let status = cluster.status("vip-0000");
    assert_eq!(status.nodes.len(), 256);
    assert!(status.nodes.is_sorted_by_key(|node| &node.name));
    assert_eq!(cluster.node("vip-0000", "node-0299").state, Master);
    assert_eq!(cluster.node("vip-0000", "node-0298").state, Fault);
    assert_eq!(status.summary.as_ref().unwrap().backups.as_deref(), Some("298/299"), "all are counted");
    let message = cluster.message("vip-0000", "Programmed");
    assert_eq!(message, "300 nodes run it; status.nodes lists the 256 of them that tell most");
    assert!(serde_json::to_vec(status).unwrap().len() < 100_000);
}

/// With `--nocapture` it says how long that took; a benchmark it is not.
#[test]
fn every_virtual_ip_of_a_large_cluster_has_a_status_also_when_a_node_falls_silent() {
    for (nodes, virtual_ips) in [(200, 50), (20, 400)] {
        let mut cluster = large(nodes, virtual_ips);
        let plan = cluster.plan();
        let first = cluster.aggregate_of(&plan);
        cluster.write(&first);
        cluster.memory = first.memory;
        cluster.beats.remove("node-0000");
        let begun = Instant::now();
        let result = cluster.aggregate_of(&plan);
        let all = begun.elapsed();
        assert_eq!(result.virtual_ips.len(), virtual_ips);
        println!("{nodes} nodes, {virtual_ips} VirtualIPs: {all:?}, copying the input included");
    }
}
