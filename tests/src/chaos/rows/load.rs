//! The processors, and hundreds of objects.

use std::net::Ipv4Addr;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::chaos::bounds::nothing_happens;
use crate::chaos::stage::{PATIENCE, Remark, Stage};
use crate::chaos::vips::{FIRST, INTERVAL, NODES, VIPS};
use crate::cluster::{Statuses, chart, is_whole};
use crate::lab::{Process, addresses, wait};

/// How long the processors are busy; in a short run less.
const BUSY: Duration = Duration::from_secs(60);
const BUSY_SHORT: Duration = Duration::from_secs(10);

/// Programs that never rest, for each processor of the machine.
const LOOPS: usize = 2;

/// First it becomes one of the node's own processes: those share the processors with all pods together.
const BUSY_LOOP: &str = "for group in /sys/fs/cgroup/cpu*/cgroup.procs; do echo $$ >$group; done; while :; do :; done";

/// How many objects there are at once.
const HUNDREDS: u8 = 200;

/// The network of their addresses.
const NETWORK: [u8; 3] = [10, 77, 200];

pub(super) fn busy(stage: &mut Stage) -> Result<()> {
    let limit = if stage.short { BUSY_SHORT } else { BUSY };
    let what = format!("{} s", limit.as_secs());
    stage
        .part_with(&what, nothing_happens, |stage| {
            let before = transitions(stage)?;
            let loops = keep_busy(stage, FIRST)?;
            thread::sleep(limit);
            drop(loops);
            stage.wait_until_whole(FIRST)?;
            let moved = transitions(stage)?.saturating_sub(before);
            Ok(vec![Remark { text: format!("{moved} transitions (promised: none)"), kept: moved == 0 }])
        })
        .map(drop)
}

/// All that the statuses of the scene have counted.
fn transitions(stage: &Stage) -> Result<i64> {
    let mut sum = 0;
    for vip in VIPS {
        let count = stage.kubectl(&format!("get virtualip {} --output=jsonpath={{.status.transitions}}", vip.name))?;
        sum += count.parse::<i64>().with_context(|| format!("not a number: {count:?}"))?;
    }
    Ok(sum)
}

/// Starts programs of the node that never rest, and are no pods: as a build or a backup on the machine itself. They end with their
/// handles.
fn keep_busy(stage: &Stage, node: &str) -> Result<Vec<Process>> {
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let host = stage.cluster.node(node)?.host()?;
    let start = |number| {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-euc", BUSY_LOOP]);
        host.spawn(&format!("busy-{number}"), shell)
    };
    (0..processors * LOOPS).map(start).collect()
}

pub(super) fn hundreds(stage: &mut Stage) -> Result<()> {
    let names: Vec<String> = (1..=HUNDREDS).map(|number| format!("many-{number:03}")).collect();
    stage.part_with("applied, until all are ready", nothing_happens, |stage| {
        let (began, mark) = (Instant::now(), stage.cluster.api().audit().mark()?);
        let objects: Vec<Value> = (1..).zip(&names).map(|(number, name)| object(name, number)).collect();
        chart::apply(stage.cluster.api(), &objects, &[])?;
        let all_ready = |statuses: &Statuses| {
            let ready = |name: &String| statuses.get(name).is_some_and(|status| is_whole(status, FIRST, 2));
            names.iter().all(ready)
        };
        let ready = stage.sightings.wait_for_all("all are ready", began, PATIENCE, all_ready)?;
        let remark =
            format!("all ready after {} ms, {}", ready.duration_since(began).as_millis(), writes(stage, mark)?);
        Ok(vec![Remark::told(remark)])
    })?;
    stage
        .part_with("deleted, until nothing is left", nothing_happens, |stage| {
            let (began, mark) = (Instant::now(), stage.cluster.api().audit().mark()?);
            stage.kubectl(&format!("delete virtualips --wait=false {}", names.join(" ")))?;
            wait::until("no node has one of their addresses", PATIENCE, || Ok(left(stage)? == 0))?;
            let gone = began.elapsed();
            stage.wait_until_whole(FIRST)?;
            let routers = stage.kubectl("get nodeconfigs --output=jsonpath={.items[*].spec.virtualRouters[*].name}")?;
            let of_them = routers.split_whitespace().filter(|name| name.starts_with("many-")).count();
            let remark = format!("no address left after {} ms, {}", gone.as_millis(), writes(stage, mark)?);
            let kept = of_them == 0;
            Ok(vec![Remark::told(remark), Remark { text: format!("{of_them} of them left in NodeConfigs"), kept }])
        })
        .map(drop)
}

fn object(name: &str, number: u8) -> Value {
    let [a, b, c] = NETWORK;
    let priorities = NODES.map(|(node, priority)| json!({ "nodeName": node, "priority": priority }));
    json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name },
        "spec": {
            "addresses": [format!("{}/32", Ipv4Addr::new(a, b, c, number))], "interface": "eth0",
            "advertisementInterval": format!("{}ms", INTERVAL.as_millis()), "nodePriorities": priorities,
        },
    })
}

fn left(stage: &Stage) -> Result<usize> {
    let mut count = 0;
    for node in stage.cluster.nodes() {
        let present = addresses::list(node.host()?, "eth0")?;
        let is_one = |address: &std::net::IpAddr| matches!(address, std::net::IpAddr::V4(it) if it.octets().starts_with(&NETWORK));
        count += present.iter().filter(|address| is_one(address)).count();
    }
    Ok(count)
}

/// How many writes Holdfast made meanwhile.
fn writes(stage: &Stage, mark: crate::cluster::Mark) -> Result<String> {
    let requests = stage.cluster.api().audit().since(mark)?;
    let is_write = |verb: &str| matches!(verb, "create" | "update" | "patch" | "delete");
    let ours = requests.iter().filter(|request| request.user.contains(":holdfast:") && is_write(&request.verb));
    let (agents, operator): (Vec<_>, Vec<_>) = ours.partition(|request| request.user.contains("agent"));
    Ok(format!("{} writes by the operator, {} by the agents", operator.len(), agents.len()))
}
