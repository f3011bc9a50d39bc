//! The operator with the rights that the chart gives it, and no others.

use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::{AgentIdentity, Programs, wait};
use k8s_openapi::api::rbac::v1::ClusterRole;
use kube::Api;
use kube::api::DeleteParams;
use serde_json::json;

use crate::support::{NAMESPACE, Operator, SHORT, Stage, apply, virtual_ip};

const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/holdfast");

/// Applies what the chart has for the operator's account.
fn grant(stage: &Stage) -> Result<()> {
    let mut helm = Command::new(Programs::find()?.built("helm")?);
    helm.args(["template", "holdfast", CHART, "--namespace", NAMESPACE]);
    helm.args(["--show-only", "templates/operator-account.yaml", "--show-only", "templates/operator-policy.yaml"]);
    let rendered = helm.output().context("cannot run helm")?;
    ensure!(rendered.status.success(), "{}", String::from_utf8_lossy(&rendered.stderr));
    let mut kubectl = stage.server.kubectl()?;
    let mut applying = kubectl.args(["apply", "-f", "-"]).stdin(Stdio::piped()).spawn()?;
    applying.stdin.take().context("a pipe")?.write_all(&rendered.stdout)?;
    ensure!(applying.wait()?.success(), "kubectl apply failed");
    Ok(())
}

#[tokio::test]
async fn the_rights_of_the_chart_are_enough_and_reach_no_further_than_the_agents() -> Result<()> {
    let stage = Stage::new().await?;
    grant(&stage)?;
    let identity = AgentIdentity { node: "node-1", namespace: NAMESPACE, service_account: "holdfast-operator" };
    let token = stage.server.token(identity.token(&stage.client).await?);
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let operator = Operator::start(&token, "operator-0")?;
    operator.wait_until_it_leads(SHORT)?;

    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has = |config: &NodeConfig| !config.spec.virtual_routers.is_empty();
    wait::until(&stage.node_configs(), "node-1", "the node is told of web", SHORT, has).await?;
    let roles: Api<ClusterRole> = Api::all(stage.client.clone());
    wait::until(&roles, "holdfast-agent-node-2", "a role", SHORT, |_| true).await?;
    stage.nodes().delete("node-2", &DeleteParams::default()).await?;
    wait::until_gone(&stage.node_configs(), "node-2", SHORT).await?;
    wait::until_gone(&roles, "holdfast-agent-node-2", SHORT).await?;

    let client = token.client()?;
    let rights = json!([{ "apiGroups": [""], "resources": ["secrets"], "verbs": ["get"] }]);
    for name in ["mine", "holdfast-agent-mine"] {
        let role = json!({ "metadata": { "name": name }, "rules": rights });
        let refused = apply(&Api::<ClusterRole>::all(client.clone()), serde_json::from_value(role)?).await;
        assert!(refused.is_err(), "{name} was made");
    }
    let refusals: Vec<String> =
        operator.log().lines().filter(|line| line.contains("refused")).map(str::to_owned).collect();
    assert!(refusals.is_empty(), "{refusals:?}");
    Ok(())
}
