//! Checks a value against a structural schema and fills in its defaults, as an API server does.
//!
//! It knows the part of OpenAPI v3 that the definitions of this crate use, which a test holds to. All violations of an
//! object are found at once. CEL rules are not its matter.

use std::fmt;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    JSONSchemaProps, JSONSchemaPropsOrArray, JSONSchemaPropsOrBool, ValidationRule,
};
use serde_json::{Map, Value};

use crate::violation::Violation;

/// Fields that are similar enough to be meant, from 0 (nothing alike) to 1 (equal).
const LIKELY_MEANT: f64 = 0.7;

/// Fills in the defaults of everything that is missing. A null counts as missing.
pub(crate) fn apply_defaults(schema: &JSONSchemaProps, value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.retain(|_, field| !field.is_null());
            for (name, property) in schema.properties.iter().flatten() {
                if let (false, Some(default)) = (fields.contains_key(name), &property.default) {
                    fields.insert(name.clone(), default.0.clone());
                }
            }
            for (name, field) in fields {
                if let Some(schema) = schema_of_field(schema, name) {
                    apply_defaults(schema, field);
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema_of_items(schema) {
                for item in items {
                    apply_defaults(schema, item);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Appends everything in `value` that the schema does not allow. `path` names the value in messages.
pub(crate) fn check(schema: &JSONSchemaProps, value: &Value, path: &str, violations: &mut Vec<Violation>) {
    let mut report = |message: String| violations.push(Violation::new(path, message));
    if let Some(message) = wrong_type(schema, value) {
        // Whatever else could be said follows from the wrong type.
        return report(message);
    }
    report_all([wrong_choice(schema, value), wrong_number(schema, value), wrong_length(schema, value)], report);
    match value {
        Value::Object(fields) => check_object(schema, fields, path, violations),
        Value::Array(items) => check_list(schema, items, path, violations),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every CEL rule in a schema and below.
pub(crate) fn rules(schema: &JSONSchemaProps) -> Vec<ValidationRule> {
    let mut rules = schema.x_kubernetes_validations.clone().unwrap_or_default();
    rules.extend(schema.properties.iter().flatten().flat_map(|(_, property)| self::rules(property)));
    rules.extend(schema_of_items(schema).into_iter().flat_map(self::rules));
    rules
}

fn report_all<const N: usize>(messages: [Option<String>; N], report: impl FnMut(String)) {
    messages.into_iter().flatten().for_each(report);
}

fn schema_of_field<'a>(schema: &'a JSONSchemaProps, name: &str) -> Option<&'a JSONSchemaProps> {
    let property = schema.properties.as_ref().and_then(|properties| properties.get(name));
    property.or(match &schema.additional_properties {
        Some(JSONSchemaPropsOrBool::Schema(values)) => Some(values),
        _ => None,
    })
}

/// The schema of the entries of a list.
pub(crate) fn schema_of_items(schema: &JSONSchemaProps) -> Option<&JSONSchemaProps> {
    match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => Some(items),
        _ => None,
    }
}

fn wrong_type(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let (fits, expected) = match schema.type_.as_deref()? {
        "object" => (value.is_object(), "a map of fields"),
        "array" => (value.is_array(), "a list"),
        "string" => (value.is_string(), "a string"),
        "boolean" => (value.is_boolean(), "true or false"),
        "integer" => (value.is_i64() || value.is_u64(), "a whole number"),
        "number" => (value.is_number(), "a number"),
        // Only these types exist in a structural schema; a test walks every schema.
        _ => (false, "something else"),
    };
    let quotes =
        if expected == "a string" && (value.is_number() || value.is_boolean()) { " (put it in quotes)" } else { "" };
    (!fits).then(|| format!("must be {expected}, not {}{quotes}", Described(value)))
}

fn wrong_choice(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let allowed = schema.enum_.as_ref()?;
    let listed = || allowed.iter().map(|choice| plain(&choice.0)).collect::<Vec<_>>().join(", ");
    (!allowed.iter().any(|choice| choice.0 == *value))
        .then(|| format!("must be one of {}, not {}", listed(), Described(value)))
}

fn wrong_number(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let number = value.as_f64()?;
    let too_low = schema.minimum.is_some_and(|minimum| number < minimum);
    let too_high = schema.maximum.is_some_and(|maximum| number > maximum);
    (too_low || too_high).then(|| format!("must be {}, not {value}", Range(schema.minimum, schema.maximum)))
}

fn wrong_length(schema: &JSONSchemaProps, value: &Value) -> Option<String> {
    let (length, least, most, unit) = match value {
        Value::String(text) => (text.chars().count(), schema.min_length, schema.max_length, "characters long"),
        Value::Array(items) => (items.len(), schema.min_items, schema.max_items, "entries long"),
        Value::Object(fields) => (fields.len(), schema.min_properties, schema.max_properties, "entries long"),
        Value::Null | Value::Bool(_) | Value::Number(_) => return None,
    };
    let length = i64::try_from(length).unwrap_or(i64::MAX);
    let fits = least.is_none_or(|least| length >= least) && most.is_none_or(|most| length <= most);
    (!fits).then(|| format!("must be {} {unit}, not {length}", Range(least, most)))
}

fn check_object(schema: &JSONSchemaProps, fields: &Map<String, Value>, path: &str, violations: &mut Vec<Violation>) {
    for name in schema.required.iter().flatten().filter(|name| !fields.contains_key(*name)) {
        violations.push(Violation::new(join(path, name), "is required"));
    }
    for (name, field) in fields {
        if let Some(schema) = schema_of_field(schema, name) {
            check(schema, field, &join(path, name), violations);
        }
    }
    if schema.additional_properties.is_none() {
        let known: Vec<&str> = schema.properties.iter().flatten().map(|(name, _)| name.as_str()).collect();
        violations.extend(unknown_fields(fields, &known, path));
    }
}

fn check_list(schema: &JSONSchemaProps, items: &[Value], path: &str, violations: &mut Vec<Violation>) {
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(schema) = schema_of_items(schema) {
            check(schema, item, &path, violations);
        }
        if items.iter().take(index).any(|earlier| same_entry(schema, earlier, item)) {
            violations.push(Violation::new(path, duplicate(schema)));
        }
    }
}

/// Whether two entries of a list must not be there at once.
fn same_entry(list: &JSONSchemaProps, one: &Value, other: &Value) -> bool {
    match list.x_kubernetes_list_type.as_deref() {
        Some("set") => one == other,
        Some("map") => {
            let mut keys = list.x_kubernetes_list_map_keys.iter().flatten();
            keys.all(|key| one.get(key).is_some() && one.get(key) == other.get(key))
        }
        _ => false,
    }
}

fn duplicate(list: &JSONSchemaProps) -> String {
    match &list.x_kubernetes_list_map_keys {
        Some(keys) => format!("repeats the {} of an earlier entry: it must be unique in the list", keys.join(", ")),
        None => "repeats an earlier entry: entries must be unique in the list".to_owned(),
    }
}

/// The fields that are not among the known ones.
pub(crate) fn unknown_fields(fields: &Map<String, Value>, known: &[&str], path: &str) -> Vec<Violation> {
    let unknown = fields.keys().filter(|name| !known.contains(&name.as_str()));
    unknown.map(|name| Violation::new(join(path, name), unknown_field(name, known))).collect()
}

/// Says what may have been meant, or what there is.
fn unknown_field(name: &str, known: &[&str]) -> String {
    let similarity =
        |field: &&&str| strsim::normalized_damerau_levenshtein(&field.to_lowercase(), &name.to_lowercase());
    let closest = known.iter().max_by(|one, other| similarity(one).total_cmp(&similarity(other)));
    match closest.filter(|field| similarity(field) >= LIKELY_MEANT) {
        Some(field) => format!("unknown field: did you mean {field}?"),
        None if known.is_empty() => "unknown field: none is allowed here".to_owned(),
        None => format!("unknown field: must be one of {}", known.join(", ")),
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// A value as a person writes it in YAML.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value in a message: scalars as they are, the rest by its kind.
struct Described<'a>(&'a Value);

impl fmt::Display for Described<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Value::Null => f.write_str("nothing"),
            Value::Array(_) => f.write_str("a list"),
            Value::Object(_) => f.write_str("a map of fields"),
            scalar => write!(f, "{scalar}"),
        }
    }
}

/// What is allowed, in words: "1 to 255".
pub(crate) struct Range<T>(pub(crate) Option<T>, pub(crate) Option<T>);

impl<T: fmt::Display + PartialEq> fmt::Display for Range<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self(Some(least), Some(most)) if least == most => write!(f, "{least}"),
            Self(Some(least), Some(most)) => write!(f, "{least} to {most}"),
            Self(Some(least), None) => write!(f, "at least {least}"),
            Self(None, Some(most)) => write!(f, "at most {most}"),
            Self(None, None) => f.write_str("anything"),
        }
    }
}
