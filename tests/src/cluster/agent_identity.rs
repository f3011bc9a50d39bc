//! What an agent is to the API server: the holder of a token that is bound to a pod of its node. No kubelet is needed to
//! have one: the API server looks at the objects only.

use anyhow::{Context, Result};
use k8s_openapi::api::authentication::v1::{BoundObjectReference, TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Container, Namespace, Node, Pod, PodSpec, ServiceAccount};
use kube::api::{ObjectMeta, PostParams};
use kube::core::NamespaceResourceScope;
use kube::{Api, Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One agent: on which node, and by which service account.
#[derive(Clone, Copy, Debug)]
pub struct AgentIdentity<'a> {
    /// The node; also the end of the pod's name.
    pub node: &'a str,
    /// The namespace of the service account and the pod.
    pub namespace: &'a str,
    /// The service account.
    pub service_account: &'a str,
}

impl AgentIdentity<'_> {
    /// Makes the node, the namespace, the service account and the pod `agent-NODE` where they are missing, and returns a
    /// token for the service account that is bound to the pod. It names the node, and is void when the pod is gone.
    pub async fn token(&self, client: &Client) -> Result<String> {
        create(&Api::all(client.clone()), self.node_object()).await?;
        create(&Api::all(client.clone()), self.namespace_object()).await?;
        let accounts: Api<ServiceAccount> = Api::namespaced(client.clone(), self.namespace);
        create(&accounts, ServiceAccount { metadata: self.namespaced(self.service_account), ..Default::default() })
            .await?;
        let pod = create(&self.api::<Pod>(client), self.pod_object()).await?;
        let request = token_request(&pod);
        let created = accounts.create_token_request(self.service_account, &PostParams::default(), &request).await;
        let status = created.context("cannot create a token")?.status.context("a created token has a status")?;
        Ok(status.token)
    }

    fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        Api::namespaced(client.clone(), self.namespace)
    }

    fn node_object(&self) -> Node {
        Node { metadata: named(self.node), ..Default::default() }
    }

    fn namespace_object(&self) -> Namespace {
        Namespace { metadata: named(self.namespace), ..Default::default() }
    }

    fn pod_object(&self) -> Pod {
        let container = Container { name: "agent".into(), image: Some("none".into()), ..Default::default() };
        let spec = PodSpec {
            node_name: Some(self.node.to_owned()),
            service_account_name: Some(self.service_account.to_owned()),
            host_network: Some(true),
            containers: vec![container],
            ..Default::default()
        };
        Pod { metadata: self.namespaced(&format!("agent-{}", self.node)), spec: Some(spec), ..Default::default() }
    }

    fn namespaced(&self, name: &str) -> ObjectMeta {
        ObjectMeta { namespace: Some(self.namespace.to_owned()), ..named(name) }
    }
}

fn named(name: &str) -> ObjectMeta {
    ObjectMeta { name: Some(name.to_owned()), ..Default::default() }
}

fn token_request(pod: &Pod) -> TokenRequest {
    let bound = BoundObjectReference {
        api_version: Some("v1".into()),
        kind: Some("Pod".into()),
        name: pod.metadata.name.clone(),
        uid: pod.metadata.uid.clone(),
    };
    let spec = TokenRequestSpec { bound_object_ref: Some(bound), ..Default::default() };
    TokenRequest { spec, ..Default::default() }
}

/// Creates an object, or reads the one that is there.
async fn create<K>(api: &Api<K>, object: K) -> Result<K>
where
    K: Resource<DynamicType = ()> + Clone + std::fmt::Debug + Serialize + DeserializeOwned,
{
    let kind = K::kind(&());
    let name = object.meta().name.clone().unwrap_or_default();
    match api.create(&PostParams::default(), &object).await {
        Err(kube::Error::Api(status)) if status.is_already_exists() => api.get(&name).await,
        created => created,
    }
    .with_context(|| format!("cannot create {kind} {name}"))
}
