//! What may be chosen, and how it is told.

use std::fs;

use anyhow::{Context, Result};
use holdfast_tests::cluster::chart::Chart;
use serde_json::{Map, Value, json};

use crate::support::file;

#[test]
fn values_that_mean_nothing_are_refused_with_the_name_of_what_is_wrong() -> Result<()> {
    let chart = Chart::find()?;
    let refused = [
        (json!({ "agents": {} }), "agents"),
        (json!({ "agent": { "hostPid": true } }), "hostPid"),
        (json!({ "agent": { "http": { "port": 0 } } }), "/agent/http/port"),
        (json!({ "agent": { "http": { "port": "9112" } } }), "/agent/http/port"),
        (json!({ "agent": { "stateDir": "relative" } }), "/agent/stateDir"),
        (json!({ "agent": { "commandDir": "relative" } }), "/agent/commandDir"),
        (json!({ "agent": { "logFormat": "xml" } }), "/agent/logFormat"),
        (json!({ "agent": { "terminationGracePeriodSeconds": 0 } }), "/agent/terminationGracePeriodSeconds"),
        (json!({ "agent": { "updateStrategy": { "type": "Recreate" } } }), "/agent/updateStrategy/type"),
        (json!({ "operator": { "replicas": -1 } }), "/operator/replicas"),
        (json!({ "operator": { "drainTaints": "one" } }), "/operator/drainTaints"),
        (json!({ "image": { "pullPolicy": "Sometimes" } }), "/image/pullPolicy"),
        (json!({ "podMonitor": { "interval": "often" } }), "/podMonitor/interval"),
        (json!({ "crds": { "keep": "no" } }), "/crds/keep"),
    ];
    for (values, wrong) in refused {
        let Err(error) = chart.render("holdfast", "holdfast", &values) else { panic!("{values} was accepted") };
        let message = format!("{error:#}").replace('.', "/");
        assert!(message.contains(wrong), "{values}: {error:#}");
    }
    Ok(())
}

/// The paths of all values: `image.tag`, and not what users put into `image.tag`.
fn paths(values: &Map<String, Value>, above: &str, found: &mut Vec<String>) {
    for (name, value) in values {
        let path = format!("{above}{name}");
        match value.as_object() {
            Some(inner) if !inner.is_empty() && !is_free(name) => paths(inner, &format!("{path}."), found),
            _ => found.push(path),
        }
    }
}

/// Values that are handed to Kubernetes as they are.
fn is_free(name: &str) -> bool {
    ["resources", "updateStrategy", "labels"].contains(&name)
}

#[test]
fn the_readme_of_the_chart_names_every_value_and_no_other() -> Result<()> {
    let values: Value = serde_saphyr::from_str(&fs::read_to_string(file("values.yaml"))?)?;
    let mut expected = Vec::new();
    paths(values.as_object().context("a map")?, "", &mut expected);
    expected.sort();
    let readme = fs::read_to_string(file("README.md"))?;
    let rows = readme.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut named: Vec<String> = rows.map(|(name, _)| name.to_owned()).collect();
    named.sort();
    assert_eq!(named, expected);
    Ok(())
}
