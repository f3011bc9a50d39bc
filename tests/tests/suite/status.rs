//! `holdfast-agent status` on nodes whose agents run: what a person sees, and what a program reads.

use std::collections::BTreeMap;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use holdfast_tests::lab::agent::{self, HTTP};
use serde_json::Value;

use crate::support::duo::Duo;
use crate::support::manifest::{health_check, virtual_ip, web};
use crate::support::member::Member;
use crate::support::timing::LONG;

/// Runs `holdfast-agent status` with these further arguments on the member's node.
fn status(member: &Member, arguments: &[&str]) -> Result<String> {
    let mut command = Command::new(agent::binary()?);
    command.args(["status", "--http", HTTP]).args(arguments);
    let output = member.host.namespace().output(command)?;
    ensure!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).context("not text")
}

/// A row of a table by the names of its columns: the table begins with `header`, the row with `name`.
fn row<'a>(text: &'a str, header: &'a str, name: &str) -> Result<BTreeMap<&'a str, &'a str>> {
    let mut lines = text.lines().skip_while(|line| *line != header && !is_header(line, header));
    let titles = columns(lines.next().with_context(|| format!("no {header} in {text}"))?);
    let row = lines.take_while(|line| !line.is_empty()).map(columns).find(|row| row.first() == Some(&name));
    let row = row.with_context(|| format!("no row {name} in {text}"))?;
    ensure!(row.len() == titles.len(), "{titles:?} and {row:?} are not of one table:\n{text}");
    Ok(titles.into_iter().zip(row).collect())
}

fn is_header(line: &str, first: &str) -> bool {
    columns(line).first() == Some(&first)
}

/// Columns are at least two spaces apart.
fn columns(line: &str) -> Vec<&str> {
    line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect()
}

fn checked() -> [String; 2] {
    let check = health_check("port", "tcp: {port: 7001}\ninterval: 200ms\nrise: 1\nfall: 1\nweight: -10\n");
    [web("healthChecks: [{name: port}]\n"), check]
}

#[test]
fn the_table_shows_what_each_node_does_and_why() -> Result<()> {
    let duo = Duo::elected(&checked())?;
    duo.b.wait_until("b hears a", LONG, |status| {
        status.every("web", |router| router.master_address == Some(duo.a.host.ipv4().into()))
    })?;
    duo.a.wait_for_priority(190)?;
    let on_a = status(&duo.a, &["-o", "table"])?;
    let on_b = status(&duo.b, &[])?;
    let table = [
        (&on_a, [("STATE", "MASTER"), ("PRIORITY", "190"), ("REASON", "MasterSilent"), ("MASTER", "10.77.0.1")]),
        (&on_b, [("STATE", "BACKUP"), ("PRIORITY", "90"), ("REASON", "Started"), ("MASTER", "10.77.0.1")]),
    ];
    for (text, expected) in table {
        let web = row(text, "VIRTUAL IP", "web")?;
        let same = [("VRID", "51"), ("INTERFACE", "eth0"), ("ADDRESSES", "10.77.0.100")];
        for (title, cell) in expected.into_iter().chain(same) {
            assert_eq!(web.get(title), Some(&cell), "{title} in {text}");
        }
        let since = web.get("SINCE").and_then(|since| since.strip_suffix('s')?.parse::<u64>().ok());
        assert!(since.is_some_and(|seconds| seconds < LONG.as_secs()), "{text}");
        let check = row(text, "HEALTH CHECK", "port")?;
        assert_eq!(check.get("PASSING"), Some(&"no"), "{text}");
        assert!(check.get("MESSAGE").is_some_and(|message| message.contains("refused")), "{text}");
    }
    Ok(())
}

#[test]
fn both_families_of_a_dual_stack_vip_have_a_row() -> Result<()> {
    let spec = "addresses: [10.77.0.100, \"fd77::100\"]\nvirtualRouterID: 51\nadvertisementInterval: 100ms\n";
    let mut duo = Duo::new(&[virtual_ip("web", spec)])?;
    duo.a.start_as("MASTER")?;
    let text = status(&duo.a, &[])?;
    for (name, address, master) in [
        ("web/ipv4", "10.77.0.100", duo.a.host.ipv4().to_string()),
        ("web/ipv6", "fd77::100", duo.a.host.link_local().to_string()),
    ] {
        let row = row(&text, "VIRTUAL IP", name)?;
        assert_eq!((row.get("ADDRESSES"), row.get("STATE")), (Some(&address), Some(&"MASTER")), "{text}");
        assert_eq!(row.get("MASTER"), Some(&master.as_str()), "{text}");
    }
    Ok(())
}

#[test]
fn what_is_wrong_with_the_manifests_stands_below_the_table() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.start_as("MASTER")?;
    duo.a.home.write_manifest("bad.yaml", &virtual_ip("bad", "addresses: [10.77.0.101]\npriority: 0\n"))?;
    duo.a.wait_until("the mistake is found", LONG, |status| !status.configuration_errors.is_empty())?;
    let text = status(&duo.a, &[])?;
    let mistakes = text.lines().skip_while(|line| !line.starts_with("CONFIGURATION ERRORS")).skip(1);
    let mistakes: Vec<&str> = mistakes.collect();
    assert!(
        mistakes.len() == 1 && mistakes[0].trim().starts_with("bad.yaml: VirtualIP/bad: spec.priority: "),
        "{text}"
    );
    assert_eq!(row(&text, "VIRTUAL IP", "web")?.get("STATE"), Some(&"MASTER"));
    Ok(())
}

#[test]
fn json_is_one_object_with_the_documented_fields() -> Result<()> {
    let duo = Duo::elected(&checked())?;
    duo.a.wait_for_priority(190)?;
    let text = status(&duo.a, &["-o", "json"])?;
    let shown: Value = serde_json::from_str(&text).with_context(|| format!("no JSON: {text}"))?;
    assert_eq!(shown["node"], "a");
    let router = &shown["virtualRouters"][0];
    for (field, expected) in [
        ("name", Value::from("web")),
        ("virtualIP", "web".into()),
        ("state", "MASTER".into()),
        ("priority", 190.into()),
        ("virtualRouterID", 51.into()),
        ("interface", "eth0".into()),
        ("family", "IPv4".into()),
        ("held", Value::from(vec!["10.77.0.100"])),
        ("masterAddress", "10.77.0.1".into()),
    ] {
        assert_eq!(router[field], expected, "{field} in {text}");
    }
    assert_eq!(shown["virtualRouters"].as_array().map(Vec::len), Some(1), "{text}");
    let check = &shown["healthChecks"][0];
    assert_eq!((&check["name"], &check["passing"]), (&Value::from("port"), &Value::from(false)), "{text}");
    assert_eq!(shown["configurationErrors"], Value::Array(Vec::new()), "{text}");
    Ok(())
}
