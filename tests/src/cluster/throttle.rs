//! Makes an API server refuse what a user writes to Holdfast's kinds, since it has too much to do (429 Too Many Requests).
//!
//! It may do one thing at a time for that user, and that one takes for ever: it waits for an admission webhook that does not
//! answer. Users of the group `system:masters` are never refused, so such a user needs rights of its own.

use std::net::TcpListener;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use holdfast_crds::{NodeConfig, NodeConfigSpec};
use kube::Client;
use kube::api::{Api, DeleteParams, DynamicObject, Patch, PatchParams, PostParams};
use kube::core::{ApiResource, GroupVersionKind};
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::access::Access;
use super::wait;

/// How long the API server may take to follow its own rules.
const IN_FORCE: Duration = Duration::from_secs(30);

const FLOW_CONTROL: &str = "flowcontrol.apiserver.k8s.io";
const ADMISSION: &str = "admissionregistration.k8s.io";
const RIGHTS: &str = "rbac.authorization.k8s.io";

/// The object that the one request is about, which is never made.
const HELD: &str = "held";

/// A user for whom the API server has no time.
pub struct Throttle {
    client: Client,
    user: String,
    _webhook: TcpListener,
    request: JoinHandle<()>,
}

impl Throttle {
    /// Lets a user do everything.
    pub async fn grant_everything(client: &Client, user: &str) -> Result<()> {
        let binding = json!({
            "roleRef": { "apiGroup": RIGHTS, "kind": "ClusterRole", "name": "cluster-admin" },
            "subjects": [{ "apiGroup": RIGHTS, "kind": "User", "name": user }],
        });
        apply(client, RIGHTS, "ClusterRoleBinding", user, binding).await
    }

    /// From now on, everything that the user writes to Holdfast's kinds is refused. `access` is that of the user.
    pub async fn begin(client: &Client, access: &Access, user: &str) -> Result<Self> {
        // Connections are made by the kernel, and nobody answers.
        let webhook = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("https://{}/", webhook.local_addr()?);
        apply(client, ADMISSION, "ValidatingWebhookConfiguration", user, slow_webhook(&url)).await?;
        apply(client, FLOW_CONTROL, "PriorityLevelConfiguration", user, one_at_a_time()).await?;
        apply(client, FLOW_CONTROL, "FlowSchema", user, writes_of(user)).await?;

        let mut config = access.config()?;
        // A client would wait for better times by itself.
        config.default_retry = false;
        let configs: Api<NodeConfig> = Api::all(Client::try_from(config)?);
        let request = tokio::spawn(occupy(configs.clone()));
        wait::repeatedly("the API server refuses", IN_FORCE, async || {
            let answer = configs.delete("no-such-node", &DeleteParams::default()).await;
            ensure!(matches!(&answer, Err(kube::Error::Api(status)) if status.code == 429), "{answer:?}");
            Ok(())
        })
        .await?;
        Ok(Self { client: client.clone(), user: user.to_owned(), _webhook: webhook, request })
    }

    /// Soon, nothing is refused any more.
    pub async fn end(self) -> Result<()> {
        self.request.abort();
        for (group, kind) in [
            (FLOW_CONTROL, "FlowSchema"),
            (FLOW_CONTROL, "PriorityLevelConfiguration"),
            (ADMISSION, "ValidatingWebhookConfiguration"),
        ] {
            let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource(group, kind));
            let deleted = api.delete(&self.user, &DeleteParams::default()).await;
            deleted.with_context(|| format!("cannot delete {kind} {}", self.user))?;
        }
        Ok(())
    }
}

/// A request that takes as long as the webhook may, again and again.
async fn occupy(configs: Api<NodeConfig>) {
    let parameters = PostParams { dry_run: true, ..PostParams::default() };
    loop {
        // Until everything is in force it is answered, one way or another.
        let _ = configs.create(&parameters, &NodeConfig::new(HELD, NodeConfigSpec::default())).await;
        sleep(Duration::from_millis(10)).await;
    }
}

fn slow_webhook(url: &str) -> Value {
    json!({ "webhooks": [{
        "name": "slow.example.com",
        "clientConfig": { "url": url },
        "rules": [{
            "operations": ["CREATE"], "apiGroups": ["holdfast.dev"], "apiVersions": ["*"], "resources": ["nodeconfigs"],
        }],
        "matchConditions": [{ "name": HELD, "expression": format!("object.metadata.name == '{HELD}'") }],
        "failurePolicy": "Fail", "sideEffects": "None", "timeoutSeconds": 30, "admissionReviewVersions": ["v1"],
    }]})
}

fn one_at_a_time() -> Value {
    json!({ "spec": {
        "type": "Limited",
        "limited": {
            // Even then, one may be under way.
            "nominalConcurrencyShares": 0, "lendablePercent": 0, "borrowingLimitPercent": 0,
            "limitResponse": { "type": "Reject" },
        },
    }})
}

fn writes_of(user: &str) -> Value {
    let writes = json!({
        "verbs": ["create", "update", "patch", "delete"], "apiGroups": ["holdfast.dev"], "resources": ["*"],
        "clusterScope": true,
    });
    json!({ "spec": {
        "priorityLevelConfiguration": { "name": user },
        "matchingPrecedence": 100,
        "rules": [{ "subjects": [{ "kind": "User", "user": { "name": user } }], "resourceRules": [writes] }],
    }})
}

async fn apply(client: &Client, group: &str, kind: &str, name: &str, content: Value) -> Result<()> {
    let resource = resource(group, kind);
    let object = DynamicObject::new(name, &resource).data(content);
    let api: Api<DynamicObject> = Api::all_with(client.clone(), &resource);
    let applied = api.patch(name, &PatchParams::apply("test").force(), &Patch::Apply(object)).await;
    applied.map(drop).with_context(|| format!("cannot apply {kind} {name}"))
}

fn resource(group: &str, kind: &str) -> ApiResource {
    ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", kind))
}
