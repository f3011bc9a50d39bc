//! The story, one function a step. While it is told, a client probes the address every millisecond.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::cluster::{Cluster, Node, PATIENCE};
use super::manifests::Manifests;
use crate::demo::outcome::{Outcome, Outcomes, time};
use crate::lab::{Holders, Host, ProbeReport, Prober, stall};

/// What a busy machine may add to every time: scheduling, and the distance between two probes.
const NOISE: Duration = Duration::from_millis(30);

/// What starting three agents may take on a busy machine.
const STARTING: Duration = Duration::from_secs(5);

/// How long a move is watched after its end.
const AFTERMATH: Duration = Duration::from_millis(700);

/// What the kernel of a dead agent gives its successor beyond the time of the protocol, with the kernel's ticks.
const TAKEOVER: Duration = Duration::from_millis(50);

/// The priority of the node that takes over from the first one.
const SUCCESSOR: u8 = Manifests::PRIORITIES[1];

const PREFERRED: usize = 0;
const SECOND: usize = 1;

type Step = fn(&mut Cluster, &Manifests, &mut Outcomes) -> Result<()>;

/// All steps in their order. A step that misses its promise does not stop the story; one that cannot go on does.
pub(super) fn play(cluster: &mut Cluster, manifests: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let steps: [(&str, Step); 6] = [
        ("Three nodes start and elect a master", elect),
        ("The master's agent is stopped (SIGTERM)", stop),
        ("It comes back and preempts", preempt),
        ("nginx of the master is killed", fail_check),
        ("The master's node crashes", crash),
        ("The master's agent alone is killed (SIGKILL)", kill_agent),
    ];
    for (number, (title, step)) in steps.into_iter().enumerate() {
        println!("\n{}. {title}", number + 1);
        let missed = outcomes.missed();
        step(cluster, manifests, outcomes).with_context(|| format!("step {}: {title}", number + 1))?;
        if outcomes.missed() > missed {
            cluster.nodes.iter().for_each(Node::print_log);
        }
    }
    Ok(())
}

fn elect(cluster: &mut Cluster, manifests: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    for node in &mut cluster.nodes {
        node.start_nginx()?;
    }
    let started = Instant::now();
    for node in &mut cluster.nodes {
        node.start_agent()?;
    }
    for (node, state) in cluster.nodes.iter().zip(["MASTER", "BACKUP", "BACKUP"]) {
        node.wait_for_state(state)?;
    }
    let took = started.elapsed();
    for node in &cluster.nodes {
        node.print_status()?;
    }
    println!();
    // Starting programs and the first result of the check come on top of the protocol's own time.
    let bound = manifests.bounds.master_down(Manifests::PRIORITIES[PREFERRED]) + STARTING;
    outcomes.add(Outcome {
        step: "start: node-1 is elected",
        expected: format!("within {}", time(bound)),
        measured: format!("after {}", time(took)),
        met: took <= bound,
    });
    Ok(())
}

fn stop(cluster: &mut Cluster, _: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let prober = probe(&cluster.client, &cluster.nodes[PREFERRED])?;
    let told = cluster.nodes[PREFERRED].stop_agent()?;
    let report = finish(prober, &cluster.nodes[SECOND], told)?;
    outcomes.add(nothing_lost("planned stop (SIGTERM)", &report));
    Ok(())
}

fn preempt(cluster: &mut Cluster, _: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let prober = probe(&cluster.client, &cluster.nodes[SECOND])?;
    let started = cluster.nodes[PREFERRED].start_agent()?;
    let report = finish(prober, &cluster.nodes[PREFERRED], started)?;
    outcomes.add(nothing_lost("return of the better node", &report));
    Ok(())
}

fn fail_check(cluster: &mut Cluster, manifests: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let prober = probe(&cluster.client, &cluster.nodes[PREFERRED])?;
    let killed = cluster.nodes[PREFERRED].kill_nginx()?;
    let report = finish(prober, &cluster.nodes[SECOND], killed)?;
    let moved = report.switched(killed, &cluster.nodes[SECOND].host).context("the address did not move")?;
    let bound = manifests.bounds.skew(SUCCESSOR) + Duration::from_millis(50);
    outcomes.add(Outcome {
        step: "nginx killed: address moves",
        expected: format!("within {}, 0 lost", time(bound)),
        measured: format!("after {}, {} lost", time(moved), report.lost()),
        met: moved <= bound + noise_since(killed) && report.lost() == 0,
    });
    cluster.nodes[PREFERRED].start_nginx()?;
    cluster.nodes[PREFERRED].wait_for_state("MASTER")
}

fn crash(cluster: &mut Cluster, manifests: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let prober = probe(&cluster.client, &cluster.nodes[PREFERRED])?;
    let crashed = Instant::now();
    cluster.lan.unplug(&cluster.nodes[PREFERRED].host)?;
    cluster.nodes[PREFERRED].kill_agent()?;
    let report = finish(prober, &cluster.nodes[SECOND], crashed)?;
    let (soonest, latest) = (manifests.bounds.soonest_failover(SUCCESSOR), manifests.bounds.master_down(SUCCESSOR));
    let gap = report.longest_gap();
    outcomes.add(Outcome {
        step: "node crash: gap",
        expected: format!("{} to {}", time(soonest), time(latest)),
        measured: time(gap),
        met: gap + NOISE >= soonest && gap <= latest + noise_since(crashed),
    });
    // A machine that boots has none of the addresses; this one has, and its kernel does not answer for them any more.
    cluster.lan.plug(&cluster.nodes[PREFERRED].host)?;
    cluster.nodes[PREFERRED].start_agent()?;
    cluster.nodes[PREFERRED].wait_for_state("MASTER")
}

fn kill_agent(cluster: &mut Cluster, manifests: &Manifests, outcomes: &mut Outcomes) -> Result<()> {
    let (old, new) = (cluster.nodes[PREFERRED].host.mac(), cluster.nodes[SECOND].host.mac());
    let prober = probe(&cluster.client, &cluster.nodes[PREFERRED])?;
    let watched = Instant::now();
    let holders = Holders::watch(&cluster.observer, Manifests::ADDRESS)?;
    holders.wait_for(old, watched, PATIENCE)?;
    let killed = cluster.nodes[PREFERRED].kill_agent()?;
    let client = finish(prober, &cluster.nodes[SECOND], killed)?;
    holders.wait_for(new, killed, PATIENCE)?;
    thread::sleep(manifests.bounds.interval + AFTERMATH);
    let report = holders.stop()?;
    let (silent, two, noise) = (report.held_until(killed, old), report.longest_with_two(), noise_since(killed));
    let (longest, both) = (manifests.bounds.interval * 4 + TAKEOVER, manifests.bounds.interval + TAKEOVER);
    outcomes.add(Outcome {
        step: "agent killed: probes lost",
        expected: "0".to_owned(),
        measured: client.lost().to_string(),
        met: client.lost() == 0,
    });
    outcomes.add(Outcome {
        step: "agent killed: its node falls silent",
        expected: format!("within {}", time(longest)),
        measured: format!("after {}", time(silent)),
        met: silent <= longest + noise,
    });
    // That two never answered is worth something only if the observer has seen the address on both, one after the other.
    let moved = report.moved(killed, old, new);
    let seen = if moved { "seen on node-1, then node-2" } else { "NOT seen to move from node-1 to node-2" };
    outcomes.add(Outcome {
        step: "agent killed: two nodes answer",
        expected: format!("at most {}", time(both)),
        measured: format!("{}, {seen}", time(two)),
        met: two <= both + noise && moved,
    });
    Ok(())
}

/// [`NOISE`], and what this machine has been seen to hold programs up for since a moment.
fn noise_since(moment: Instant) -> Duration {
    NOISE + stall::since(moment)
}

fn probe(client: &Host, master: &Node) -> Result<Prober> {
    Prober::start_at(client, Manifests::ADDRESS, &master.host, PATIENCE)
}

/// Waits until the new master answers, and some time more, and reports.
fn finish(prober: Prober, master: &Node, since: Instant) -> Result<ProbeReport> {
    prober.wait_for_answer_of(&master.host, since, PATIENCE)?;
    master.wait_for_state("MASTER")?;
    thread::sleep(AFTERMATH);
    prober.stop()
}

fn nothing_lost(step: &'static str, report: &ProbeReport) -> Outcome {
    Outcome {
        step,
        expected: "0 probes lost".to_owned(),
        measured: format!("{} of {} lost", report.lost(), report.sent()),
        met: report.lost() == 0,
    }
}
