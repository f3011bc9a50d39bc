//! What must be refused to whoever has stolen the token of one agent.

use anyhow::{Context, Result};
use holdfast_tests::cluster::crds;
use serde_json::{Value, json};

use crate::support::{
    Attempt, NAMESPACE, NODE, agent_and_admin, agent_of_no_node, holdfast, leases, node_token_request, object, status,
    token_request, tokens_of, virtual_ip,
};

/// How a refusal by the chart's policy begins.
const BY_POLICY: &str = "ValidatingAdmissionPolicy 'holdfast-agent'";

/// A part of every refusal by RBAC.
const BY_ROLES: &str = "system:serviceaccount:holdfast:holdfast-agent\" cannot";

#[tokio::test]
async fn a_token_reads_no_specification_no_secret_and_nothing_of_the_cluster() -> Result<()> {
    let (agent, _) = agent_and_admin().await?;
    let pods = format!("/api/v1/namespaces/{NAMESPACE}/pods");
    let secrets = format!("/api/v1/namespaces/{NAMESPACE}/secrets");
    let readable = [
        holdfast("nodeconfigs"),
        holdfast("nodeconfigs/node-1"),
        holdfast("nodeconfigs/node-2"),
        holdfast("nodeconfigs/node-1/status"),
        holdfast("virtualips"),
        holdfast("virtualips/web"),
        holdfast("healthchecks"),
        leases(""),
        leases("/holdfast-agent-node-1"),
        secrets,
        "/api/v1/secrets".to_owned(),
        pods,
        "/api/v1/pods".to_owned(),
        "/api/v1/nodes".to_owned(),
        "/api/v1/nodes/node-1".to_owned(),
    ];
    for path in readable {
        let reason = Attempt::get(&path).refusal(&agent).await?;
        assert!(reason.contains(BY_ROLES), "{path}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_writes_no_specification_and_deletes_nothing() -> Result<()> {
    let (agent, admin) = agent_and_admin().await?;
    virtual_ip(&admin, "kept", &json!({})).await?;
    let spec = json!({ "spec": { "addresses": ["192.0.2.66/24"] } });
    let apply = |path: &str, body| Attempt::apply("holdfast-agent", &holdfast(path), body);
    let attempts = [
        apply("nodeconfigs/node-1", object("NodeConfig", "node-1", &json!({ "spec": {} }))),
        apply("nodeconfigs/node-2", object("NodeConfig", NODE, &json!({ "spec": {} }))),
        apply("virtualips/kept", object("VirtualIP", "kept", &spec)),
        Attempt::create(&holdfast("virtualips"), object("VirtualIP", "new", &spec)),
        Attempt::create(&holdfast("nodeconfigs"), object("NodeConfig", "node-3", &json!({ "spec": {} }))),
        apply("healthchecks/web/status", object("HealthCheck", "web", &json!({ "status": {} }))),
        Attempt::delete(&holdfast("virtualips/kept")),
        Attempt::delete(&holdfast("nodeconfigs/node-2")),
        Attempt::delete(&leases("/holdfast-agent-node-2")),
    ];
    for attempt in attempts {
        let reason = attempt.refusal(&agent).await?;
        assert!(reason.contains(BY_ROLES), "{attempt:?}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_speaks_for_its_own_node_only() -> Result<()> {
    let (agent, _) = agent_and_admin().await?;
    let lease = |name: &str| {
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
            "metadata": { "name": name, "namespace": NAMESPACE }, "spec": { "holderIdentity": "node-1" },
        })
    };
    let beat = |name: &str| Attempt::apply("holdfast-agent", &leases(&format!("/{name}")), lease(name));
    let report = object("NodeConfig", "node-1", &json!({ "status": {} }));
    let attempts = [
        (Attempt::apply("holdfast-agent", &holdfast("nodeconfigs/node-1/status"), report), "its own NodeConfig only"),
        (beat("holdfast-agent-node-1"), "renews the Lease holdfast-agent-node-2 only"),
        (beat("holdfast-agent-node-22"), "renews the Lease holdfast-agent-node-2 only"),
        (beat("holdfast-operator"), "renews the Lease holdfast-agent-node-2 only"),
        (Attempt::create(&leases(""), lease("holdfast-agent-node-1")), "renews the Lease holdfast-agent-node-2 only"),
        (Attempt::create(&tokens_of("holdfast-agent-node-1"), token_request()), "tokens of the ServiceAccount"),
        (Attempt::create(&tokens_of("holdfast-agent"), token_request()), "tokens of the ServiceAccount"),
        (Attempt::create(&tokens_of("holdfast-operator"), token_request()), "tokens of the ServiceAccount"),
        (Attempt::create(&tokens_of("holdfast-agent-node-2"), token_request()), "is bound to that Node"),
        (
            Attempt::create(&tokens_of("holdfast-agent-node-2"), node_token_request("node-1", 3600)),
            "is bound to that Node",
        ),
        (Attempt::create(&tokens_of("holdfast-agent-node-2"), node_token_request(NODE, 3601)), "for an hour at most"),
    ];
    for (attempt, expected) in attempts {
        let reason = attempt.refusal(&agent).await?;
        assert!(reason.contains(BY_POLICY) && reason.contains(expected), "{attempt:?}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn a_token_neither_claims_for_another_node_nor_touches_what_another_has_claimed() -> Result<()> {
    let (agent, admin) = agent_and_admin().await?;
    let since = "2026-01-01T00:00:00Z";
    virtual_ip(&admin, "of-node-1", &json!({ "virtualRouterID": 7 })).await?;
    let path = holdfast("virtualips/of-node-1/status");
    let write = |manager, said| Attempt::apply(manager, &path, status("of-node-1", &said));
    let claim = |node, since| json!({ "master": node, "masterSince": since });
    write("holdfast-agent-node-1", claim("node-1", since)).make(&admin).await?;

    let attempts = [
        ("for a third node", write("holdfast-agent-node-2", claim("node-3", since))),
        ("another time", write("holdfast-agent-node-2", claim("node-1", "2026-01-01T00:00:01Z"))),
        ("a release in the name of the other", write("holdfast-agent-node-1", json!({}))),
        ("the same without a status", write("holdfast-agent-node-1", Value::Null)),
    ];
    for (what, attempt) in attempts {
        let reason = attempt.refusal(&agent).await.context(what)?;
        assert!(reason.contains(BY_POLICY) && reason.contains("for its own node only"), "{what}: {reason}");
    }
    Ok(())
}

#[tokio::test]
async fn of_a_virtual_ips_status_a_token_changes_nothing_but_the_master() -> Result<()> {
    let (agent, admin) = agent_and_admin().await?;
    virtual_ip(&admin, "empty", &json!({})).await?;
    let whole = whole_status();
    virtual_ip(&admin, "whole", &Value::Object(whole.clone())).await?;
    for (field, value) in whole {
        let claim = json!({ "master": NODE, "masterSince": "2026-01-01T00:00:00Z" });
        let mut with_it = claim.clone();
        with_it[&field] = value;
        // The fields of the one that are not in the other are removed.
        let attempts = [
            ("holdfast-agent-node-2", "empty", with_it),
            ("holdfast-operator", "whole", without(&whole_status(), &field)),
        ];
        for (manager, name, said) in attempts {
            let path = holdfast(&format!("virtualips/{name}/status"));
            let attempt = Attempt::apply(manager, &path, status(name, &said));
            let reason = attempt.refusal(&agent).await.with_context(|| format!("{field} of {name}"))?;
            assert!(reason.contains(BY_POLICY) && reason.contains("master and masterSince only"), "{field}: {reason}");
        }
    }
    Ok(())
}

/// A value for every field of the status but the two that agents write. A new field must get one here.
fn whole_status() -> serde_json::Map<String, Value> {
    let status = json!({
        "observedGeneration": 1,
        "virtualRouterID": 7,
        "transitions": 3,
        "nodes": [{ "name": "node-1", "state": "MASTER" }],
        "summary": { "addresses": "192.0.2.10" },
        "conditions": [{
            "type": "Ready", "status": "True", "reason": "MasterElected", "message": "",
            "lastTransitionTime": "2026-01-01T00:00:00Z",
        }],
    });
    status.as_object().cloned().unwrap_or_default()
}

fn without(status: &serde_json::Map<String, Value>, field: &str) -> Value {
    let mut rest = status.clone();
    rest.remove(field);
    Value::Object(rest)
}

#[test]
fn every_field_of_the_status_is_tried() -> Result<()> {
    let definitions = crds::read()?;
    let of_virtual_ips =
        definitions.iter().find(|definition| definition.spec.names.kind == "VirtualIP").context("VirtualIP")?;
    let schema = serde_json::to_value(of_virtual_ips)?;
    let path = "/spec/versions/0/schema/openAPIV3Schema/properties/status/properties";
    let properties = schema.pointer(path).and_then(Value::as_object).context("a status")?;
    let mut tried: Vec<String> = whole_status().keys().cloned().collect();
    tried.extend(["master", "masterSince"].map(str::to_owned));
    tried.sort();
    let mut fields: Vec<&String> = properties.keys().collect();
    fields.sort();
    assert_eq!(fields, tried.iter().collect::<Vec<_>>());
    Ok(())
}

#[tokio::test]
async fn a_token_that_names_no_node_writes_nothing() -> Result<()> {
    let (_, admin) = agent_and_admin().await?;
    let nobody = agent_of_no_node(&admin).await?;
    virtual_ip(&admin, "nobodys", &json!({})).await?;
    let claim = json!({ "master": NODE, "masterSince": "2026-01-01T00:00:00Z" });
    let attempts = [
        Attempt::apply(
            "holdfast-agent",
            &holdfast("nodeconfigs/node-2/status"),
            object("NodeConfig", NODE, &json!({ "status": { "summary": { "master": 1 } } })),
        ),
        Attempt::apply("holdfast-agent-node-2", &holdfast("virtualips/nobodys/status"), status("nobodys", &claim)),
        Attempt::create(&tokens_of("holdfast-agent-node-2"), token_request()),
    ];
    for attempt in attempts {
        let reason = attempt.refusal(&nobody).await?;
        assert!(reason.contains(BY_POLICY) && reason.contains("names no node"), "{attempt:?}: {reason}");
    }
    Ok(())
}
