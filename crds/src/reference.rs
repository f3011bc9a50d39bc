//! The manifest reference: the definitions as a page of Markdown, so that neither can say what the other does not.
//!
//! Every object of a schema is a section with a table of its fields. An object that occurs again under another name,
//! such as a label selector, is described once and linked to.

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrBool,
};

use crate::condition::{
    AcceptedReason, ConditionReason, DegradedReason, GroupAcceptedReason, HealthCheckAcceptedReason, ProgrammedReason,
    ReadyReason,
};
use crate::definition::{self, for_each_schema};
use crate::duration;
use crate::schema::{Range, schema_of_items};

const INTRODUCTION: &str = include_str!("reference/introduction.md");

/// Files that hold an example of a kind; the operator's own has none.
const EXAMPLES: [(&str, &str); 3] = [
    ("VirtualIP", include_str!("../../docs/examples/dual-stack/web.yaml")),
    ("HealthCheck", include_str!("../../docs/examples/dual-stack/web.yaml")),
    ("VirtualIPGroup", include_str!("../../docs/examples/gateway/gateway.yaml")),
];

/// The whole page.
pub fn markdown() -> String {
    let mut page = Page { text: INTRODUCTION.to_owned(), described: Vec::new() };
    for definition in &definition::all() {
        page.kind(definition);
    }
    page.text += &conditions();
    page.text
}

/// The page as far as it is written.
struct Page {
    text: String,
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
        let schemas = definition.spec.versions.iter().filter_map(|version| version.schema.as_ref());
        let Some(schema) = schemas.filter_map(|schema| schema.open_api_v3_schema.as_ref()).next() else { return };
        self.text += &format!("\n## {}\n\n{}\n", names.kind, described(schema));
        let short = names.short_names.iter().flatten().map(|name| format!(" or `{name}`")).collect::<String>();
        self.text += &format!("\nIn `kubectl`: `{}`{short}.\n", names.plural);
        if let Some(example) = example(&names.kind) {
            self.text += &format!("\n```yaml\n{example}\n```\n");
        }
        for (name, part) in
            schema.properties.iter().flatten().filter(|(name, _)| ["spec", "status"].contains(&name.as_str()))
        {
            self.object(&Object { path: format!("{}.{name}", names.kind), schema: part }, 3);
        }
    }

    /// A section, and below it those of the objects in it that are new.
    fn object(&mut self, object: &Object<'_>, depth: usize) {
        let heading = "#".repeat(depth);
        self.text += &format!("\n{heading} {}\n", object.path);
        if !described(object.schema).is_empty() {
            self.text += &format!("\n{}\n", described(object.schema));
        }
        let mut inner = Vec::new();
        let rows: Vec<Vec<String>> = fields(object.schema)
            .map(|(name, field)| {
                let mut kind = type_of(field);
                if let Some(nested) = nested(&format!("{}.{name}", object.path), field) {
                    let path = self.section_of(nested, &mut inner);
                    kind = format!("[{kind}](#{})", anchor(&path));
                }
                let required = object.schema.required.iter().flatten().any(|required| required == name);
                vec![
                    format!("`{name}`"),
                    kind,
                    default_of(field, required),
                    allowed(field),
                    in_a_cell(&described(field)),
                ]
            })
            .collect();
        self.text += &table(&["field", "type", "default", "allowed", "description"], rows);
        self.text += &rules(object.schema);
        for nested in &inner {
            self.object(nested, 4);
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
    file.split("\n---\n")
        .find(|document| document.lines().any(|line| line == format!("kind: {kind}")))
        .map(str::trim_end)
}

fn fields(schema: &JSONSchemaProps) -> impl Iterator<Item = (&String, &JSONSchemaProps)> {
    schema.properties.iter().flatten()
}

/// The object that a field holds, directly or in a list, if it has fields of its own.
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
    match (field.format.as_deref(), is_duration(field)) {
        (Some("date-time"), _) => "time".to_owned(),
        (_, true) => "duration".to_owned(),
        _ => field.type_.clone().unwrap_or_default(),
    }
}

/// Durations are strings to a schema; their length gives them away.
fn is_duration(field: &JSONSchemaProps) -> bool {
    field.max_length.is_some_and(|length| usize::try_from(length) == Ok(duration::MAX_LENGTH))
}

/// That of an object is what the defaults of its own fields come to.
fn default_of(field: &JSONSchemaProps, required: bool) -> String {
    match &field.default {
        _ if required => "required".to_owned(),
        Some(default) if !default.0.is_object() => {
            let text = default.0.as_str().map_or_else(|| default.0.to_string(), str::to_owned);
            format!("`{text}`")
        }
        _ => String::new(),
    }
}

fn allowed(field: &JSONSchemaProps) -> String {
    let mut parts = Vec::new();
    if let Some(choices) = &field.enum_ {
        let choice = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        parts.push(choices.iter().map(|value| format!("`{}`", choice(&value.0))).collect::<Vec<_>>().join(", "));
    }
    let mut range = |given: bool, text: String| parts.extend(given.then_some(text));
    range(field.minimum.is_some() || field.maximum.is_some(), Range(field.minimum, field.maximum).to_string());
    let length = (field.min_length.is_some() || field.max_length.is_some()) && !is_duration(field);
    range(length, format!("{} characters", Range(field.min_length, field.max_length)));
    let entries = field.min_items.is_some() || field.max_items.is_some();
    range(entries, format!("{} entries", Range(field.min_items, field.max_items)));
    range(field.x_kubernetes_list_type.as_deref() == Some("set"), "no entry twice".to_owned());
    for key in field.x_kubernetes_list_map_keys.iter().flatten() {
        parts.push(format!("no `{key}` twice"));
    }
    if let Some(each) = schema_of_items(field).map(allowed).filter(|each| !each.is_empty()) {
        parts.push(format!("each {each}"));
    }
    parts.join("; ")
}

/// The rules of an object and of its fields, each message once, with the fields that it is about.
fn rules(schema: &JSONSchemaProps) -> String {
    let mut messages: Vec<(String, Vec<String>)> = Vec::new();
    let mut add = |field: String, message: &str| match messages.iter_mut().find(|(known, _)| known == message) {
        Some((_, fields)) => fields.push(field),
        None => messages.push((message.to_owned(), vec![field])),
    };
    for rule in schema.x_kubernetes_validations.iter().flatten() {
        let field = rule.field_path.as_deref().unwrap_or_default().trim_start_matches('.');
        add(field.to_owned(), rule.message.as_deref().unwrap_or(&rule.rule));
    }
    for (name, field) in fields(schema) {
        // The rules of an object stand in its own section.
        let own = Some((name.clone(), field)).filter(|(_, field)| field.properties.is_none());
        let items = schema_of_items(field).filter(|items| items.properties.is_none());
        for (name, field) in own.into_iter().chain(items.map(|items| (format!("{name}[]"), items))) {
            for rule in field.x_kubernetes_validations.iter().flatten() {
                add(name.clone(), rule.message.as_deref().unwrap_or(&rule.rule));
            }
        }
    }
    if messages.is_empty() {
        return String::new();
    }
    let mut text = "\nRules:\n\n".to_owned();
    for (message, fields) in messages {
        let fields: Vec<String> =
            fields.iter().filter(|field| !field.is_empty()).map(|field| format!("`{field}`")).collect();
        let about = if fields.is_empty() { String::new() } else { format!("{}: ", fields.join(", ")) };
        text += &format!("- {about}{message}\n");
    }
    text
}

fn conditions() -> String {
    let text = "\n## Conditions\n\nAs everywhere in Kubernetes, a reason tells why a condition has its status. All conditions but \
                `Degraded` are good when they are `True`.\n";
    let mut text = text.to_owned();
    let mut section = |kind: &str, rows: Vec<Vec<String>>| {
        text += &format!("\n### Conditions of a {kind}\n");
        text += &table(&["condition", "status", "reason", "meaning"], rows);
    };
    let vip = [reasons(AcceptedReason::ALL), reasons(ProgrammedReason::ALL), reasons(ReadyReason::ALL)];
    section("VirtualIP", [vip.concat(), reasons(DegradedReason::ALL)].concat());
    section("HealthCheck", reasons(HealthCheckAcceptedReason::ALL));
    section("VirtualIPGroup", [reasons(GroupAcceptedReason::ALL), reasons(ReadyReason::ALL)].concat());
    section("NodeConfig", reasons(ProgrammedReason::ALL));
    text
}

fn reasons<R: ConditionReason>(all: &[R]) -> Vec<Vec<String>> {
    let row = |reason: &R| {
        let (status, word) = (reason.status(), reason.as_str());
        vec![R::TYPE.to_string(), status.to_string(), format!("`{word}`"), reason.meaning().to_owned()]
    };
    all.iter().map(row).collect()
}

/// A table, without the columns that have nothing in them.
fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    let used: Vec<bool> = (0..header.len())
        .map(|column| rows.iter().any(|row| row.get(column).is_some_and(|cell| !cell.is_empty())))
        .collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let cells: Vec<&str> = cells.zip(&used).filter(|(_, used)| **used).map(|(cell, _)| cell).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    let mut text = "\n".to_owned() + &line(&mut header.iter().copied()) + &line(&mut header.iter().map(|_| "---"));
    for row in &rows {
        text += &line(&mut row.iter().map(String::as_str));
    }
    text
}

fn described(schema: &JSONSchemaProps) -> String {
    schema.description.clone().unwrap_or_default()
}

/// One line, whose bars are no borders.
fn in_a_cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// The name that a heading gets in a link.
fn anchor(heading: &str) -> String {
    heading.chars().filter(char::is_ascii_alphanumeric).map(|letter| letter.to_ascii_lowercase()).collect()
}
