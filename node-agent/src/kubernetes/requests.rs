//! Requests that the client has no method for: only metadata comes back, never whole objects.

use std::fmt::Debug;

use hyper::header::{ACCEPT, HeaderValue};
use kube::api::{Patch, PatchParams};
use kube::core::{PartialObjectMeta, Request};
use kube::{Client, Error, Resource};
use serde_json::Value;

/// An answer without spec and status. A status of a thousand nodes would be larger than all else that the agent reads.
const METADATA: HeaderValue =
    HeaderValue::from_static("application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1,application/json");

/// Reads the metadata of a cluster-scoped object by its status, which is all that the agent may read of it.
pub(super) async fn metadata_of_status<K>(client: &Client, name: &str) -> kube::Result<PartialObjectMeta<K>>
where
    K: Resource<DynamicType = ()> + Debug,
{
    let request = Request::new(K::url_path(&(), None)).get_subresource("status", name);
    let mut request = request.map_err(Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, METADATA);
    client.request(request).await
}

/// Applies (server-side) the part of a cluster-scoped object's status that `manager` writes.
pub(super) async fn apply_status<K>(client: &Client, name: &str, manager: &str, part: &Value) -> kube::Result<()>
where
    K: Resource<DynamicType = ()> + Debug,
{
    let parameters = PatchParams::apply(manager).force();
    let request =
        Request::new(K::url_path(&(), None)).patch_subresource("status", name, &parameters, &Patch::Apply(part));
    let mut request = request.map_err(Error::BuildRequest)?;
    request.headers_mut().insert(ACCEPT, METADATA);
    client.request::<PartialObjectMeta<K>>(request).await.map(drop)
}
