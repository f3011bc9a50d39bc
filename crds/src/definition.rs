//! The custom resource definitions as they are installed: what the types derive, tidied for the API server.
//!
//! Use these and not `VirtualIP::crd()`, which still holds what an API server warns about.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool,
};
use kube::CustomResourceExt;
use serde_json::Value;
use thiserror::Error;

use crate::{HealthCheck, NodeConfig, VirtualIP, VirtualIPGroup};

/// The integer formats that API servers know; the Rust names of the others make them warn.
const KNOWN_INTEGER_FORMATS: [&str; 2] = ["int32", "int64"];

/// A definition that could not be written as YAML.
#[derive(Debug, Error)]
pub enum WriteDefinitionError {
    /// It does not serialize.
    #[error("failed to serialize a custom resource definition: {0}")]
    Serialize(#[from] serde_json::Error),
    /// It cannot be written as YAML.
    #[error("failed to write a custom resource definition as YAML: {0}")]
    Yaml(#[from] serde_saphyr::SerializeError),
}

/// The definitions of all kinds.
pub fn all() -> [CustomResourceDefinition; 4] {
    [virtual_ip(), health_check(), virtual_ip_group(), node_config()]
}

/// The definition of `VirtualIP`.
pub fn virtual_ip() -> CustomResourceDefinition {
    tidied(VirtualIP::crd(), &tidy)
}

/// The definition of `HealthCheck`.
pub fn health_check() -> CustomResourceDefinition {
    tidied(HealthCheck::crd(), &tidy)
}

/// The definition of `VirtualIPGroup`.
pub fn virtual_ip_group() -> CustomResourceDefinition {
    tidied(VirtualIPGroup::crd(), &tidy)
}

/// The definition of `NodeConfig`.
///
/// It has no CEL rules: the operator writes it from objects that were admitted already, and rules over its long lists
/// would exceed the cost that an API server allows.
pub fn node_config() -> CustomResourceDefinition {
    tidied(NodeConfig::crd(), &|schema| {
        tidy(schema);
        schema.x_kubernetes_validations = None;
    })
}

/// A definition as a YAML document.
pub fn to_yaml(definition: &CustomResourceDefinition) -> Result<String, WriteDefinitionError> {
    let mut document = serde_json::to_value(definition)?;
    write_whole_numbers(&mut document);
    Ok(serde_saphyr::to_string(&document)?)
}

/// Applies `change` to every schema of a definition.
fn tidied(mut definition: CustomResourceDefinition, change: &dyn Fn(&mut JSONSchemaProps)) -> CustomResourceDefinition {
    let schemas = definition.spec.versions.iter_mut().filter_map(|version| version.schema.as_mut());
    for schema in schemas.filter_map(|validation| validation.open_api_v3_schema.as_mut()) {
        for_each_schema(schema, change);
    }
    definition
}

/// Applies `change` to a schema and to every schema below.
pub(crate) fn for_each_schema(schema: &mut JSONSchemaProps, change: &dyn Fn(&mut JSONSchemaProps)) {
    change(schema);
    for property in schema.properties.iter_mut().flat_map(|properties| properties.values_mut()) {
        for_each_schema(property, change);
    }
    if let Some(JSONSchemaPropsOrArray::Schema(items)) = &mut schema.items {
        for_each_schema(items, change);
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &mut schema.additional_properties {
        for_each_schema(values, change);
    }
}

fn tidy(schema: &mut JSONSchemaProps) {
    if schema.type_.as_deref() == Some("integer") {
        schema.format = schema.format.take().filter(|format| KNOWN_INTEGER_FORMATS.contains(&format.as_str()));
    }
    // Without it, a null counts as not given, as everywhere in Kubernetes.
    schema.nullable = None;
    schema.description = schema.description.take().map(|text| join_lines(&text));
}

/// Joins the lines of each paragraph: `kubectl explain` wraps text itself.
fn join_lines(text: &str) -> String {
    text.split("\n\n").map(|paragraph| paragraph.replace('\n', " ")).collect::<Vec<_>>().join("\n\n")
}

/// Writes `1.0` as `1`: limits are floating point numbers in the API, which only confuses readers.
fn write_whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().and_then(whole_number) {
                *value = whole.into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(write_whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(write_whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

fn whole_number(number: f64) -> Option<i64> {
    // The text of a whole floating point number below 10^16 is that of the integer.
    format!("{number}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paragraphs_stay_apart_and_their_lines_are_joined() {
        assert_eq!(join_lines("one\ntwo\n\nthree"), "one two\n\nthree");
    }

    #[test]
    fn limits_are_written_as_whole_numbers() {
        let mut value = serde_json::json!({ "minimum": -253.0, "fraction": 0.5, "count": 3, "list": [1.0] });
        write_whole_numbers(&mut value);
        assert_eq!(value.to_string(), r#"{"count":3,"fraction":0.5,"list":[1],"minimum":-253}"#);
    }
}
