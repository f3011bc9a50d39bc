//! What the chart renders, judged by an API server.

use anyhow::{Context, Result};
use holdfast_tests::cluster::ApiServer;
use holdfast_tests::cluster::chart::{self, Chart};
use serde_json::{Value, json};

use crate::support::{everything, nothing};

/// The kinds of the Prometheus Operator, as far as the chart uses them: any other field is an error.
const MONITORING: &str = include_str!("monitoring.yaml");

/// What is installed, by its name in the messages of the tests: the values and the namespace.
fn installations() -> [(&'static str, &'static str, Value); 5] {
    [
        ("defaults", "holdfast", json!({})),
        ("everything", "holdfast", everything()),
        ("nothing", "holdfast", nothing()),
        ("another name in another namespace", "edge", json!({ "fullnameOverride": "vips", "nameOverride": "vips" })),
        ("definitions that go", "holdfast", json!({ "crds": { "keep": false } })),
    ]
}

fn kinds(objects: &[Value]) -> Vec<&str> {
    objects.iter().filter_map(|object| object["kind"].as_str()).collect()
}

#[test]
fn the_linter_has_nothing_to_say() -> Result<()> {
    let chart = Chart::find()?;
    installations().iter().try_for_each(|(what, _, values)| chart.lint(values).context(*what))
}

#[test]
fn an_api_server_takes_every_object_with_every_field() -> Result<()> {
    let (server, chart) = (ApiServer::start()?, Chart::find()?);
    let definitions: Vec<Value> = serde_saphyr::from_multiple(MONITORING)?;
    chart::apply(&server, &definitions, &[])?;
    for (what, namespace, values) in installations() {
        let made = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } });
        chart::apply(&server, &[made], &[])?;
        let objects = chart.render("holdfast", namespace, &values)?;
        let said = chart::apply(&server, &objects, &["--dry-run=server"]).context(what)?;
        assert_eq!(said.lines().count(), objects.len(), "{what}: {said}");
    }
    Ok(())
}

#[test]
fn everything_that_has_a_namespace_is_in_that_of_the_release() -> Result<()> {
    let cluster_wide = ["ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition", "ValidatingAdmissionPolicy"];
    for object in Chart::find()?.render("holdfast", "edge", &everything())? {
        let kind = object["kind"].as_str().unwrap_or_default();
        let expected =
            if cluster_wide.iter().any(|prefix| kind.starts_with(prefix)) { Value::Null } else { "edge".into() };
        assert_eq!(object["metadata"]["namespace"], expected, "{kind} {}", object["metadata"]["name"]);
    }
    Ok(())
}

#[test]
fn the_definitions_are_those_of_the_crates_and_stay_unless_told_otherwise() -> Result<()> {
    let chart = Chart::find()?;
    let kept = |values: &Value| -> Result<Vec<bool>> {
        let objects = chart.render("holdfast", "holdfast", values)?;
        let definitions = objects.iter().filter(|object| object["kind"] == "CustomResourceDefinition");
        Ok(definitions.map(|it| it["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep").collect())
    };
    assert_eq!(kept(&json!({}))?, [true; 4]);
    assert_eq!(kept(&json!({ "crds": { "keep": false } }))?, [false; 4]);
    assert_eq!(kept(&json!({ "crds": { "install": false } }))?, [true; 0]);
    Ok(())
}

#[test]
fn the_agent_has_two_capabilities_and_what_options_need_beside_them() -> Result<()> {
    let chart = Chart::find()?;
    for (values, expected) in [
        (json!({}), vec!["NET_ADMIN", "NET_RAW"]),
        (json!({ "agent": { "commandDir": "/x" } }), vec!["NET_ADMIN", "NET_RAW", "SETUID", "SETGID", "KILL"]),
        (json!({ "agent": { "realtime": true } }), vec!["NET_ADMIN", "NET_RAW", "SYS_NICE", "IPC_LOCK"]),
    ] {
        let objects = chart.render("holdfast", "holdfast", &values)?;
        let agent = objects.iter().find(|object| object["kind"] == "DaemonSet").context("a DaemonSet")?;
        let context = &agent["spec"]["template"]["spec"]["containers"][0]["securityContext"];
        assert_eq!(context["capabilities"], json!({ "drop": ["ALL"], "add": expected }), "{values}");
        assert_eq!(context["readOnlyRootFilesystem"], true);
        assert_eq!(context["allowPrivilegeEscalation"], false);
    }
    Ok(())
}

#[test]
fn one_operator_has_no_disruption_budget_that_would_hold_up_a_drain() -> Result<()> {
    let chart = Chart::find()?;
    let has_budget = |replicas: u8| -> Result<bool> {
        let values = json!({ "operator": { "replicas": replicas } });
        Ok(kinds(&chart.render("holdfast", "holdfast", &values)?).contains(&"PodDisruptionBudget"))
    };
    assert!(has_budget(2)?);
    assert!(!has_budget(1)?);
    Ok(())
}

#[test]
fn the_notes_name_the_release_and_warn_of_what_will_be_lost() -> Result<()> {
    let chart = Chart::find()?;
    let notes = chart.notes("holdfast", "edge", &json!({ "fullnameOverride": "vips" }))?;
    assert!(notes.contains("kubectl -n edge rollout status daemonset/vips-agent"), "{notes}");
    assert!(
        notes.contains("kubectl wait --for=condition=Ready virtualip/web") && !notes.contains("WARNING"),
        "{notes}"
    );
    let notes = chart.notes("holdfast", "holdfast", &json!({ "crds": { "keep": false } }))?;
    assert!(notes.contains("WARNING: crds.keep is false"), "{notes}");
    Ok(())
}
