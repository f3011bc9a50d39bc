//! Neither the control plane nor the operator is there, and everything that matters goes on.

use std::time::Instant;

use anyhow::{Result, ensure};

use super::bounds::{PATIENCE, TRUE_AGAIN};
use super::outcome::{Outcome, Outcomes, time};
use super::scene::{NAME, Scene};
use super::takeover;
use crate::cluster::{Component, is_whole};
use crate::lab::{http, wait};

/// The program in the pods of each.
const OPERATOR: &str = "holdfast-operator";
const AGENT: &str = "holdfast-agent";

/// What is ended, the first one first, and started again in the same order.
const CONTROL_PLANE: [Component; 3] = [Component::ApiServer, Component::ControllerManager, Component::Scheduler];

/// Where an agent of the chart serves, on its node.
const AGENT_PORT: u16 = 9112;

/// Ends the control plane and the operator; then the master loses its link, and its successor its agent.
pub(super) fn fail_over(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    for component in CONTROL_PLANE {
        scene.cluster.api_mut().kill(component)?;
    }
    let operators = kill_everywhere(scene, OPERATOR)?;
    println!("\nThe API server, the controllers, the scheduler and {operators} replicas of the operator are killed.");
    let answer = scene.try_kubectl("get virtualips --request-timeout=2s")?;
    ensure!(!answer.status.success(), "an API server that was killed answers");
    let old = pull_the_cable(scene, outcomes)?;
    kill_the_agent(scene, outcomes)?;
    println!("\nThe cable of {old} is back.");
    scene.cluster.link_up(&old)
}

fn pull_the_cable(scene: &Scene, outcomes: &mut Outcomes) -> Result<String> {
    let old = scene.master_other_than(&[])?;
    let prober = scene.probe(&old)?;
    println!("\n{old}, the master, loses its link.");
    let cut = Instant::now();
    scene.cluster.link_down(&old)?;
    let new = scene.master_other_than(&[&old])?;
    scene.settle(&prober, &new, cut)?;
    let report = prober.stop()?;
    let step = "without API server and operator: the new master answers";
    takeover::judge(step, scene, &report, &new, cut, outcomes)?;
    scene.page()?;
    Ok(old)
}

/// The agent comes back with what is on its disk: there is nobody whom it could ask.
fn kill_the_agent(scene: &Scene, outcomes: &mut Outcomes) -> Result<()> {
    let master = scene.master_other_than(&[])?;
    let node = scene.cluster.node(&master)?;
    let prober = scene.probe(&master)?;
    println!("\nThe agent on {master}, the master, is killed.");
    let killed = Instant::now();
    ensure!(node.kill(AGENT)? == 1, "there is one agent on {master}");
    wait::until(&format!("the agent on {master} is ready again"), PATIENCE, || {
        // Nobody listens until it is.
        Ok(http::get(node.host()?, AGENT_PORT, "/readyz").is_ok_and(|answer| answer.status == 200))
    })?;
    let took = killed.elapsed();
    let successor = scene.master_other_than(&[])?;
    scene.settle(&prober, &successor, Instant::now())?;
    let report = prober.stop()?;
    println!("\nThe client sent {report}.");
    println!("\n{successor} is the master; the agent on {master} was ready again after {}.", time(took));
    outcomes.add(Outcome {
        step: "an agent restarts without API server and operator",
        expected: "0 probes lost".to_owned(),
        measured: format!("{} of {} lost", report.lost(), report.sent()),
        met: report.lost() == 0,
    });
    Ok(())
}

/// Starts the API server again. The operator's pods were started again by their nodes and wait for it.
pub(super) fn come_back(scene: &mut Scene, outcomes: &mut Outcomes) -> Result<()> {
    let master = scene.master_other_than(&[])?;
    let started = Instant::now();
    scene.cluster.api_mut().start_component(Component::ApiServer)?;
    let back = scene.sightings.wait_for(NAME, "the API server answers", started, PATIENCE, |_| true)?;
    println!("\nThe API server is started, and answers after {}.", time(back.duration_since(started)));
    let told =
        scene.sightings.wait_for(NAME, "the status is true", back, PATIENCE, |status| is_whole(status, &master, 2))?;
    scene.kubectl("get virtualips -o wide")?;
    scene.kubectl("get events --field-selector=involvedObject.kind=VirtualIP")?;
    for component in CONTROL_PLANE.into_iter().skip(1) {
        scene.cluster.api_mut().start_component(component)?;
    }
    let took = told.duration_since(back);
    outcomes.add(Outcome {
        step: "the API server answers again: the status is true",
        expected: format!("within {}", time(TRUE_AGAIN)),
        measured: format!("after {}", time(took)),
        met: took <= TRUE_AGAIN,
    });
    Ok(())
}

fn kill_everywhere(scene: &Scene, program: &str) -> Result<usize> {
    let mut killed = 0;
    for node in scene.running() {
        killed += node.kill(program)?;
    }
    ensure!(killed > 0, "no {program} runs on any node");
    Ok(killed)
}
