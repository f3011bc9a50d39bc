//! The API server with the chart's rights, and requests as an agent makes them.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};
use holdfast_tests::cluster::chart::{self, Chart};
use holdfast_tests::cluster::{AgentIdentity, ApiServer, blocking, wait};
use kube::Client;
use serde_json::{Value, json};

/// The namespace of the installation.
pub(crate) const NAMESPACE: &str = "holdfast";

/// Where the pod runs that the token is bound to.
pub(crate) const NODE: &str = "node-2";

/// The ServiceAccount of the agents' pods.
const ACCOUNT: &str = "holdfast-agent";

/// For a policy to take effect.
const SOON: Duration = Duration::from_secs(20);

/// The kinds of the chart that say who may do what.
const RIGHTS: [&str; 7] = [
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
];

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Attempt {
    method: &'static str,
    path: String,
    body: Value,
}

impl Attempt {
    pub(crate) fn get(path: &str) -> Self {
        Self { method: "GET", path: path.to_owned(), body: Value::Null }
    }

    pub(crate) fn delete(path: &str) -> Self {
        Self { method: "DELETE", path: path.to_owned(), body: Value::Null }
    }

    pub(crate) fn create(path: &str, body: Value) -> Self {
        Self { method: "POST", path: path.to_owned(), body }
    }

    /// Server-side apply under the name of a field manager.
    pub(crate) fn apply(manager: &str, path: &str, body: Value) -> Self {
        Self { method: "PATCH", path: format!("{path}?fieldManager={manager}&force=true"), body }
    }

    /// Makes the request.
    pub(crate) async fn make(&self, client: &Client) -> kube::Result<Value> {
        let content = if self.method == "PATCH" { "application/apply-patch+yaml" } else { "application/json" };
        let body = if self.body.is_null() { Vec::new() } else { self.body.to_string().into_bytes() };
        let request = http::Request::builder().method(self.method).uri(&self.path).header("Content-Type", content);
        client.request(request.body(body).map_err(kube::Error::HttpError)?).await
    }

    /// Makes it; it must be refused by the API server, which has understood it. Returns the reason.
    pub(crate) async fn refusal(&self, client: &Client) -> Result<String> {
        match self.make(client).await {
            Err(kube::Error::Api(status)) if status.is_forbidden() => Ok(status.message.clone()),
            Err(error) => bail!("{self:?} failed, but was not refused: {error}"),
            Ok(done) => bail!("{self:?} was done: {done}"),
        }
    }
}

/// The path of an object of Holdfast.
pub(crate) fn holdfast(path: &str) -> String {
    format!("/apis/holdfast.dev/v1alpha1/{path}")
}

/// The path of a Lease, or of all.
pub(crate) fn leases(name: &str) -> String {
    format!("/apis/coordination.k8s.io/v1/namespaces/{NAMESPACE}/leases{name}")
}

/// The path for tokens of a ServiceAccount.
pub(crate) fn tokens_of(account: &str) -> String {
    format!("/api/v1/namespaces/{NAMESPACE}/serviceaccounts/{account}/token")
}

/// A request for a token that is bound to nothing.
pub(crate) fn token_request() -> Value {
    json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": {} })
}

/// A request for a token that is bound to a Node, and lasts for so many seconds.
pub(crate) fn node_token_request(node: &str, seconds: u32) -> Value {
    let node = json!({ "apiVersion": "v1", "kind": "Node", "name": node });
    let spec = json!({ "boundObjectRef": node, "expirationSeconds": seconds });
    json!({ "apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec })
}

/// An object of a kind of Holdfast, with what is given beside its name.
pub(crate) fn object(kind: &str, name: &str, content: &Value) -> Value {
    let mut object = json!({ "apiVersion": "holdfast.dev/v1alpha1", "kind": kind, "metadata": { "name": name } });
    if let (Some(fields), Some(content)) = (object.as_object_mut(), content.as_object()) {
        fields.extend(content.clone());
    }
    object
}

/// A VirtualIP with this status, or with none if it is `null`.
pub(crate) fn status(name: &str, status: &Value) -> Value {
    let content = if status.is_null() { json!({}) } else { json!({ "status": status }) };
    object("VirtualIP", name, &content)
}

/// A client with the token of the agent's pod on [`NODE`], and one that may do everything.
pub(crate) async fn agent_and_admin() -> Result<(Client, Client)> {
    let server = prepared()?;
    let admin = server.client()?;
    let identity = AgentIdentity { node: NODE, namespace: NAMESPACE, service_account: ACCOUNT };
    let token = identity.token(&admin).await?;
    Ok((server.token(token).client()?, admin))
}

/// A client with a token of the agents' ServiceAccount that is bound to no pod.
pub(crate) async fn agent_of_no_node(admin: &Client) -> Result<Client> {
    client_of(ACCOUNT, admin).await
}

async fn client_of(account: &str, admin: &Client) -> Result<Client> {
    let answer = Attempt::create(&tokens_of(account), token_request()).make(admin).await?;
    let token = answer.pointer("/status/token").and_then(Value::as_str).ok_or_else(|| anyhow!("no token"))?;
    prepared()?.token(token.to_owned()).client()
}

/// Makes a VirtualIP whose status says this.
pub(crate) async fn virtual_ip(admin: &Client, name: &str, said: &Value) -> Result<()> {
    let spec = json!({ "spec": { "addresses": ["192.0.2.10/24"] } });
    let path = holdfast(&format!("virtualips/{name}"));
    Attempt::apply("user", &path, object("VirtualIP", name, &spec)).make(admin).await?;
    Attempt::apply("holdfast-operator", &format!("{path}/status"), status(name, said)).make(admin).await?;
    Ok(())
}

/// The server that all tests share, once the chart's rights are in force.
fn prepared() -> Result<&'static ApiServer> {
    static PREPARED: OnceLock<Result<(), String>> = OnceLock::new();
    let server = ApiServer::shared()?;
    let prepared = PREPARED.get_or_init(|| prepare(server).map_err(|error| format!("{error:#}")));
    prepared.clone().map_err(|error| anyhow!("{error}"))?;
    Ok(server)
}

fn prepare(server: &ApiServer) -> Result<()> {
    let mut objects = vec![json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": NAMESPACE } })];
    let chart = Chart::find()?.render("holdfast", NAMESPACE, &json!({}))?;
    let says_who_may = |object: &Value| RIGHTS.iter().any(|kind| object["kind"] == *kind);
    objects.extend(chart.into_iter().filter(says_who_may));
    for node in ["node-1", NODE] {
        objects.push(object("NodeConfig", node, &json!({ "spec": {} })));
        let name = format!("holdfast-agent-{node}");
        let account = json!({ "name": name, "namespace": NAMESPACE });
        objects.push(json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": account }));
    }
    chart::apply(server, &objects, &[])?;
    blocking::run(async || {
        let admin = server.client()?;
        let identity = AgentIdentity { node: NODE, namespace: NAMESPACE, service_account: ACCOUNT };
        let agent = server.token(identity.token(&admin).await?).client()?;
        let other = holdfast("nodeconfigs/node-1/status");
        let attempt = Attempt::apply("holdfast-agent", &other, object("NodeConfig", "node-1", &json!({})));
        wait::repeatedly("the policy is in force", SOON, async || match attempt.refusal(&agent).await? {
            message if message.contains("ValidatingAdmissionPolicy") => Ok(()),
            message => bail!("{message}"),
        })
        .await
    })
}

/// A client with a token of the operator.
pub(crate) async fn operator(admin: &Client) -> Result<Client> {
    client_of("holdfast-operator", admin).await
}
