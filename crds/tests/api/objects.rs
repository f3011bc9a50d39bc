//! Objects for tests, from the YAML of their spec.

use holdfast_crds::{API_VERSION, UserKind, Violation};
use serde_json::{Value, json};

/// An object of this kind called `example`, with a spec in YAML.
pub(crate) fn object(kind: UserKind, spec: &str) -> Value {
    let spec: Value = serde_saphyr::from_str(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    json!({ "apiVersion": API_VERSION, "kind": kind.as_str(), "metadata": { "name": "example" }, "spec": spec })
}

/// What is wrong with such an object.
pub(crate) fn violations(kind: UserKind, spec: &str) -> Vec<Violation> {
    kind.violations(&object(kind, spec))
}
