//! The manifest reference: current on disk, and with every field, rule and reason.

use std::fs;
use std::path::Path;

use holdfast_crds::condition::{
    AcceptedReason, ConditionReason, DegradedReason, GroupAcceptedReason, HealthCheckAcceptedReason, ProgrammedReason,
    ReadyReason,
};
use holdfast_crds::{Manifest, definition, reference};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::{
    CustomResourceDefinition, JSONSchemaProps, JSONSchemaPropsOrArray,
};

/// The lines below the heading that a link leads to, up to the next heading.
fn section<'a>(page: &'a str, anchor: &str) -> Vec<&'a str> {
    let is_heading = |line: &str| line.starts_with('#');
    let leads_to = |line: &str| {
        let name = line.trim_start_matches('#').to_lowercase();
        is_heading(line) && name.chars().filter(char::is_ascii_alphanumeric).eq(anchor.chars())
    };
    let lines: Vec<&str> = page.lines().skip_while(|line| !leads_to(line)).skip(1).collect();
    assert!(!lines.is_empty(), "nothing is called #{anchor}");
    lines.into_iter().take_while(|line| !is_heading(line)).collect()
}

/// Checks that all fields below `schema` have a row in the section of this name, or in those that it links to.
fn assert_described(page: &str, anchor: &str, schema: &JSONSchemaProps) {
    let section = section(page, anchor);
    for (name, field) in schema.properties.iter().flatten() {
        let row = section.iter().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("{name} is not in #{anchor}"));
        let object = match &field.items {
            Some(JSONSchemaPropsOrArray::Schema(items)) => items,
            _ => field,
        };
        if object.properties.is_some() {
            let link = row.split_once("](#").and_then(|(_, rest)| rest.split_once(')'));
            let (target, _) = link.unwrap_or_else(|| panic!("{name} of #{anchor} leads nowhere: {row}"));
            assert_described(page, target, object);
        }
    }
}

fn messages(schema: &JSONSchemaProps) -> Vec<String> {
    let own = schema.x_kubernetes_validations.iter().flatten().map(|rule| rule.message.clone().unwrap());
    let below = schema.properties.iter().flatten().flat_map(|(_, field)| messages(field));
    let items = match &schema.items {
        Some(JSONSchemaPropsOrArray::Schema(items)) => messages(items),
        _ => Vec::new(),
    };
    own.chain(below).chain(items).collect()
}

fn root(definition: &CustomResourceDefinition) -> &JSONSchemaProps {
    definition.spec.versions[0].schema.as_ref().unwrap().open_api_v3_schema.as_ref().unwrap()
}

#[test]
fn the_page_on_disk_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference.md");
    let found = fs::read_to_string(path).unwrap();
    assert!(
        found == reference::markdown(),
        "docs/reference.md is stale: run `cargo run -p holdfast-crds --bin crdgen`"
    );
}

#[test]
fn every_field_of_every_schema_is_described() {
    let page = reference::markdown();
    for definition in &definition::all() {
        let kind = definition.spec.names.kind.to_lowercase();
        for part in ["spec", "status"] {
            assert_described(&page, &format!("{kind}{part}"), &root(definition).properties.as_ref().unwrap()[part]);
        }
    }
}

#[test]
fn every_rule_is_quoted() {
    let page = reference::markdown();
    for definition in &definition::all() {
        for message in messages(root(definition)) {
            assert!(page.lines().any(|line| line.starts_with("- ") && line.ends_with(&message)), "{message}");
        }
    }
}

#[test]
fn every_reason_is_explained() {
    fn assert_explained<R: ConditionReason>(page: &str, all: &[R]) {
        for reason in all {
            let row = format!("| {} | {} | `{}` | {} |", R::TYPE, reason.status(), reason.as_str(), reason.meaning());
            assert!(page.lines().any(|line| line == row), "{row}");
            assert!(reason.meaning().ends_with('.'), "{row}");
        }
    }
    let page = reference::markdown();
    assert_explained(&page, AcceptedReason::ALL);
    assert_explained(&page, GroupAcceptedReason::ALL);
    assert_explained(&page, HealthCheckAcceptedReason::ALL);
    assert_explained(&page, ProgrammedReason::ALL);
    assert_explained(&page, ReadyReason::ALL);
    assert_explained(&page, DegradedReason::ALL);
}

#[test]
fn every_kind_that_people_write_has_a_valid_example() {
    let page = reference::markdown();
    let blocks: Vec<&str> = page.split("```yaml\n").skip(1).map(|rest| rest.split_once("\n```").unwrap().0).collect();
    let kinds: Vec<_> = blocks
        .iter()
        .map(|text| Manifest::parse(serde_saphyr::from_str(text).unwrap()).unwrap().kind().as_str())
        .collect();
    assert_eq!(kinds, ["VirtualIP", "HealthCheck", "VirtualIPGroup"]);
}

#[test]
fn every_table_has_as_many_cells_in_each_row() {
    let page = reference::markdown();
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    for (above, line) in page.lines().zip(page.lines().skip(1)) {
        let in_a_table = above.starts_with('|') && line.starts_with('|');
        assert!(!in_a_table || cells(above) == cells(line), "{above}\n{line}");
    }
}

#[test]
fn no_description_has_links_that_only_rustdoc_follows() {
    let page = reference::markdown();
    let found: Vec<&str> = page.lines().filter(|line| line.contains("[`")).collect();
    assert_eq!(found, [""; 0]);
}
