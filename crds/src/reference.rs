//! The manifest reference: the definitions as a page of Markdown, so that neither can say what the other does not.
//!
//! Every object of a schema is a section with a table of its fields. An object that occurs again under another name,
//! such as a label selector, is described once and linked to.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrBool, ValidationRule,
};
use serde_json::Value;

use crate::condition::{
    AcceptedReason, ConditionReason, DegradedReason, GroupAcceptedReason, HealthCheckAcceptedReason, ProgrammedReason,
    ReadyReason,
};
use crate::definition::{self, for_each_schema};
use crate::duration;
use crate::schema::{Range, schema_of_items};

const INTRODUCTION: &str = include_str!("reference/introduction.md");

const CONDITIONS: &str = "A reason says why a condition has its status. All conditions but `Degraded` are good when they \
    are `True`. A NodeConfig has `Programmed` alone, about its own node.";

/// Files with an example of a kind. Nobody writes the others.
const EXAMPLES: [(&str, &str); 3] = [
    ("VirtualIP", include_str!("../../docs/examples/dual-stack/web.yaml")),
    ("HealthCheck", include_str!("../../docs/examples/dual-stack/web.yaml")),
    ("VirtualIPGroup", include_str!("../../docs/examples/gateway/gateway.yaml")),
];

/// The whole page.
pub fn markdown() -> String {
    let mut page = Page { paragraphs: vec![INTRODUCTION.trim_end().to_owned()], described: Vec::new() };
    for definition in &definition::all() {
        page.kind(definition);
    }
    page.conditions();
    page.paragraphs.join("\n\n") + "\n"
}

/// The page as far as it is written.
struct Page {
    /// Without the empty lines between them.
    paragraphs: Vec<String>,
    /// Objects that have a section, or will have one: their form and the heading.
    described: Vec<(JSONSchemaProps, String)>,
}

/// An object of a schema that gets a section.
struct Object<'a> {
    path: String,
    schema: &'a JSONSchemaProps,
}

impl Page {
    fn kind(&mut self, definition: &CustomResourceDefinition) {
        let names = &definition.spec.names;
        let mut schemas = definition.spec.versions.iter().filter_map(|version| version.schema.as_ref());
        let Some(schema) = schemas.find_map(|schema| schema.open_api_v3_schema.as_ref()) else { return };
        let words: Vec<_> = [&names.plural].into_iter().chain(names.short_names.iter().flatten()).cloned().collect();
        self.paragraphs.push(format!("## {}", names.kind));
        self.paragraphs.push(format!("{} In `kubectl`: `{}`.", description(schema), words.join("` or `")));
        self.paragraphs.extend(example(&names.kind).map(|example| format!("```yaml\n{example}\n```")));
        for (name, part) in fields(schema).filter(|(name, _)| ["spec", "status"].contains(&name.as_str())) {
            let part = Object { path: format!("{}.{name}", names.kind), schema: part };
            self.described.push((form(part.schema), part.path.clone()));
            self.object(&part, "###");
        }
    }

    /// A section, and below it those of the objects in it that are new.
    fn object(&mut self, object: &Object<'_>, heading: &str) {
        let mut inner = Vec::new();
        let rows: Vec<_> = fields(object.schema)
            .map(|(name, field)| {
                let mut kind = type_of(field);
                if let Some(nested) = nested(&format!("{}.{name}", object.path), field) {
                    kind = format!("[{kind}](#{})", anchor(&self.section_of(nested, &mut inner)));
                }
                let required = object.schema.required.iter().flatten().any(|required| required == name);
                let default = default_of(field, required);
                vec![format!("`{name}`"), kind, default, allowed(field), in_a_cell(&description(field))]
            })
            .collect();
        self.paragraphs.push(format!("{heading} {}", object.path));
        self.paragraphs.push(description(object.schema));
        self.paragraphs.push(table(&["field", "type", "default", "allowed", "description"], &rows));
        let rules = rules(object.schema);
        if !rules.is_empty() {
            self.paragraphs.extend(["Rules:".to_owned(), rules.join("\n")]);
        }
        for object in &inner {
            self.object(object, "####");
        }
    }

    /// The heading under which an object is described. If that is new, it is added to `inner`.
    fn section_of<'a>(&mut self, object: Object<'a>, inner: &mut Vec<Object<'a>>) -> String {
        let form = form(object.schema);
        if let Some((_, path)) = self.described.iter().find(|(described, _)| *described == form) {
            return path.clone();
        }
        let path = object.path.clone();
        self.described.push((form, path.clone()));
        inner.push(object);
        path
    }

    fn conditions(&mut self) {
        self.paragraphs.extend(["## Conditions".to_owned(), CONDITIONS.to_owned()]);
        let mut section = |kind: &str, rows: &[Vec<Vec<String>>]| {
            self.paragraphs.push(format!("### Conditions of a {kind}"));
            self.paragraphs.push(table(&["condition", "status", "reason", "meaning"], &rows.concat()));
        };
        let ready = reasons(ReadyReason::ALL);
        let programmed = reasons(ProgrammedReason::ALL);
        let degraded = reasons(DegradedReason::ALL);
        section("VirtualIP", &[reasons(AcceptedReason::ALL), programmed, ready.clone(), degraded]);
        section("HealthCheck", &[reasons(HealthCheckAcceptedReason::ALL)]);
        section("VirtualIPGroup", &[reasons(GroupAcceptedReason::ALL), ready]);
    }
}

fn reasons<R: ConditionReason>(all: &[R]) -> Vec<Vec<String>> {
    let row = |reason: &R| {
        let word = format!("`{}`", reason.as_str());
        vec![R::TYPE.to_string(), reason.status().to_string(), word, reason.meaning().to_owned()]
    };
    all.iter().map(row).collect()
}

/// A schema without what differs between its uses.
fn form(schema: &JSONSchemaProps) -> JSONSchemaProps {
    let mut form = schema.clone();
    for_each_schema(&mut form, &|schema| schema.x_kubernetes_validations = None);
    JSONSchemaProps { description: None, default: None, ..form }
}

/// The document of this kind, with the comment above it.
fn example(kind: &str) -> Option<&'static str> {
    let (_, file) = EXAMPLES.iter().find(|(of, _)| *of == kind)?;
    let is_of_kind = |document: &&str| document.lines().any(|line| line.strip_prefix("kind: ") == Some(kind));
    file.split("\n---\n").find(is_of_kind).map(str::trim_end)
}

fn fields(schema: &JSONSchemaProps) -> impl Iterator<Item = (&String, &JSONSchemaProps)> {
    schema.properties.iter().flatten()
}

/// The object with fields of its own that a field holds, directly or in a list.
fn nested<'a>(path: &str, field: &'a JSONSchemaProps) -> Option<Object<'a>> {
    let (path, schema) = match schema_of_items(field) {
        Some(items) => (format!("{path}[]"), items),
        None => (path.to_owned(), field),
    };
    schema.properties.is_some().then_some(Object { path, schema })
}

fn type_of(field: &JSONSchemaProps) -> String {
    if let Some(items) = schema_of_items(field) {
        return format!("list of {}s", type_of(items));
    }
    if let Some(JSONSchemaPropsOrBool::Schema(values)) = &field.additional_properties {
        return format!("map of {}s", type_of(values));
    }
    match field.format.as_deref() {
        Some("date-time") => "time".to_owned(),
        _ if is_duration(field) => "duration".to_owned(),
        _ => field.type_.clone().unwrap_or_default(),
    }
}

/// Durations are strings to a schema; their length gives them away.
fn is_duration(field: &JSONSchemaProps) -> bool {
    field.max_length.is_some_and(|length| usize::try_from(length) == Ok(duration::MAX_LENGTH))
}

/// Nothing for an object: it is what the defaults of its own fields come to.
fn default_of(field: &JSONSchemaProps, required: bool) -> String {
    match &field.default {
        _ if required => "required".to_owned(),
        Some(default) if !default.0.is_object() => code(&default.0),
        _ => String::new(),
    }
}

fn allowed(field: &JSONSchemaProps) -> String {
    let (least, most) = (field.minimum, field.maximum);
    let (shortest, longest) = (field.min_length, field.max_length.filter(|_| !is_duration(field)));
    let (fewest, most_entries) = (field.min_items, field.max_items);
    let choices = field.enum_.as_ref().map(|choices| choices.iter().map(|choice| code(&choice.0)).collect::<Vec<_>>());
    let is_set = field.x_kubernetes_list_type.as_deref() == Some("set");
    let keys = field.x_kubernetes_list_map_keys.as_ref();
    let each = schema_of_items(field).map(allowed).filter(|each| !each.is_empty());
    let parts = [
        choices.map(|choices| choices.join(", ")),
        least.or(most).map(|_| Range(least, most).to_string()),
        shortest.or(longest).map(|_| format!("{} characters", Range(shortest, longest))),
        fewest.or(most_entries).map(|_| format!("{} entries", Range(fewest, most_entries))),
        is_set.then(|| "no entry twice".to_owned()),
        keys.map(|keys| format!("no `{}` twice", keys.join(", "))),
        each.map(|each| format!("each {each}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join("; ")
}

/// The rules of an object and of its fields: each message once, with the fields that it is about.
fn rules(schema: &JSONSchemaProps) -> Vec<String> {
    let mut messages: Vec<(&str, Vec<String>)> = Vec::new();
    for (place, rule) in placed_rules(schema) {
        let message = rule.message.as_deref().unwrap_or(&rule.rule);
        match messages.iter_mut().find(|(known, _)| *known == message) {
            Some((_, places)) => places.push(place),
            None => messages.push((message, vec![place])),
        }
    }
    let line = |(message, places): &(&str, Vec<String>)| {
        let places: Vec<_> =
            places.iter().filter(|place| !place.is_empty()).map(|place| format!("`{place}`")).collect();
        if places.is_empty() { format!("- {message}") } else { format!("- {}: {message}", places.join(", ")) }
    };
    messages.iter().map(line).collect()
}

/// The rules of an object, and those of its fields that have no section to stand in; each with the field it is about.
fn placed_rules(schema: &JSONSchemaProps) -> Vec<(String, &ValidationRule)> {
    let field_path = |rule: &ValidationRule| rule.field_path.clone().unwrap_or_default();
    let own = schema.x_kubernetes_validations.iter().flatten();
    let mut placed: Vec<_> = own.map(|rule| (field_path(rule).trim_start_matches('.').to_owned(), rule)).collect();
    for (name, field) in fields(schema) {
        let items = schema_of_items(field).map(|items| (format!("{name}[]"), items));
        for (place, schema) in [(name.clone(), field)].into_iter().chain(items) {
            if schema.properties.is_none() {
                let rules = schema.x_kubernetes_validations.iter().flatten();
                placed.extend(rules.map(|rule| (place.clone(), rule)));
            }
        }
    }
    placed
}

/// A table, without the columns that have nothing in them.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let is_used = |column: usize| rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty()));
    let used: Vec<bool> = (0..header.len()).map(is_used).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<&str> = cells.zip(&used).filter(|(_, used)| **used).map(|(cell, _)| cell).collect();
        format!("| {} |", cells.join(" | "))
    };
    let mut lines = vec![line(&mut header.iter().copied()), line(&mut header.iter().map(|_| "---"))];
    lines.extend(rows.iter().map(|row| line(&mut row.iter().map(String::as_str))));
    lines.join("\n")
}

fn description(schema: &JSONSchemaProps) -> String {
    schema.description.clone().unwrap_or_default()
}

/// A value as YAML has it.
fn code(value: &Value) -> String {
    format!("`{}`", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

/// In one line, without bars that would be borders.
fn in_a_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// What a heading is called in a link.
fn anchor(heading: &str) -> String {
    heading.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
