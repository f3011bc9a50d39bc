//! An API server with Holdfast's kinds. An operator is in charge of the whole server, so each test has its own; two of
//! them at a time: they are large, and wait for most of their time.

use std::fmt::Debug;

use anyhow::{Context, Result};
use holdfast_crds::{NodeConfig, VirtualIP};
use holdfast_tests::cluster::{ApiServer, crds};
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{LONG, NAMESPACE, Operator};

static TURNS: Semaphore = Semaphore::const_new(2);

/// The server, and what is often asked of it.
pub(crate) struct Stage {
    pub(crate) server: ApiServer,
    pub(crate) client: Client,
    _turn: SemaphorePermit<'static>,
}

impl Stage {
    /// A server with Holdfast's kinds and the namespace of the installation.
    pub(crate) async fn new() -> Result<Self> {
        let stage = Self::without_kinds().await?;
        crds::apply(&stage.client).await?;
        Ok(stage)
    }

    /// A server that does not know Holdfast's kinds.
    pub(crate) async fn without_kinds() -> Result<Self> {
        let turn = TURNS.acquire().await?;
        let server = ApiServer::start()?;
        let client = server.client()?;
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
        apply(&Api::all(client.clone()), namespace).await?;
        Ok(Self { server, client, _turn: turn })
    }

    /// An operator that may do everything, and leads.
    pub(crate) fn operator(&self) -> Result<Operator> {
        let operator = Operator::start(self.server.admin(), "operator-0")?;
        operator.wait_until_it_leads(LONG)?;
        Ok(operator)
    }

    pub(crate) fn nodes(&self) -> Api<Node> {
        Api::all(self.client.clone())
    }

    pub(crate) fn virtual_ips(&self) -> Api<VirtualIP> {
        Api::all(self.client.clone())
    }

    pub(crate) fn node_configs(&self) -> Api<NodeConfig> {
        Api::all(self.client.clone())
    }

    /// Makes nodes of these names, 192.0.2.11 and following.
    pub(crate) async fn add_nodes(&self, names: &[&str]) -> Result<()> {
        for (name, last) in names.iter().zip(11..) {
            apply(&self.nodes(), node(name, &format!("192.0.2.{last}"))?).await?;
        }
        Ok(())
    }
}

/// Applies an object as a user would, and its status if it has one.
pub(crate) async fn apply<K>(api: &Api<K>, object: K) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned,
{
    let name = object.name_any();
    let kind = K::kind(&());
    let mut value = serde_json::to_value(&object)?;
    if let Some(fields) = value.as_object_mut() {
        fields.insert("apiVersion".to_owned(), json!(K::api_version(&())));
        fields.insert("kind".to_owned(), json!(kind));
    }
    let parameters = PatchParams::apply("user").force();
    let applied = api.patch(&name, &parameters, &Patch::Apply(&value)).await;
    let applied = applied.with_context(|| format!("cannot apply {kind} {name}"))?;
    match value.get("status") {
        None | Some(Value::Null) => Ok(applied),
        Some(_) => Ok(api.patch_status(&name, &parameters, &Patch::Apply(&value)).await?),
    }
}

/// A node that is ready.
fn node(name: &str, address: &str) -> Result<Node> {
    let status = json!({
        "addresses": [{ "type": "InternalIP", "address": address }],
        "conditions": [{ "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
            "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z" }],
    });
    Ok(serde_json::from_value(json!({ "metadata": { "name": name }, "spec": {}, "status": status }))?)
}

/// A VirtualIP with one address on eth0.
pub(crate) fn virtual_ip(name: &str, address: &str) -> Result<VirtualIP> {
    let spec = json!({ "addresses": [address], "interface": "eth0" });
    Ok(serde_json::from_value(json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name }, "spec": spec,
    }))?)
}
