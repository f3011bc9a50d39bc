//! What agents read with.

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::{AgentIdentity, wait};
use kube::api::ListParams;
use kube::{Api, Client};

use crate::support::{NAMESPACE, SHORT, Stage};

#[tokio::test]
async fn the_account_of_a_node_may_read_the_config_of_that_node_and_no_other() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let _operator = stage.operator()?;
    for node in ["node-1", "node-2"] {
        wait::until(&stage.node_configs(), node, "a config", SHORT, |_| true).await?;
    }
    let identity = AgentIdentity { node: "node-1", namespace: NAMESPACE, service_account: "holdfast-agent-node-1" };
    let token = identity.token(&stage.client).await?;
    let client: Client = stage.server.token(token).client()?;
    let configs: Api<NodeConfig> = Api::all(client);

    // The authorizer follows roles by a watch.
    wait::repeatedly("the right takes effect", SHORT, async || Ok(configs.get("node-1").await.map(drop)?)).await?;
    configs.list(&ListParams::default().fields("metadata.name=node-1")).await?;
    for refused in [configs.get("node-2").await.map(drop), configs.list(&ListParams::default()).await.map(drop)] {
        let Err(kube::Error::Api(status)) = refused else { panic!("{refused:?}") };
        assert!(status.is_forbidden(), "{status:?}");
    }
    Ok(())
}
