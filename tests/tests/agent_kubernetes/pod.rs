//! In a pod: the agent reads with a token of its node's ServiceAccount, and writes with that of its pod.

use std::fs;

use anyhow::{Context, Result};
use holdfast_tests::cluster::{AgentIdentity, ApiServer};
use holdfast_tests::lab::Lan;
use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::support::LONG;
use super::support::member::{Member, address_of};
use super::support::objects::{Vip, assign, master_is, spec};

const NAMESPACE: &str = "in-pods";
const NODE: &str = "in-pod";

/// Where a pod has its credentials.
const CREDENTIALS: &str = "/run/secrets/kubernetes.io/serviceaccount";

#[tokio::test]
async fn the_node_config_is_read_with_the_right_to_it_alone_and_everything_else_is_written_by_the_pod() -> Result<()> {
    let (server, mut lan) = (ApiServer::shared()?, Lan::new()?);
    let client = server.client()?;
    let vip = Vip { name: "in-pod", address: "10.77.0.101", vrid: 51, priority: 100 };
    vip.create(&client).await?;
    assign(&client, NODE, &spec(&[vip])).await?;
    let token = AgentIdentity { node: NODE, namespace: NAMESPACE, service_account: "agent" }.token(&client).await?;
    allow(&client, "agent", "agents", &writes()).await?;
    let mut member = Member::new(&mut lan, NODE, server)?;
    let access = server.admin();
    let authority = server.kubeconfig().with_file_name("pki").join("ca.crt");
    let files = [("token", token), ("ca.crt", fs::read_to_string(authority)?), ("namespace", NAMESPACE.to_owned())];
    for (name, content) in files {
        member.write(&format!("{CREDENTIALS}/{name}"), &content)?;
    }
    let (address, mark) = (address_of(access)?, server.audit().mark()?);
    let mut command = member.command()?;
    command.env("KUBERNETES_SERVICE_HOST", address.ip().to_string());
    command.env("KUBERNETES_SERVICE_PORT", address.port().to_string());
    command.env("POD_NAMESPACE", NAMESPACE).env("HOLDFAST_NODE_SERVICE_ACCOUNT", "holdfast-agent-in-pod");
    member.spawn(command)?;

    // The operator has not made the ServiceAccount yet.
    holdfast_tests::lab::wait::until("it says what is missing", LONG, || {
        Ok(member.get("/readyz").is_ok_and(|ready| ready.body.contains("the operator makes it for every node")))
    })?;
    let account = ServiceAccount { metadata: named("holdfast-agent-in-pod"), ..ServiceAccount::default() };
    Api::namespaced(client.clone(), NAMESPACE).create(&PostParams::default(), &account).await?;
    allow(&client, "holdfast-agent-in-pod", "holdfast-agent-in-pod", &reads()).await?;

    master_is(&client, vip.name, Some(NODE), LONG).await?;
    let requests = server.audit().since(mark)?;
    let agents = |user: &str| format!("system:serviceaccount:{NAMESPACE}:{user}");
    for request in requests.iter().filter(|request| request.user.starts_with(&agents(""))) {
        let reading = request.resource == "nodeconfigs";
        let expected = if reading { agents("holdfast-agent-in-pod") } else { agents("agent") };
        assert_eq!(request.user, expected, "{request:?}");
    }
    let watched = requests.iter().any(|request| request.verb == "watch" && request.resource == "nodeconfigs");
    assert!(watched, "{requests:?}");
    Ok(())
}

fn named(name: &str) -> kube::api::ObjectMeta {
    kube::api::ObjectMeta { name: Some(name.to_owned()), ..kube::api::ObjectMeta::default() }
}

/// What the pod's ServiceAccount may do.
fn writes() -> Value {
    json!([
        { "apiGroups": ["holdfast.dev"], "resources": ["nodeconfigs/status"], "verbs": ["patch"] },
        { "apiGroups": ["holdfast.dev"], "resources": ["virtualips/status"], "verbs": ["get", "patch"] },
        { "apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["create", "patch"] },
        { "apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"] },
    ])
}

/// What the node's ServiceAccount may do.
fn reads() -> Value {
    json!([{
        "apiGroups": ["holdfast.dev"], "resources": ["nodeconfigs"], "resourceNames": [NODE],
        "verbs": ["get", "list", "watch"],
    }])
}

async fn allow(client: &Client, account: &str, role: &str, rules: &Value) -> Result<()> {
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "namespace": NAMESPACE, "name": account }],
    });
    for (kind, content) in [("ClusterRole", json!({ "rules": rules })), ("ClusterRoleBinding", binding)] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let object = DynamicObject::new(role, &resource).data(content);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        api.patch(role, &PatchParams::apply("test"), &Patch::Apply(object)).await.context(kind)?;
    }
    Ok(())
}
