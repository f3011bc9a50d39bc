//! Validates objects without an API server, by the very rules that it would apply: schema first, then CEL.
//!
//! An object is a `serde_json::Value`, because what is wrong with it may be what keeps it from being one of our types.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{CustomResourceDefinition, JSONSchemaProps};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::core::cel::{self, CompiledSchema, ErrorKind, ValidationErrors};
use serde_json::Value;

pub use crate::violation::Violation;
use crate::{definition, schema};

/// The fields of an object beside those of its kind.
const OBJECT_FIELDS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];
/// The fields of `metadata`.
const METADATA_FIELDS: [&str; 15] = [
    "annotations",
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "finalizers",
    "generateName",
    "generation",
    "labels",
    "managedFields",
    "name",
    "namespace",
    "ownerReferences",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// The longest name of an object (a DNS subdomain, RFC 1123).
const MAX_NAME_LENGTH: usize = 253;

static VIRTUAL_IP: LazyLock<Rules> = LazyLock::new(|| Rules::of(&definition::virtual_ip()));
static HEALTH_CHECK: LazyLock<Rules> = LazyLock::new(|| Rules::of(&definition::health_check()));
static VIRTUAL_IP_GROUP: LazyLock<Rules> = LazyLock::new(|| Rules::of(&definition::virtual_ip_group()));

/// Everything that is wrong with a VirtualIP; empty if an API server would accept it.
pub fn validate_virtual_ip(object: &Value) -> Vec<Violation> {
    VIRTUAL_IP.violations(object)
}

/// Everything that is wrong with a HealthCheck; empty if an API server would accept it.
pub fn validate_health_check(object: &Value) -> Vec<Violation> {
    HEALTH_CHECK.violations(object)
}

/// Everything that is wrong with a VirtualIPGroup; empty if an API server would accept it.
pub fn validate_virtual_ip_group(object: &Value) -> Vec<Violation> {
    VIRTUAL_IP_GROUP.violations(object)
}

/// Fills in the defaults of a VirtualIP. A null counts as not given.
pub fn default_virtual_ip(object: &mut Value) {
    VIRTUAL_IP.apply_defaults(object);
}

/// Fills in the defaults of a HealthCheck. A null counts as not given.
pub fn default_health_check(object: &mut Value) {
    HEALTH_CHECK.apply_defaults(object);
}

/// Fills in the defaults of a VirtualIPGroup. A null counts as not given.
pub fn default_virtual_ip_group(object: &mut Value) {
    VIRTUAL_IP_GROUP.apply_defaults(object);
}

/// The rules of one kind, made from its definition once.
struct Rules {
    spec: JSONSchemaProps,
    cel: CompiledSchema,
    /// The message of each CEL rule.
    messages: BTreeMap<String, String>,
}

impl Rules {
    fn of(definition: &CustomResourceDefinition) -> Self {
        let versions = definition.spec.versions.iter();
        let mut schemas = versions.filter_map(|version| version.schema.as_ref()?.open_api_v3_schema.as_ref());
        let properties = schemas.next().and_then(|schema| schema.properties.as_ref());
        let spec = properties.and_then(|properties| properties.get("spec")).cloned().unwrap_or_default();
        // A schema is made of strings, numbers and maps: it always serializes, and a test sees that its rules are there.
        let cel = cel::compile_schema(&serde_json::to_value(&spec).unwrap_or_default());
        let messages = schema::rules(&spec).into_iter().filter_map(|rule| Some((rule.rule, rule.message?))).collect();
        Self { spec, cel, messages }
    }

    fn apply_defaults(&self, object: &mut Value) {
        if let Some(spec) = object.get_mut("spec") {
            schema::apply_defaults(&self.spec, spec);
        }
    }

    fn violations(&self, object: &Value) -> Vec<Violation> {
        let mut object = object.clone();
        self.apply_defaults(&mut object);
        let mut violations = envelope_violations(&object);
        match object.get("spec") {
            Some(spec) => violations.extend(self.spec_violations(spec)),
            None => violations.push(Violation::new("spec", "is required")),
        }
        violations.sort();
        violations.dedup();
        violations
    }

    fn spec_violations(&self, spec: &Value) -> Vec<Violation> {
        let mut violations = Vec::new();
        schema::check(&self.spec, spec, "spec", &mut violations);
        if let Err(errors) = cel::validate_compiled(&self.cel, spec, None) {
            let broken = self.broken_rules(errors, &violations);
            violations.extend(broken);
        }
        violations
    }

    /// The rules that are broken, but for those that only follow from what the schema found: rules about a value of the
    /// wrong form, and rules that could not be evaluated because of one.
    fn broken_rules(&self, errors: ValidationErrors, found_by_schema: &[Violation]) -> Vec<Violation> {
        errors
            .into_iter()
            .filter(|error| found_by_schema.is_empty() || error.kind == ErrorKind::ValidationFailure)
            .map(|error| {
                let message = self.messages.get(&error.rule).cloned().unwrap_or(error.message);
                Violation::new(path_in_spec(&error.field_path), message)
            })
            .filter(|broken| !found_by_schema.iter().any(|found| is_within(&broken.field, &found.field)))
            .collect()
    }
}

/// The path of a field from the object, given that from its spec.
fn path_in_spec(path: &str) -> String {
    let path = path.trim_start_matches('.');
    if path.is_empty() { "spec".to_owned() } else { format!("spec.{path}") }
}

/// Whether `field` is `ancestor` or a part of it.
fn is_within(field: &str, ancestor: &str) -> bool {
    field.strip_prefix(ancestor).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What is wrong with an object around its spec, whatever its kind.
fn envelope_violations(object: &Value) -> Vec<Violation> {
    let Some(fields) = object.as_object() else {
        return vec![Violation::new("", "must be an object with apiVersion, kind, metadata and spec")];
    };
    let mut violations = schema::unknown_fields(fields, &OBJECT_FIELDS, "");
    let Some(metadata) = fields.get("metadata") else {
        violations.push(Violation::new("metadata", "is required"));
        return violations;
    };
    if let Some(fields) = metadata.as_object() {
        violations.extend(schema::unknown_fields(fields, &METADATA_FIELDS, "metadata"));
    }
    match serde_json::from_value::<ObjectMeta>(metadata.clone()) {
        Ok(metadata) => violations.extend(metadata_violations(&metadata)),
        Err(error) => violations.push(Violation::new("metadata", error.to_string())),
    }
    violations
}

fn metadata_violations(metadata: &ObjectMeta) -> Vec<Violation> {
    let mut violations = Vec::new();
    match metadata.name.as_deref() {
        None => violations.push(Violation::new("metadata.name", "is required")),
        Some(name) if !is_object_name(name) => violations.push(Violation::new(
            "metadata.name",
            "must be 1 to 253 lower case letters, digits, - and ., each part between dots beginning and ending with a \
             letter or digit",
        )),
        Some(_) => {}
    }
    if metadata.namespace.is_some() {
        violations
            .push(Violation::new("metadata.namespace", "must not be given: the object belongs to the whole cluster"));
    }
    violations
}

/// A DNS subdomain as RFC 1123 has it, which names of objects are.
fn is_object_name(name: &str) -> bool {
    let is_end = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    let is_label = |label: &str| {
        let bytes = label.as_bytes();
        is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(|byte| *byte == b'-' || is_end(Some(byte)))
    };
    name.len() <= MAX_NAME_LENGTH && name.split('.').all(is_label)
}
