//! How long `plan()` takes: it is called for every change, for the whole cluster. It is measured in time of one processor, so
//! that what else the machine does hardly matters.

use std::time::Duration;

use anyhow::{Context, Result};
use holdfast_crds::{NodeConfig, VirtualIP};
use holdfast_plan::{Cluster, Input, Memory, Plan, plan};
use k8s_openapi::api::core::v1::Node;
use nix::time::{ClockId, clock_gettime};

use super::scene;
use super::table::{Figure, count, size, time};

/// Nodes and VirtualIPs, each of which every node can hold.
const CLUSTERS: [(usize, usize); 2] = [(1_000, 250), (100, 2_000)];

/// Of so many attempts the one in the middle is shown.
const ATTEMPTS: usize = 5;

pub(super) fn measure() -> Result<Vec<Figure>> {
    let mut figures = Vec::new();
    for (nodes, virtual_ips) in CLUSTERS {
        figures.extend(of_a_cluster(nodes, virtual_ips)?);
    }
    Ok(figures)
}

fn of_a_cluster(nodes: usize, virtual_ips: usize) -> Result<Vec<Figure>> {
    let title = format!("plan(), {} nodes, {} VirtualIPs", count(nodes), count(virtual_ips));
    eprintln!("{title}");
    let nodes: Vec<Node> = (0..nodes)
        .map(|number| scene::node(&scene::node_name(number), scene::node_address(number), 0))
        .collect::<Result<_>>()?;
    let mut virtual_ips: Vec<VirtualIP> = (0..virtual_ips)
        .map(|number| scene::virtual_ip(number, &scene::for_all_nodes(number)))
        .collect::<Result<_>>()?;

    let (first, planned) = timed(&nodes, &virtual_ips, &[])?;
    let remembered = carried_out(&planned);
    let largest = planned.node_configs.values().map(|spec| serde_json::to_vec(spec).map_or(0, |json| json.len())).max();
    let changed = virtual_ips.first_mut().context("a VirtualIP")?;
    changed.spec.addresses = vec!["10.3.0.1".to_owned()];
    let (again, planned) = timed(&nodes, &virtual_ips, &remembered)?;
    let different = remembered.iter().zip(planned.node_configs.values()).filter(|(old, new)| old.spec != **new).count();
    let largest = u64::try_from(largest.unwrap_or_default())?;
    Ok(vec![
        Figure::new(format!("{title}: the first"), time(first)),
        Figure::new(format!("{title}: after a change of one VirtualIP"), time(again)),
        Figure::new(format!("{title}: NodeConfigs that differ then"), count(different)),
        Figure::new(format!("{title}: spec of the largest NodeConfig, as JSON"), size(largest)),
    ])
}

/// The plan, and the median of the times that it took.
fn timed(nodes: &[Node], virtual_ips: &[VirtualIP], node_configs: &[NodeConfig]) -> Result<(Duration, Plan)> {
    let memory = Memory::Cluster(Cluster { node_configs, ..Cluster::default() });
    let input = Input { virtual_ips, nodes, memory, ..Input::default() };
    let mut times = Vec::new();
    let mut last = Plan::default();
    for _ in 0..ATTEMPTS {
        let begun = processor_time()?;
        let planned = plan(&input);
        times.push(processor_time()?.saturating_sub(begun));
        // What was planned before is freed outside the time.
        last = planned;
    }
    times.sort_unstable();
    Ok((times.get(ATTEMPTS / 2).copied().unwrap_or_default(), last))
}

/// What this thread has used.
fn processor_time() -> Result<Duration> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).map(Duration::from).context("cannot tell the time of this thread")
}

fn carried_out(planned: &Plan) -> Vec<NodeConfig> {
    planned.node_configs.iter().map(|(node, spec)| NodeConfig::new(node, spec.clone())).collect()
}
