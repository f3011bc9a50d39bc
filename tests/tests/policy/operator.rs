//! What the operator may do beside watching and writing what is Holdfast's own.

use anyhow::Result;
use serde_json::json;

use crate::support::{Attempt, NAMESPACE, agent_and_admin, leases, operator};

const BY_POLICY: &str = "ValidatingAdmissionPolicy";

const MANAGER: &str = "holdfast-operator";

fn lease(name: &str) -> Attempt {
    let object = json!({
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": { "name": name },
        "spec": { "holderIdentity": name },
    });
    Attempt::apply(MANAGER, &leases(&format!("/{name}")), object)
}

fn account(name: &str) -> Attempt {
    let path = format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{name}");
    let object = json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name } });
    Attempt::apply(MANAGER, &path, object)
}

/// A role that lets its owner read one NodeConfig.
fn role(name: &str, node: &str) -> Attempt {
    let path = format!("/apis/rbac.authorization.k8s.io/v1/clusterroles/{name}");
    let rule = json!({
        "apiGroups": ["holdfast.dev"], "resources": ["nodeconfigs"], "resourceNames": [node], "verbs": ["get"],
    });
    let object = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "metadata": { "name": name }, "rules": [rule],
    });
    Attempt::apply(MANAGER, &path, object)
}

#[tokio::test]
async fn the_operator_makes_and_removes_what_belongs_to_its_agents_and_its_own_lease() -> Result<()> {
    let (_, admin) = agent_and_admin().await?;
    let operator = operator(&admin).await?;
    for attempt in [
        lease("holdfast-operator"),
        lease("holdfast-agent-node-9"),
        account("holdfast-agent-node-9"),
        role("holdfast-agent-node-9", "node-9"),
        Attempt::delete(&leases("/holdfast-agent-node-9")),
    ] {
        attempt.make(&operator).await?;
    }
    Ok(())
}

#[tokio::test]
async fn the_operator_touches_nothing_of_others_in_its_namespace_and_gives_no_agent_more() -> Result<()> {
    let (_, admin) = agent_and_admin().await?;
    let operator = operator(&admin).await?;
    lease("kube-controller-manager").make(&admin).await?;
    let attempts = [
        (lease("kube-controller-manager"), "for itself and its agents only"),
        (Attempt::delete(&leases("/kube-controller-manager")), "for itself and its agents only"),
        (account("default"), "for itself and its agents only"),
        (account("holdfast-operator"), "for itself and its agents only"),
        (role("holdfast-agent", "node-9"), "for itself and its agents only"),
        (role("holdfast-agent-node-8", "node-9"), "the NodeConfig of its own node, and nothing else"),
    ];
    for (attempt, expected) in attempts {
        let reason = attempt.refusal(&operator).await?;
        assert!(reason.contains(BY_POLICY) && reason.contains(expected), "{attempt:?}: {reason}");
    }
    Ok(())
}
