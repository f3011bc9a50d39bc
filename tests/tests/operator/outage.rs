//! The API server is away, hangs, forgets; Holdfast's kinds are missing.

use std::time::Instant;

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::{Component, crds, wait};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::Api;
use kube::api::DeleteParams;

use crate::support::{LONG, Operator, SHORT, Stage, apply, virtual_ip};

/// Applies a VirtualIP and waits until the node is told of it.
async fn prove_that_it_works(stage: &Stage, name: &str, address: &str) -> Result<()> {
    apply(&stage.virtual_ips(), virtual_ip(name, address)?).await?;
    let has = |config: &NodeConfig| config.spec.virtual_routers.iter().any(|router| router.name == name);
    wait::until(&stage.node_configs(), "node-1", &format!("the node is told of {name}"), LONG, has).await?;
    Ok(())
}

#[tokio::test]
async fn without_its_kinds_it_says_how_to_install_them_and_waits() -> Result<()> {
    let stage = Stage::without_kinds().await?;
    stage.add_nodes(&["node-1"]).await?;
    let operator = Operator::start(stage.server.admin(), "operator-0")?;
    operator.wait_for_readiness(503, "kubectl apply -f crds/yaml", LONG)?;
    assert_eq!(operator.get("/livez")?.0, 200);

    crds::apply(&stage.client).await?;
    operator.wait_for_readiness(200, "ok", LONG)?;
    prove_that_it_works(&stage, "web", "192.0.2.100/24").await
}

#[tokio::test]
async fn kinds_that_are_deleted_and_made_again_while_it_runs_are_served_again() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let mut operator = stage.operator()?;
    prove_that_it_works(&stage, "web", "192.0.2.100/24").await?;

    let definitions: Api<CustomResourceDefinition> = Api::all(stage.client.clone());
    for name in ["virtualips", "nodeconfigs"].map(|plural| format!("{plural}.holdfast.dev")) {
        definitions.delete(&name, &DeleteParams::default()).await?;
        wait::until_gone(&definitions, &name, LONG).await?;
    }
    operator.wait_for_log("watch_interrupted", LONG)?;
    crds::apply(&stage.client).await?;
    prove_that_it_works(&stage, "web", "192.0.2.100/24").await?;
    assert!(operator.wait_for_end(std::time::Duration::ZERO).is_err(), "it has ended");
    Ok(())
}

#[tokio::test]
async fn a_short_outage_is_survived() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let _operator = stage.operator()?;
    prove_that_it_works(&stage, "web", "192.0.2.100/24").await?;
    for (component, name, address) in
        [(Component::ApiServer, "a", "192.0.2.101"), (Component::Etcd, "b", "192.0.2.102")]
    {
        stage.server.kill(component)?;
        stage.server.start_component(component)?;
        stage.server.wait_until_ready()?;
        stage.client = stage.server.client()?;
        let back = Instant::now();
        prove_that_it_works(&stage, name, address).await?;
        assert!(back.elapsed() < SHORT, "{component:?}: it took {:?}", back.elapsed());
    }
    Ok(())
}

#[tokio::test]
async fn an_api_server_that_hangs_ends_the_leader_and_its_successor_waits_for_it() -> Result<()> {
    let mut stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let mut operator = stage.operator()?;
    stage.server.pause(Component::ApiServer)?;
    let status = operator.wait_for_end(LONG)?;
    assert_eq!(status.code(), Some(1), "{status}");

    let successor = Operator::start(stage.server.admin(), "operator-0")?;
    successor.wait_for_readiness(503, "", LONG)?;
    stage.server.resume(Component::ApiServer)?;
    successor.wait_until_it_leads(LONG)?;
    prove_that_it_works(&stage, "web", "192.0.2.100/24").await
}
