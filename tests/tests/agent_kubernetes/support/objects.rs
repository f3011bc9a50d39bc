//! The objects of a test, as the operator and users write them.

use std::time::Duration;

use anyhow::{Context, Result};
use holdfast_crds::{NodeConfig, NodeConfigStatus, RouterState, VirtualIP, VirtualIPStatus};
use holdfast_tests::cluster::wait;
use kube::api::{DeleteParams, Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

/// A VirtualIP on a node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Vip<'a> {
    pub(crate) name: &'a str,
    pub(crate) address: &'a str,
    pub(crate) vrid: u8,
    pub(crate) priority: u8,
}

impl Vip<'_> {
    /// Makes the VirtualIP itself.
    pub(crate) async fn create(&self, client: &Client) -> Result<()> {
        let object = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP",
            "metadata": { "name": self.name }, "spec": { "addresses": [self.address] },
        });
        let object: VirtualIP = serde_json::from_value(object)?;
        Api::all(client.clone()).create(&PostParams::default(), &object).await.map(drop).context("a VirtualIP")
    }

    fn router(&self) -> Value {
        json!({
            "name": self.name, "virtualIP": self.name, "group": self.name, "family": "IPv4", "interface": "eth0",
            "virtualRouterID": self.vrid, "protocolVersion": 3, "advertisementInterval": "200ms",
            "priority": self.priority, "addresses": [self.address],
        })
    }
}

/// The spec of a NodeConfig with these.
pub(crate) fn spec(vips: &[Vip<'_>]) -> Value {
    json!({
        "virtualRouters": vips.iter().map(Vip::router).collect::<Vec<_>>(),
        "groups": vips.iter().map(|vip| json!({ "name": vip.name, "virtualIPs": [vip.name] })).collect::<Vec<_>>(),
    })
}

/// Writes the spec of a NodeConfig as the operator does. Returns its generation.
pub(crate) async fn assign(client: &Client, node: &str, spec: &Value) -> Result<i64> {
    let object = json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "NodeConfig", "metadata": { "name": node }, "spec": spec,
    });
    let parameters = PatchParams::apply("holdfast-operator").force();
    let api: Api<NodeConfig> = Api::all(client.clone());
    let written = api.patch(node, &parameters, &Patch::Apply(object)).await.context("a NodeConfig")?;
    written.metadata.generation.context("a generation")
}

/// Deletes a NodeConfig.
pub(crate) async fn delete(client: &Client, node: &str) -> Result<()> {
    let api: Api<NodeConfig> = Api::all(client.clone());
    api.delete(node, &DeleteParams::default()).await.map(drop).context("a NodeConfig")
}

/// Waits until the status of a NodeConfig satisfies `wanted`.
pub(crate) async fn reported(
    client: &Client,
    node: &str,
    what: &str,
    limit: Duration,
    wanted: impl Fn(&NodeConfigStatus) -> bool,
) -> Result<NodeConfigStatus> {
    let api: Api<NodeConfig> = Api::all(client.clone());
    let satisfies = |object: &NodeConfig| object.status.as_ref().is_some_and(&wanted);
    let object = wait::until(&api, node, what, limit, satisfies).await?;
    object.status.context("a status")
}

/// Waits until the status of a VirtualIP satisfies `wanted`.
pub(crate) async fn claimed(
    client: &Client,
    virtual_ip: &str,
    what: &str,
    limit: Duration,
    wanted: impl Fn(&VirtualIPStatus) -> bool,
) -> Result<VirtualIPStatus> {
    let api: Api<VirtualIP> = Api::all(client.clone());
    let nothing = VirtualIPStatus::default();
    let satisfies = |object: &VirtualIP| wanted(object.status.as_ref().unwrap_or(&nothing));
    let object = wait::until(&api, virtual_ip, what, limit, satisfies).await?;
    Ok(object.status.unwrap_or_default())
}

/// Waits until the VirtualIP names this node as its master, or none.
pub(crate) async fn master_is(client: &Client, virtual_ip: &str, node: Option<&str>, limit: Duration) -> Result<()> {
    let what = format!("the master of {virtual_ip} is {node:?}");
    claimed(client, virtual_ip, &what, limit, |status| status.master.as_deref() == node).await.map(drop)
}

/// Whether a virtual router is in this state.
pub(crate) fn is_in_state(status: &NodeConfigStatus, router: &str, state: RouterState) -> bool {
    status.virtual_routers.iter().any(|found| found.name == router && found.state == state)
}

/// Who manages fields of a VirtualIP's status.
pub(crate) async fn managers(client: &Client, virtual_ip: &str) -> Result<Vec<String>> {
    let object = Api::<VirtualIP>::all(client.clone()).get(virtual_ip).await?;
    Ok(object.managed_fields().iter().filter_map(|entry| entry.manager.clone()).collect())
}
