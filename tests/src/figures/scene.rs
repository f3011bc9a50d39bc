//! The objects that are measured with.
//!
//! A network has 255 virtual router IDs, and the plan knows a network by the name of the interface. So every 250 VirtualIPs are on
//! an interface of their own. Where networks end at a rack, they are also for the nodes of that rack only.

use std::net::{IpAddr, Ipv4Addr};

use anyhow::{Context, Result};
use holdfast_crds::VirtualIP;
use k8s_openapi::api::core::v1::{Namespace, Node};
use kube::api::{Patch, PatchParams, PostParams};
use kube::{Api, Client, ResourceExt};
use serde_json::{Value, json};

use crate::cluster::{NAMESPACE, crds};

/// How many requests are under way at the same time where many objects are made.
pub(super) const AT_ONCE: usize = 16;

/// As many VirtualIPs are on one interface.
pub(super) const OF_A_RACK: usize = 250;

/// The label of a node that names its rack.
const RACK: &str = "example.com/rack";

/// The name of a node by its number.
pub(super) fn node_name(number: usize) -> String {
    format!("node-{number:04}")
}

/// The name of a VirtualIP by its number.
pub(super) fn virtual_ip_name(number: usize) -> String {
    format!("vip-{number:04}")
}

/// A node that is ready.
pub(super) fn node(name: &str, address: IpAddr, rack: usize) -> Result<Node> {
    Ok(serde_json::from_value(json!({
        "metadata": { "name": name, "labels": { RACK: rack.to_string() } },
        "spec": {},
        "status": {
            "addresses": [{ "type": "InternalIP", "address": address }],
            "conditions": [{
                "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
                "lastHeartbeatTime": "2026-01-01T00:00:00Z", "lastTransitionTime": "2026-01-01T00:00:00Z",
            }],
        },
    }))?)
}

/// The address of a node by its number.
pub(super) fn node_address(number: usize) -> IpAddr {
    address([10, 1], number)
}

/// A VirtualIP with one address.
pub(super) fn virtual_ip(number: usize, spec: &Value) -> Result<VirtualIP> {
    Ok(serde_json::from_value(json!({
        "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP",
        "metadata": { "name": virtual_ip_name(number) }, "spec": spec,
    }))?)
}

/// For all nodes, on the interface that its number says.
pub(super) fn for_all_nodes(number: usize) -> Value {
    json!({ "addresses": [address([10, 2], number)], "interface": interface(number) })
}

/// For the nodes of the rack that its number says.
pub(super) fn for_its_rack(number: usize) -> Value {
    let rack = (number / OF_A_RACK).to_string();
    json!({
        "addresses": [address([10, 2], number)], "interface": interface(number),
        "nodeSelector": { "matchLabels": { RACK: rack } },
    })
}

fn interface(number: usize) -> String {
    format!("eth{}", number / OF_A_RACK)
}

/// One address of many: number 0 is `a.b.0.1`.
pub(super) fn address([a, b]: [u8; 2], number: usize) -> IpAddr {
    let [c, d] = u16::try_from(number / OF_A_RACK * 256 + number % OF_A_RACK + 1).unwrap_or(u16::MAX).to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

/// Holdfast's kinds, and the namespace of an installation.
pub(super) async fn prepare(client: &Client) -> Result<()> {
    crds::apply(client).await?;
    let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
    let api: Api<Namespace> = Api::all(client.clone());
    api.create(&PostParams::default(), &namespace).await.map(drop).context("cannot make a namespace")
}

/// Makes a node, with its status.
pub(super) async fn create_node(client: &Client, node: Node) -> Result<()> {
    let api: Api<Node> = Api::all(client.clone());
    let name = node.name_any();
    api.create(&PostParams::default(), &node).await.with_context(|| format!("cannot make {name}"))?;
    let status = Patch::Merge(json!({ "status": node.status }));
    api.patch_status(&name, &PatchParams::default(), &status).await.map(drop).context("cannot write its status")
}

/// Makes a VirtualIP.
pub(super) async fn create(api: &Api<VirtualIP>, object: VirtualIP) -> Result<()> {
    let name = object.name_any();
    api.create(&PostParams::default(), &object).await.map(drop).with_context(|| format!("cannot make {name}"))
}
