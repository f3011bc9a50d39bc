//! Configuration, manifest and index, as the OCI image specification 1.1 has them.

use anyhow::{Context, Result};
use k8s_openapi::jiff::Timestamp;
use serde_json::{Value, json};

use super::Image;
use super::blob::Blob;
use super::layer::Layer;

/// Where images are published; a node that has imported one needs no registry.
const REGISTRY: &str = "ghcr.io/holdfast";

/// What an image says of its origin.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// The version of the program, which is the tag.
    pub version: String,
    /// The commit it was built from, if known.
    pub revision: Option<String>,
    /// The time of that commit in seconds since 1970, not that of the build: a second build gives the same image.
    pub created: i64,
}

/// What describes an image, beside its layer.
pub(super) struct Parts {
    pub(super) configuration: Blob,
    pub(super) manifest: Blob,
    pub(super) index: Vec<u8>,
}

pub(super) fn describe(image: &Image, layer: &Layer, provenance: &Provenance) -> Result<Parts> {
    let created = Timestamp::from_second(provenance.created).context("a time out of range")?.to_string();
    let labels = labels(image, provenance, &created);
    let configuration = Blob::new(
        "application/vnd.oci.image.config.v1+json",
        bytes(&json!({
            "architecture": architecture(),
            "os": "linux",
            "created": created,
            "config": {
                "Entrypoint": [format!("/{}", image.program)],
                // So that `kubectl exec POD -- holdfast-agent status` finds it.
                "Env": ["PATH=/"],
                "User": image.user,
                "WorkingDir": "/",
                "Labels": labels,
            },
            "rootfs": { "type": "layers", "diff_ids": [layer.difference_id] },
            "history": [{ "created": created, "created_by": "make images" }],
        }))?,
    );
    let manifest = Blob::new(
        "application/vnd.oci.image.manifest.v1+json",
        bytes(&json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": configuration.descriptor(),
            "layers": [layer.compressed.descriptor()],
            "annotations": labels,
        }))?,
    );
    let index = bytes(&index(image, &manifest, provenance))?;
    Ok(Parts { configuration, manifest, index })
}

/// The whole name of an image, with the tag.
pub(super) fn name(image: &Image, provenance: &Provenance) -> String {
    format!("{REGISTRY}/{}:{}", image.program, provenance.version)
}

/// The index names the image, both for the specification and for containerd, which reads an annotation of its own.
fn index(image: &Image, manifest: &Blob, provenance: &Provenance) -> Value {
    let mut descriptor = manifest.descriptor();
    if let Some(descriptor) = descriptor.as_object_mut() {
        let name = name(image, provenance);
        let platform = json!({ "architecture": architecture(), "os": "linux" });
        descriptor.insert("platform".to_owned(), platform);
        let annotations = json!({
            "io.containerd.image.name": name,
            "org.opencontainers.image.ref.name": provenance.version,
        });
        descriptor.insert("annotations".to_owned(), annotations);
    }
    json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [descriptor],
    })
}

fn labels(image: &Image, provenance: &Provenance, created: &str) -> Value {
    let mut labels = json!({
        "org.opencontainers.image.title": image.program,
        "org.opencontainers.image.description": image.description,
        "org.opencontainers.image.version": provenance.version,
        "org.opencontainers.image.created": created,
        "org.opencontainers.image.licenses": env!("CARGO_PKG_LICENSE"),
        "org.opencontainers.image.source": env!("CARGO_PKG_REPOSITORY"),
        "org.opencontainers.image.vendor": "Holdfast",
    });
    if let (Some(revision), Some(labels)) = (&provenance.revision, labels.as_object_mut()) {
        labels.insert("org.opencontainers.image.revision".to_owned(), json!(revision));
    }
    labels
}

/// The name that Go, and with it every container engine, has for the architecture of this machine.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// A map of `serde_json` is sorted by its keys, so the same value gives the same bytes.
fn bytes(value: &Value) -> Result<Vec<u8>> {
    serde_json::to_vec(value).context("cannot write JSON")
}
