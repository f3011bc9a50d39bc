//! Others write to the same objects at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::wait;
use kube::Api;
use kube::api::{DeleteParams, Patch, PatchParams};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::support::{Operator, SHORT, Stage, apply, virtual_ip};

const OPERATOR: &str = "the-operator";

/// Writers that change one object all the time.
struct Rush {
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
}

impl Rush {
    fn begin(configs: &Api<NodeConfig>, name: &'static str, patch: fn(u32) -> Value) -> Self {
        let (stop, mut writers) = (Arc::new(AtomicBool::new(false)), JoinSet::new());
        for _ in 0..4 {
            let (configs, stop) = (configs.clone(), Arc::clone(&stop));
            writers.spawn(async move {
                for turn in 0.. {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    // The object may be gone, which is what is waited for.
                    let _ = configs.patch(name, &PatchParams::default(), &Patch::Merge(patch(turn))).await;
                }
            });
        }
        Self { stop, writers }
    }

    async fn end(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while self.writers.join_next().await.is_some() {}
    }
}

/// An operator whose requests can be told from those of the test.
async fn operator(stage: &Stage, nodes: &[&str]) -> Result<Operator> {
    stage.add_nodes(nodes).await?;
    let operator = Operator::start(&stage.server.user(OPERATOR, Some("system:masters"))?, "operator-0")?;
    operator.wait_until_it_leads(SHORT)?;
    for node in nodes {
        wait::until(&stage.node_configs(), node, "a config", SHORT, |_| true).await?;
    }
    Ok(operator)
}

#[tokio::test]
async fn a_config_that_somebody_changes_all_the_time_goes_with_its_node() -> Result<()> {
    let stage = Stage::new().await?;
    let _operator = operator(&stage, &["node-1", "node-2"]).await?;
    let note = |turn: u32| json!({ "metadata": { "annotations": { "example.com/turn": turn.to_string() } } });
    let rush = Rush::begin(&stage.node_configs(), "node-2", note);
    stage.nodes().delete("node-2", &DeleteParams::default()).await?;
    wait::until_gone(&stage.node_configs(), "node-2", SHORT).await?;
    rush.end().await;
    stage.node_configs().get("node-1").await?;
    Ok(())
}

#[tokio::test]
async fn one_who_overwrites_a_config_all_the_time_is_answered_at_a_bounded_rate_and_has_the_last_word_no_longer_than_that()
-> Result<()> {
    let stage = Stage::new().await?;
    let _operator = operator(&stage, &["node-1"]).await?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has_web = |config: &NodeConfig| config.spec.virtual_routers.iter().any(|router| router.name == "web");
    let right = wait::until(&stage.node_configs(), "node-1", "web", SHORT, has_web).await?;

    let (mark, begun) = (stage.server.audit().mark()?, Instant::now());
    let empty = |_| json!({ "spec": { "virtualRouters": [] } });
    let rush = Rush::begin(&stage.node_configs(), "node-1", empty);
    tokio::time::sleep(Duration::from_secs(5)).await;
    rush.end().await;
    let is_right = |config: &NodeConfig| config.spec == right.spec;
    wait::until(&stage.node_configs(), "node-1", "it is put back", SHORT, is_right).await?;

    let requests = stage.server.audit().since(mark)?;
    let answers = requests.iter().filter(|request| request.user == OPERATOR && request.resource == "nodeconfigs");
    let (answers, seconds) = (answers.filter(|request| request.verb == "patch").count(), begun.elapsed().as_secs());
    println!("{answers} answers to {} requests in {seconds} s", requests.len());
    // Three at once, and then one a second.
    assert!(answers >= 1 && answers <= usize::try_from(seconds)? + 4, "{answers} in {seconds} s");
    Ok(())
}
