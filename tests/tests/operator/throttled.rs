//! An API server that has too much to do, and says so (429).

use std::time::Duration;

use anyhow::Result;
use holdfast_crds::NodeConfig;
use holdfast_crds::condition::ConditionType::Accepted;
use holdfast_tests::cluster::{Throttle, wait};
use tokio::time::sleep;

use crate::support::{Operator, SHORT, Stage, apply, virtual_ip, wait_for_condition};

const OPERATOR: &str = "the-operator";

#[tokio::test]
async fn what_the_api_server_has_no_time_for_is_asked_for_again_ever_more_seldom_until_it_has() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1", "node-2"]).await?;
    let access = stage.server.user(OPERATOR, None)?;
    Throttle::grant_everything(&stage.client, OPERATOR).await?;
    let operator = Operator::start(&access, "operator-0")?;
    operator.wait_until_it_leads(SHORT)?;
    for node in ["node-1", "node-2"] {
        wait::until(&stage.node_configs(), node, "a config", SHORT, |_| true).await?;
    }

    let throttle = Throttle::begin(&stage.client, &access, OPERATOR).await?;
    let mark = stage.server.audit().mark()?;
    apply(&stage.virtual_ips(), virtual_ip("web", "192.0.2.100/24")?).await?;
    sleep(Duration::from_secs(6)).await;
    let requests = stage.server.audit().since(mark)?;
    let refused = requests.iter().filter(|request| request.user == OPERATOR && request.status == 429).count();
    println!("{refused} requests were refused in 6 s");
    // Two NodeConfigs and a status, each after 0.2 s, 0.4 s, .. 3 s, or half of that.
    assert!((3..=30).contains(&refused), "{refused}");
    assert!(operator.leads(), "it leads still");
    assert!(operator.log().contains("write_failed"), "it says so");

    throttle.end().await?;
    let has = |config: &NodeConfig| !config.spec.virtual_routers.is_empty();
    for node in ["node-1", "node-2"] {
        wait::until(&stage.node_configs(), node, "the node is told of web", SHORT, has).await?;
    }
    wait_for_condition(&stage, "web", Accepted, "Accepted").await.map(drop)
}
