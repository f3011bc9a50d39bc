//! The agent: its pod, its process, its memory.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use nix::sys::signal::Signal;
use serde_json::json;

use crate::chaos::bounds::{agent_lost, nothing_lost};
use crate::chaos::stage::Stage;
use crate::chaos::vips::{FIRST, SECOND};

/// The program of the agent.
pub(super) const AGENT: &str = "holdfast-agent";

/// How long an agent is frozen.
const FREEZE: Duration = Duration::from_secs(10);

/// How long an agent is killed again and again.
const LOOP: Duration = Duration::from_secs(45);

/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(50);

/// In the cgroup of the agent somebody takes all memory that there is, and the agent is the first whom the kernel kills for it.
/// The other one follows. The cgroup is found by its processes: its name holds that of the pod.
const TAKE_ALL_MEMORY: &str = r#"
for process in /proc/[0-9]*; do
    if [ "$(cat "$process/comm" 2>/dev/null)" = holdfast-agent ]; then agent=${process#/proc/}; fi
done
list=$(grep -lx "$agent" $(find /sys/fs/cgroup/memory -name cgroup.procs))
echo 1000 >"/proc/$agent/oom_score_adj"
sh -c 'echo $$ >"$1"; head -c 2G /dev/zero | tail -c 2G' hog "$list" >/dev/null 2>&1 || true
if grep -q -x "$agent" "$list" 2>/dev/null; then echo "the agent survived" >&2; exit 1; fi
"#;

pub(super) fn pod_deleted(stage: &mut Stage) -> Result<()> {
    stage.part("deleted, until its successor is master again", nothing_lost, |stage| {
        let pod = stage.pod("agent", FIRST)?;
        stage.kubectl(&format!("--namespace holdfast delete {pod}"))?;
        stage.wait_for_pods()?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn rolled(stage: &mut Stage) -> Result<()> {
    stage.part("rolled, node after node", nothing_lost, |stage| {
        let values = json!({ "agent": { "podAnnotations": { "example.org/rolled": "yes" } } });
        stage.release.upgrade(&stage.cluster, &values)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn killed(stage: &mut Stage) -> Result<()> {
    stage.part("killed", agent_lost, |stage| {
        ensure!(stage.cluster.node(FIRST)?.kill(AGENT)? == 1, "one agent runs on {FIRST}");
        wait_for_successor(stage)
    })?;
    come_back(stage)
}

pub(super) fn frozen(stage: &mut Stage) -> Result<()> {
    stage.part("frozen", agent_lost, |stage| {
        ensure!(stage.cluster.node(FIRST)?.signal(AGENT, Signal::SIGSTOP)? == 1, "one agent runs on {FIRST}");
        thread::sleep(FREEZE);
        Ok(())
    })?;
    stage.part("woken up, until it is master again", nothing_lost, |stage| {
        stage.cluster.node(FIRST)?.signal(AGENT, Signal::SIGCONT)?;
        stage.wait_until_whole(FIRST).map(drop)
    })
}

pub(super) fn out_of_memory(stage: &mut Stage) -> Result<()> {
    stage.part("OOM-killed", agent_lost, |stage| {
        stage.on_node(FIRST, TAKE_ALL_MEMORY)?;
        wait_for_successor(stage)
    })?;
    come_back(stage)
}

pub(super) fn crash_loop(stage: &mut Stage) -> Result<()> {
    stage.part("killed again and again", agent_lost, |stage| {
        let node = stage.cluster.node(FIRST)?;
        let ended = Instant::now() + LOOP;
        while Instant::now() < ended {
            node.kill(AGENT)?;
            thread::sleep(LOOK);
        }
        Ok(())
    })?;
    stage.part("left alone, until it is master again", nothing_lost, |stage| stage.wait_until_whole(FIRST).map(drop))
}

fn wait_for_successor(stage: &Stage) -> Result<()> {
    stage.wait_for_takeover(SECOND, false)
}

/// The kubelet starts the agent anew, which waits for a whole master down interval before it takes over again.
fn come_back(stage: &mut Stage) -> Result<()> {
    stage.part("started again, until it is master", nothing_lost, |stage| stage.wait_until_whole(FIRST).map(drop))
}
