//! The custom resource definitions of Holdfast, as a user applies them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, ResourceExt};

use super::wait;

/// Written by `make crds`.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/yaml");

/// How long the API server may take to serve a new kind.
const ESTABLISHED: Duration = Duration::from_secs(20);

/// The files, as for `kubectl apply`.
pub fn files() -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(FOLDER).with_context(|| format!("cannot list {FOLDER}"))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    ensure!(!files.is_empty(), "there are no definitions in {FOLDER}");
    Ok(files)
}

/// The definitions.
pub fn read() -> Result<Vec<CustomResourceDefinition>> {
    let read_one = |path: PathBuf| {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_saphyr::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))
    };
    files()?.into_iter().map(read_one).collect()
}

/// Applies all definitions and waits until the API server serves their kinds.
pub async fn apply(client: &Client) -> Result<()> {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    try_join_all(read()?.into_iter().map(|definition| apply_one(&api, definition))).await.map(drop)
}

async fn apply_one(api: &Api<CustomResourceDefinition>, definition: CustomResourceDefinition) -> Result<()> {
    let name = definition.name_any();
    let parameters = PatchParams::apply("holdfast-tests").force();
    api.patch(&name, &parameters, &Patch::Apply(&definition)).await.with_context(|| format!("cannot apply {name}"))?;
    wait::until(api, &name, &format!("{name} is established"), ESTABLISHED, is_established).await.map(drop)
}

fn is_established(definition: &CustomResourceDefinition) -> bool {
    let conditions = definition.status.iter().filter_map(|status| status.conditions.as_ref()).flatten();
    conditions.into_iter().any(|condition| condition.type_ == "Established" && condition.status == "True")
}
