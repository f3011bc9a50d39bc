//! A cluster of several nodes with a real operator.

use anyhow::{Context, Result};
use holdfast_crds::VirtualIP;
use holdfast_crds::condition::{ConditionType, find_condition};
use holdfast_tests::cluster::{ApiServer, NAMESPACE, Operator, crds, wait};
use holdfast_tests::lab::Lan;
use k8s_openapi::api::core::v1::{Namespace, Node};
use k8s_openapi::api::events::v1::Event;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

use super::LONG;
use super::member::Member;

/// The nodes with their agents, the operator, and the API server that they share.
pub(crate) struct Scene {
    pub(crate) client: Client,
    pub(crate) members: Vec<Member>,
    pub(crate) operator: Operator,
    _server: ApiServer,
    _lan: Lan,
}

impl Scene {
    /// Starts everything: no VirtualIPs yet.
    pub(crate) async fn new(names: &[&str]) -> Result<Self> {
        let (server, mut lan) = (ApiServer::start()?, Lan::new()?);
        let client = server.client()?;
        crds::apply(&client).await?;
        let namespace: Namespace = serde_json::from_value(json!({ "metadata": { "name": NAMESPACE } }))?;
        Api::all(client.clone()).create(&PostParams::default(), &namespace).await?;
        let mut members = Vec::new();
        for name in names {
            let mut member = Member::new(&mut lan, name, &server)?;
            add_node(&client, name, &member.host.ipv4().to_string()).await?;
            member.start_in(server.admin(), NAMESPACE)?;
            members.push(member);
        }
        let mut operator = Operator::start(server.admin(), "operator-0")?;
        operator.hide_log();
        operator.wait_until_it_leads(LONG)?;
        Ok(Self { client, members, operator, _server: server, _lan: lan })
    }

    pub(crate) fn virtual_ips(&self) -> Api<VirtualIP> {
        Api::all(self.client.clone())
    }

    /// Applies a VirtualIP as a user would.
    pub(crate) async fn apply(&self, name: &str, spec: Value) -> Result<()> {
        let object = json!({
            "apiVersion": "holdfast.dev/v1alpha1", "kind": "VirtualIP", "metadata": { "name": name }, "spec": spec,
        });
        let parameters = PatchParams::apply("user").force();
        self.virtual_ips().patch(name, &parameters, &Patch::Apply(object)).await.map(drop).context("a VirtualIP")
    }

    /// Waits until the VirtualIP satisfies `wanted`.
    pub(crate) async fn shown(&self, name: &str, what: &str, wanted: impl Fn(&VirtualIP) -> bool) -> Result<VirtualIP> {
        wait::until(&self.virtual_ips(), name, what, LONG, wanted).await
    }

    /// The notes of the Events of this reason about the VirtualIP.
    pub(crate) async fn events(&self, name: &str, reason: &str) -> Result<Vec<String>> {
        let events: Api<Event> = Api::namespaced(self.client.clone(), "default");
        let fields = format!("reason={reason},regarding.name={name}");
        let found = events.list(&ListParams::default().fields(&fields)).await?;
        Ok(found.items.into_iter().filter_map(|event| event.note).collect())
    }

    /// Waits until an Event of this reason about the VirtualIP has all of these in its note.
    pub(crate) async fn event(&self, name: &str, reason: &str, words: &[&str]) -> Result<()> {
        wait::repeatedly(&format!("an Event {reason} with {words:?}"), LONG, async || {
            let notes = self.events(name, reason).await?;
            anyhow::ensure!(notes.iter().any(|note| words.iter().all(|word| note.contains(word))), "{notes:?}");
            Ok(())
        })
        .await
    }
}

async fn add_node(client: &Client, name: &str, address: &str) -> Result<()> {
    let nodes: Api<Node> = Api::all(client.clone());
    let node = serde_json::from_value(json!({ "metadata": { "name": name }, "spec": {} }))?;
    nodes.create(&PostParams::default(), &node).await?;
    let time = "2026-01-01T00:00:00Z";
    let ready = json!({
        "type": "Ready", "status": "True", "reason": "KubeletReady", "message": "",
        "lastHeartbeatTime": time, "lastTransitionTime": time,
    });
    let addresses = json!([{ "type": "InternalIP", "address": address }]);
    let status = json!({ "status": { "addresses": addresses, "conditions": [ready] } });
    nodes.patch_status(name, &PatchParams::default(), &Patch::Merge(status)).await.map(drop).context("a Node")
}

/// The reason and the message of a condition.
pub(crate) fn condition(vip: &VirtualIP, kind: ConditionType) -> Option<(&str, &str)> {
    let condition = find_condition(&vip.status.as_ref()?.conditions, kind)?;
    Some((&condition.reason, &condition.message))
}

/// Why the VirtualIP is in its state on a node.
pub(crate) fn reason_on<'a>(vip: &'a VirtualIP, node: &str) -> Option<&'a str> {
    let mut nodes = vip.status.as_ref()?.nodes.iter();
    nodes.find(|found| found.name == node)?.reason.as_deref()
}

/// The node that the VirtualIP names as its master.
pub(crate) fn master(vip: &VirtualIP) -> Option<&str> {
    vip.status.as_ref()?.master.as_deref()
}
