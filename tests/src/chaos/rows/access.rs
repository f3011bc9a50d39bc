//! A stolen token: what it must not be able to do, tried with the real token of a pod. The full list of attempts is that of the
//! suite `policy`.

use anyhow::{Result, ensure};

use crate::chaos::bounds::nothing_happens;
use crate::chaos::stage::{Remark, Stage};
use crate::chaos::vips::FIRST;

/// Prints the token of the agent's pod.
const TOKEN: &str = "cat /proc/$(cat /proc/[0-9]*/stat 2>/dev/null | sed -n 's/^\\([0-9]*\\) (holdfast-agent).*/\\1/p')/root\
    /var/run/secrets/kubernetes.io/serviceaccount/token";

/// What the agent's ServiceAccount may not do, as `kubectl` is told.
const FORBIDDEN: [&str; 12] = [
    "delete virtualip web",
    "patch virtualip web --type=merge --patch={\"spec\":{\"priority\":1}}",
    "annotate virtualip web holdfast.dev/prefer-node=node-3",
    "patch virtualip web --subresource=status --type=merge --patch={\"status\":{\"master\":\"node-3\"}}",
    "patch nodeconfig node-2 --subresource=status --type=merge --patch={\"status\":{\"agentVersion\":\"0\"}}",
    "patch nodeconfig node-1 --type=merge --patch={\"spec\":{\"virtualRouters\":[]}}",
    "delete nodeconfig node-2",
    "patch lease holdfast-agent-node-2 --namespace=holdfast --type=merge --patch={\"spec\":{\"holderIdentity\":\"x\"}}",
    "delete lease holdfast-operator --namespace=holdfast",
    "create token holdfast-agent-node-2 --namespace=holdfast",
    "create token holdfast-operator --namespace=holdfast",
    "get secrets --all-namespaces",
];

pub(super) fn token_stolen(stage: &mut Stage) -> Result<()> {
    stage
        .part_with("used for what it may not do", nothing_happens, |stage| {
            let token = stage.on_node(FIRST, TOKEN)?;
            ensure!(token.split('.').count() == 3, "no token: {token:?}");
            let mut remarks = Vec::new();
            for attempt in FORBIDDEN {
                let said = stage.kubectl_with_token(&token, attempt)?;
                if !said.to_lowercase().contains("forbidden") {
                    remarks.push(Remark { text: format!("not refused: {attempt}: {said}"), kept: false });
                }
            }
            // A token that nobody knows would be refused everything, too.
            let who = stage.kubectl_with_token(&token, "auth whoami --output=jsonpath={.status.userInfo.username}")?;
            let ours = who == "system:serviceaccount:holdfast:holdfast-agent";
            remarks.push(Remark { text: format!("{} attempts as {who}", FORBIDDEN.len()), kept: ours });
            Ok(remarks)
        })
        .map(drop)
}
