//! In a pod: the agent reads with a token of its node's ServiceAccount, and writes with that of its pod.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use holdfast_tests::cluster::{AgentIdentity, ApiServer, Mark};
use holdfast_tests::lab::{Lan, wait};
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::core::{DynamicObject, GroupVersionKind};
use kube::discovery::ApiResource;
use kube::{Api, Client};
use serde_json::{Value, json};

use super::support::LONG;
use super::support::member::{Member, address_of};
use super::support::objects::{Vip, assign, delete, master_is, spec};

/// How long agents outlive a NodeConfig that was deleted by mistake.
const GRACE: Duration = Duration::from_secs(30);

/// Where a pod has its credentials.
const CREDENTIALS: &str = "/run/secrets/kubernetes.io/serviceaccount";

/// An agent that runs as in a pod, with nothing but what its operator has to make for it missing.
struct InPod {
    client: Client,
    member: Member,
    /// The namespace of its pod, which no other test has.
    namespace: String,
    /// The ServiceAccount of its node.
    account: String,
    server: &'static ApiServer,
    /// From here on it asked for something.
    mark: Mark,
}

impl InPod {
    /// Starts it on a node of this name.
    async fn start(lan: &mut Lan, node: &str, vip: Vip<'_>) -> Result<Self> {
        let (server, namespace) = (ApiServer::shared()?, format!("pod-of-{node}"));
        let client = server.client()?;
        vip.create(&client).await?;
        assign(&client, node, &spec(&[vip])).await?;
        let token = AgentIdentity { node, namespace: &namespace, service_account: "agent" }.token(&client).await?;
        allow(&client, &namespace, "agent", &writes()).await?;
        let mut member = Member::new(lan, node, server)?;
        let access = server.admin();
        let authority = server.kubeconfig().with_file_name("pki").join("ca.crt");
        let files = [("token", token), ("ca.crt", fs::read_to_string(authority)?), ("namespace", namespace.clone())];
        for (name, content) in files {
            member.write(&format!("{CREDENTIALS}/{name}"), &content)?;
        }
        let (address, mark, account) = (address_of(access)?, server.audit().mark()?, format!("holdfast-agent-{node}"));
        let mut command = member.command()?;
        command.env("KUBERNETES_SERVICE_HOST", address.ip().to_string());
        command.env("KUBERNETES_SERVICE_PORT", address.port().to_string());
        command.env("POD_NAMESPACE", &namespace).env("HOLDFAST_NODE_SERVICE_ACCOUNT", &account);
        member.spawn(command)?;
        Ok(Self { client, member, namespace, account, server, mark })
    }

    /// Makes what the operator makes: the ServiceAccount of the node, and its right to read the NodeConfig.
    async fn admit(&self, node: &str) -> Result<()> {
        let account = ServiceAccount { metadata: named(&self.account), ..ServiceAccount::default() };
        Api::namespaced(self.client.clone(), &self.namespace).create(&PostParams::default(), &account).await?;
        allow(&self.client, &self.namespace, &self.account, &reads(node)).await
    }
}

#[tokio::test]
async fn the_node_config_is_read_with_the_right_to_it_alone_and_everything_else_is_written_by_the_pod() -> Result<()> {
    let mut lan = Lan::new()?;
    let (node, vip) = ("in-pod", Vip { name: "in-pod", address: "10.77.0.101", vrid: 51, priority: 100 });
    let agent = InPod::start(&mut lan, node, vip).await?;

    wait::until("it says what is missing", LONG, || {
        Ok(agent.member.get("/readyz").is_ok_and(|ready| ready.body.contains("the operator makes it for every node")))
    })?;
    agent.admit(node).await?;

    master_is(&agent.client, vip.name, Some(node), LONG).await?;
    let requests = agent.server.audit().since(agent.mark)?;
    let agents = |user: &str| format!("system:serviceaccount:{}:{user}", agent.namespace);
    for request in requests.iter().filter(|request| request.user.starts_with(&agents(""))) {
        let reading = request.resource == "nodeconfigs";
        let expected = if reading { agents(&agent.account) } else { agents("agent") };
        assert_eq!(request.user, expected, "{request:?}");
    }
    let watched = requests.iter().any(|request| request.verb == "watch" && request.resource == "nodeconfigs");
    assert!(watched, "{requests:?}");
    Ok(())
}

#[tokio::test]
async fn an_agent_whose_node_is_deleted_lets_go_at_once_and_comes_back_with_the_node() -> Result<()> {
    let mut lan = Lan::new()?;
    let (node, vip) = ("dismissed", Vip { name: "dismissed", address: "10.77.0.101", vrid: 51, priority: 100 });
    let agent = InPod::start(&mut lan, node, vip).await?;
    agent.admit(node).await?;
    agent.member.wait_for_address(vip.address, true)?;
    master_is(&agent.client, vip.name, Some(node), LONG).await?;

    // In this order: without a Node the NodeConfig goes, too, by the operator or the garbage collector.
    let nodes: Api<Node> = Api::all(agent.client.clone());
    nodes.delete(node, &DeleteParams::default()).await?;
    assert!(agent.member.holds(vip.address)?);
    let deleted = Instant::now();
    delete(&agent.client, node).await?;
    agent.member.wait_for_address(vip.address, false)?;
    let took = deleted.elapsed();
    assert!(took < GRACE / 2, "it took {took:?}, as if the NodeConfig alone had been deleted");

    let registered = Node { metadata: named(node), ..Node::default() };
    nodes.create(&PostParams::default(), &registered).await?;
    assign(&agent.client, node, &spec(&[vip])).await?;
    agent.member.wait_for_address(vip.address, true)
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
fn reads(node: &str) -> Value {
    json!([{
        "apiGroups": ["holdfast.dev"], "resources": ["nodeconfigs"], "resourceNames": [node],
        "verbs": ["get", "list", "watch"],
    }])
}

async fn allow(client: &Client, namespace: &str, account: &str, rules: &Value) -> Result<()> {
    let role = &format!("{namespace}-{account}");
    let group = "rbac.authorization.k8s.io";
    let binding = json!({
        "roleRef": { "apiGroup": group, "kind": "ClusterRole", "name": role },
        "subjects": [{ "kind": "ServiceAccount", "namespace": namespace, "name": account }],
    });
    for (kind, content) in [("ClusterRole", json!({ "rules": rules })), ("ClusterRoleBinding", binding)] {
        let resource = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind));
        let object = DynamicObject::new(role, &resource).data(content);
        let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
        api.patch(role, &PatchParams::apply("test"), &Patch::Apply(object)).await.context(kind)?;
    }
    Ok(())
}
