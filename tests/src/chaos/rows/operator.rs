//! The operator: two replicas, of which one leads.

use std::time::Instant;

use anyhow::{Context, Result};

use crate::chaos::bounds::{OPERATOR_AGAIN, nothing_lost_without_operator};
use crate::chaos::stage::{Remark, Stage};
use crate::chaos::vips::{BACKUPS, SECOND, VIPS};
use crate::cluster::is_whole;

const OPERATOR: &str = "holdfast-operator";

pub(super) fn deleted(stage: &mut Stage) -> Result<()> {
    without(stage, "deleted, and a move is asked for at once", |stage| {
        stage
            .kubectl("--namespace holdfast delete pods --selector=app.kubernetes.io/component=operator --wait=false")
            .map(drop)
    })
}

pub(super) fn killed(stage: &mut Stage) -> Result<()> {
    without(stage, "the leader is killed, and a move is asked for at once", |stage| {
        let holder = stage
            .kubectl("--namespace holdfast get lease holdfast-operator --output=jsonpath={.spec.holderIdentity}")?;
        let pods = stage.kubectl(
            "--namespace holdfast get pods --selector=app.kubernetes.io/component=operator \
             --output=jsonpath={range.items[*]}{.metadata.name}={.spec.nodeName}{\"\\n\"}{end}",
        )?;
        let node = pods.lines().find_map(|pod| pod.split_once('=').filter(|(name, _)| holder.starts_with(name)));
        let (_, node) = node.with_context(|| format!("the leader is {holder:?}, the pods are {pods:?}"))?;
        let killed = stage.cluster.node(node)?.kill(OPERATOR)?;
        anyhow::ensure!(killed == 1, "{killed} operators ran on {node}");
        Ok(())
    })
}

/// What was asked for while nobody planned is carried out by whoever leads next.
fn without(stage: &mut Stage, what: &str, lose: fn(&Stage) -> Result<()>) -> Result<()> {
    stage.part_with(what, nothing_lost_without_operator, |stage| {
        lose(stage)?;
        let began = Instant::now();
        for vip in VIPS {
            stage.kubectl(&format!("annotate virtualip {} --overwrite holdfast.dev/prefer-node={SECOND}", vip.name))?;
        }
        let told = stage.wait_for_statuses("the move is done and told", |statuses| {
            VIPS.iter().all(|vip| statuses.get(vip.name).is_some_and(|status| is_whole(status, SECOND, BACKUPS)))
        })?;
        Ok(vec![Remark::within("the status was right", told.duration_since(began), OPERATOR_AGAIN)])
    })?;
    Ok(())
}
