//! What an idle system asks of the API server.

use std::time::Duration;

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_tests::cluster::wait;
use tokio::time::sleep;

use crate::support::{Operator, SHORT, Stage, apply, virtual_ip};

/// Long enough for anything that goes round in circles to show.
const WATCHED: Duration = Duration::from_secs(20);

#[tokio::test]
async fn when_nothing_changes_only_leases_are_looked_at_and_renewed() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let user = stage.server.user("the-operator", Some("system:masters"))?;
    let operator = Operator::start(&user, "operator-0")?;
    operator.wait_until_it_leads(SHORT)?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    let has = |config: &NodeConfig| !config.spec.virtual_routers.is_empty();
    wait::until(&stage.node_configs(), "node-2", "the node is told of web", SHORT, has).await?;
    sleep(Duration::from_secs(3)).await;

    let mark = stage.server.audit().mark()?;
    // Nothing can be awaited where nothing is to happen.
    sleep(WATCHED).await;
    let asked = stage.server.audit().since(mark)?;
    let asked: Vec<_> = asked.into_iter().filter(|request| request.user == "the-operator").collect();
    let (leases, rest): (Vec<_>, Vec<_>) = asked.into_iter().partition(|request| request.resource == "leases");
    assert!(rest.is_empty(), "{rest:?}");
    assert!(leases.len() <= 12, "{leases:?}");
    Ok(())
}
