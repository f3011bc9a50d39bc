//! The manifests of `docs/examples`, as they are applied.

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The address and the health check, applied as the file lies there.
pub(super) const ADDRESS: &str = "docs/examples/kubernetes/web.yaml";

/// The web server.
pub(super) const WEB: &str = "docs/examples/web-daemonset.yaml";

const WEB_CONTENT: &str = include_str!("../../../docs/examples/web-daemonset.yaml");

/// The web server with another image. There is no registry here, and the image that is here wants to be told its port and its
/// node.
pub(crate) fn web_with(image: &str) -> Result<String> {
    let mut manifest: Value = serde_saphyr::from_str(WEB_CONTENT).context("the example is no YAML")?;
    let container = manifest.pointer_mut("/spec/template/spec/containers/0").and_then(Value::as_object_mut);
    let container = container.context("the example has no container")?;
    container.insert("image".into(), json!(image));
    container.insert("args".into(), json!([":80"]));
    let node_name = json!({ "fieldRef": { "fieldPath": "spec.nodeName" } });
    container.insert("env".into(), json!([{ "name": "NODE_NAME", "valueFrom": node_name }]));
    Ok(manifest.to_string())
}
