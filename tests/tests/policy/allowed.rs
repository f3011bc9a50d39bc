//! What an agent must be able to do.

use anyhow::Result;
use serde_json::{Value, json};

use crate::support::{Attempt, NODE, agent_and_admin, holdfast, leases, node_token_request, object, status, tokens_of};
use crate::support::{NAMESPACE, virtual_ip};

#[tokio::test]
async fn an_agent_reports_beats_and_gets_the_token_to_read_with() -> Result<()> {
    let (agent, _) = agent_and_admin().await?;
    let own_status = json!({ "status": { "summary": { "master": 1 } } });
    let lease = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
        "metadata": { "name": "holdfast-agent-node-2", "namespace": NAMESPACE },
        "spec": { "holderIdentity": NODE, "leaseDurationSeconds": 15 },
    });
    let renewal = Attempt::apply("holdfast-agent", &leases("/holdfast-agent-node-2"), lease);
    let attempts = [
        Attempt::apply(
            "holdfast-agent",
            &holdfast("nodeconfigs/node-2/status"),
            object("NodeConfig", NODE, &own_status),
        ),
        renewal.clone(),
        renewal,
        Attempt::create(&tokens_of("holdfast-agent-node-2"), node_token_request(NODE, 3600)),
    ];
    for attempt in attempts {
        attempt.make(&agent).await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_claims_takes_over_and_releases_for_its_own_node() -> Result<()> {
    let (agent, admin) = agent_and_admin().await?;
    let said = json!({ "virtualRouterID": 7, "master": "node-1", "masterSince": "2026-01-01T00:00:00Z" });
    virtual_ip(&admin, "taken-over", &said).await?;
    let path = holdfast("virtualips/taken-over/status");
    Attempt::get(&path).make(&agent).await?;

    let claim = json!({ "master": NODE, "masterSince": "2026-01-01T00:00:10Z" });
    let write = |said| Attempt::apply("holdfast-agent-node-2", &path, status("taken-over", said));
    let claimed = write(&claim).make(&agent).await?;
    assert_eq!(claimed["status"]["master"], NODE);
    assert_eq!(claimed["status"]["virtualRouterID"], 7, "what the operator has written stays");

    let released = write(&Value::Null).make(&agent).await?;
    assert!(released["status"].get("master").is_none(), "{released}");
    Ok(())
}
