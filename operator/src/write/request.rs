//! A write as a request.

use holdfast_crds::{
    API_VERSION, Claimed, HealthCheck, NodeConfig, NodeConfigSpec, VirtualIP, VirtualIPGroup, claim_manager,
};
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::{Node, ServiceAccount};
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, GetParams, Patch, PatchParams, Preconditions};
use kube::core::Request;
use kube::{Client, Resource};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Change, FIELD_MANAGER, Target, Write, Written};
use crate::drain;

/// What is read of the answer: parsing all of a large object would cost more than it tells.
#[derive(Debug, Deserialize)]
struct Answer {
    metadata: ObjectMeta,
}

/// Why a write was not carried out.
#[derive(Debug)]
pub(super) enum WriteError {
    /// The API server said so, or nothing.
    Request(kube::Error),
    /// What it was decided by is not so any more.
    Overtaken,
}

impl From<kube::Error> for WriteError {
    fn from(error: kube::Error) -> Self {
        Self::Request(error)
    }
}

/// Carries a write out. Returns the version of the object since; none if it is gone.
pub(super) async fn send(client: &Client, namespace: &str, write: &Write) -> Result<Option<String>, WriteError> {
    let Target { kind, name } = &write.target;
    match &write.change {
        Change::NodeConfig { plan, draining, .. } => {
            // A node that is not in the plan has nothing to run; its NodeConfig is deleted, not written.
            let Some(spec) = Change::spec(plan, name) else { return Err(WriteError::Overtaken) };
            let object = node_config(name, spec, draining.as_deref());
            Ok(apply(client, namespace, &write.target, FIELD_MANAGER, &object).await?)
        }
        Change::Apply(object) | Change::Status { object, .. } => {
            Ok(apply(client, namespace, &write.target, FIELD_MANAGER, object).await?)
        }
        Change::Claim { uid, node, since } => {
            let object = claimed(write, uid.as_deref()).by(node, since.as_ref());
            Ok(apply(client, namespace, &write.target, &claim_manager(node), &object).await?)
        }
        Change::Release { uid, node } => {
            confirm_gone(client, node).await?;
            let object = claimed(write, uid.as_deref()).by_nobody();
            Ok(apply(client, namespace, &write.target, &claim_manager(node), &object).await?)
        }
        Change::Delete { uid, node } => {
            confirm_gone(client, node).await?;
            // Of whatever version: an agent that does not know yet goes on writing its status and renewing its Lease.
            let preconditions = Preconditions { uid: uid.clone(), resource_version: None };
            let params = DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
            let request = path(*kind, namespace).delete(name, &params).map_err(kube::Error::BuildRequest)?;
            client.request_text(request).await?;
            Ok(None)
        }
    }
}

/// In the very version that was seen: whoever has claimed it since is not overruled.
fn claimed<'a>(write: &'a Write, uid: Option<&'a str>) -> Claimed<'a> {
    Claimed { name: &write.target.name, uid, resource_version: write.stamp.seen.as_deref() }
}

async fn apply(
    client: &Client,
    namespace: &str,
    Target { kind, name }: &Target,
    manager: &str,
    object: &Value,
) -> Result<Option<String>, kube::Error> {
    let params = PatchParams::apply(manager).force();
    let patch = Patch::Apply(object);
    let objects = path(*kind, namespace);
    let request = match kind {
        Written::VirtualIPStatus
        | Written::VirtualIPClaim
        | Written::HealthCheckStatus
        | Written::VirtualIPGroupStatus => objects.patch_subresource("status", name, &params, &patch),
        _ => objects.patch(name, &params, &patch),
    };
    let answer = client.request::<Answer>(request.map_err(kube::Error::BuildRequest)?).await?;
    Ok(answer.metadata.resource_version)
}

/// A node that is only missing from what was seen must not lose its addresses for it.
async fn confirm_gone(client: &Client, node: &str) -> Result<(), WriteError> {
    let path = Request::new(Node::url_path(&(), None));
    let request = path.get_metadata(node, &GetParams::default()).map_err(kube::Error::BuildRequest)?;
    match client.request::<Answer>(request).await {
        Ok(_) => Err(WriteError::Overtaken),
        Err(kube::Error::Api(status)) if status.is_not_found() => Ok(()),
        Err(error) => Err(error.into()),
    }
}

fn path(kind: Written, namespace: &str) -> Request {
    Request::new(match kind {
        Written::NodeConfig => NodeConfig::url_path(&(), None),
        Written::ServiceAccount => ServiceAccount::url_path(&(), Some(namespace)),
        Written::Lease => Lease::url_path(&(), Some(namespace)),
        Written::ClusterRole => ClusterRole::url_path(&(), None),
        Written::ClusterRoleBinding => ClusterRoleBinding::url_path(&(), None),
        Written::VirtualIPStatus | Written::VirtualIPClaim => VirtualIP::url_path(&(), None),
        Written::HealthCheckStatus => HealthCheck::url_path(&(), None),
        Written::VirtualIPGroupStatus => VirtualIPGroup::url_path(&(), None),
    })
}

/// All lists are there, also the empty ones: what somebody else wrote into them goes.
fn node_config(name: &str, spec: &NodeConfigSpec, draining: Option<&str>) -> Value {
    let mut object = json!({
        "apiVersion": API_VERSION,
        "kind": NodeConfig::kind(&()),
        "metadata": { "name": name },
        "spec": {
            "virtualRouters": spec.virtual_routers,
            "peerSets": spec.peer_sets,
            "groups": spec.groups,
            "healthChecks": spec.health_checks,
        },
    });
    if let (Some(reason), Some(metadata)) = (draining, object.get_mut("metadata").and_then(Value::as_object_mut)) {
        metadata.insert("annotations".to_owned(), json!({ drain::ANNOTATION: reason }));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_field_of_a_specification_is_written_also_when_it_is_empty() {
        let schema = serde_json::to_value(holdfast_crds::definition::node_config()).unwrap();
        let properties = schema
            .pointer("/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties")
            .and_then(Value::as_object)
            .unwrap();
        let written = node_config("a", &NodeConfigSpec::default(), None);
        let spec = written.get("spec").and_then(Value::as_object).unwrap();
        assert_eq!(spec.keys().collect::<Vec<_>>(), properties.keys().collect::<Vec<_>>());
        let written: NodeConfig = serde_json::from_value(written).unwrap();
        assert_eq!(written.spec, NodeConfigSpec::default());
        assert_eq!(written.metadata.annotations, None);
    }

    #[test]
    fn the_reason_of_a_drain_is_an_annotation() {
        let written = node_config("a", &NodeConfigSpec::default(), Some("pods are evicted"));
        let written: NodeConfig = serde_json::from_value(written).unwrap();
        let annotations = written.metadata.annotations.unwrap();
        assert_eq!(annotations.get("holdfast.dev/draining").map(String::as_str), Some("pods are evicted"));
    }
}
