//! What users ask for and cannot have: the later object says what is wrong, where, and what to do, and harms no other.

use anyhow::Result;
use holdfast_crds::condition::ConditionType::Accepted;
use serde_json::{Value, json};

use crate::support::{Stage, apply, condition, wait_for_condition, wait_for_event};

#[tokio::test]
async fn the_later_of_two_that_clash_says_why_and_what_to_do() -> Result<()> {
    let stage = Stage::new().await?;
    stage.add_nodes(&["node-1"]).await?;
    let _operator = stage.operator()?;
    let on_eth0 = |spec: Value| {
        let mut spec = spec;
        spec["interface"] = json!("eth0");
        spec
    };
    let vip = |name: &str, spec: Value| {
        serde_json::from_value(json!({ "metadata": { "name": name }, "spec": on_eth0(spec) }))
    };
    let first = json!({ "addresses": ["192.0.2.100/24"], "virtualRouterID": 7 });
    apply(&stage.virtual_ips(), vip("first", first)?).await?;
    wait_for_condition(&stage, "first", Accepted, "Accepted").await?;

    for (name, spec, reason, message) in [
        (
            "same-address",
            json!({ "addresses": ["192.0.2.101", "192.0.2.100"] }),
            "AddressInUse",
            r#"spec.addresses[1]: 192.0.2.100 belongs to VirtualIP "first": choose another, or change that one"#,
        ),
        (
            "same-id",
            json!({ "addresses": ["192.0.2.102"], "virtualRouterID": 7 }),
            "VirtualRouterIDInUse",
            "spec.virtualRouterID: 7 is used by VirtualIP \"first\" on the same interface: choose another, or remove the \
             field to have a free one allocated",
        ),
        (
            "nowhere",
            json!({ "addresses": ["192.0.2.103"], "nodeSelector": { "matchLabels": { "zone": "moon" } } }),
            "NoMatchingNodes",
            "spec.nodeSelector matches no node: change it, or label the nodes that may hold the addresses",
        ),
        (
            "unchecked",
            json!({ "addresses": ["192.0.2.104"], "healthChecks": [{ "name": "nginx" }] }),
            "UnknownHealthCheck",
            r#"spec.healthChecks[0]: there is no HealthCheck "nginx": create it, or remove the reference"#,
        ),
    ] {
        apply(&stage.virtual_ips(), vip(name, spec)?).await?;
        assert_eq!(wait_for_condition(&stage, name, Accepted, reason).await?, message, "{name}");
        assert_eq!(wait_for_event(&stage, name, reason).await?, message, "{name}");
    }

    let first = stage.virtual_ips().get("first").await?;
    assert_eq!(condition(&first, Accepted).map(|(reason, _)| reason), Some("Accepted"));
    let config = stage.node_configs().get("node-1").await?;
    let routers: Vec<&str> = config.spec.virtual_routers.iter().map(|router| router.name.as_str()).collect();
    assert_eq!(routers, ["first"], "what is refused is not run");
    Ok(())
}
