//! Bad manifests are named - all at once, each with file, object, field and what is allowed - and change nothing.

use std::process::{Command, Output};

use anyhow::Result;
use holdfast_tests::lab::{Agent, AgentHome, Host, agent};

use crate::support::duo::{Duo, VIP};
use crate::support::manifest::{file, group, health_check, virtual_ip, web};
use crate::support::timing::LONG;

fn check(home: &AgentHome) -> Result<(Option<i32>, String)> {
    let Output { status, stdout, stderr } =
        Command::new(agent::binary()?).arg("check").arg(home.manifests()).output()?;
    Ok((status.code(), [stdout, stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat()))
}

/// A manifest that is wrong, and what the message about it must contain beside its file.
fn wrong_manifests() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let addresses = "addresses: [10.77.0.100]\n";
    vec![
        ("malformed", "kind: [VirtualIP\n".to_owned(), vec![]),
        (
            "unknown-field",
            virtual_ip("web", "addresses: [10.77.0.100]\nvirtualRouterId: 51\n"),
            vec!["web", "virtualRouterId"],
        ),
        ("wrong-kind", web("").replace("kind: VirtualIP", "kind: VirtualIPS"), vec!["VirtualIPS"]),
        ("duplicate", format!("{}---\n{}", web(""), web("")), vec!["web"]),
        (
            "vrid-zero",
            virtual_ip("web", &format!("{addresses}virtualRouterID: 0\n")),
            vec!["web", "virtualRouterID", "1"],
        ),
        (
            "vrid-256",
            virtual_ip("web", &format!("{addresses}virtualRouterID: 256\n")),
            vec!["web", "virtualRouterID", "255"],
        ),
        (
            "interval-zero",
            virtual_ip("web", &format!("{addresses}advertisementInterval: 0s\n")),
            vec!["web", "advertisementInterval", "10ms"],
        ),
        (
            "cel",
            virtual_ip("web", "addresses: [\"fd77::100\"]\nprotocolVersion: 2\n"),
            vec!["web", "addresses", "protocolVersion: 3"],
        ),
        ("not-an-address", virtual_ip("web", "addresses: [10.77.0.300]\n"), vec!["web", "addresses[0]", "192.0.2.10"]),
        ("priority-256", virtual_ip("web", &format!("{addresses}priority: 256\n")), vec!["web", "priority", "255"]),
        ("two-probes", health_check("page", "tcp: {port: 80}\nprocess: {name: nginx}\n"), vec!["page", "exactly one"]),
        ("small-group", group("all", "members: [web]\n"), vec!["all", "members", "2"]),
    ]
}

#[test]
fn check_names_file_object_field_and_what_is_allowed() -> Result<()> {
    for (name, yaml, expected) in wrong_manifests() {
        let home = AgentHome::new()?;
        let file = format!("{name}.yaml");
        home.write_manifest(&file, &yaml)?;
        let (code, said) = check(&home)?;
        assert_eq!(code, Some(1), "{name}: {said}");
        for text in expected.into_iter().chain([file.as_str()]) {
            assert!(said.contains(text), "{name}: {text:?} is not in: {said}");
        }
    }
    Ok(())
}

#[test]
fn check_names_all_errors_at_once() -> Result<()> {
    let home = AgentHome::new()?;
    for (name, yaml, _) in wrong_manifests() {
        home.write_manifest(&format!("{name}.yaml"), &yaml)?;
    }
    let (code, said) = check(&home)?;
    assert_eq!(code, Some(1));
    for (name, _, _) in wrong_manifests() {
        assert!(said.contains(&format!("{name}.yaml")), "{name} is not in: {said}");
    }
    Ok(())
}

#[test]
fn check_accepts_good_manifests() -> Result<()> {
    let home = AgentHome::with_manifest(&[web(""), health_check("port", "tcp: {port: 80}\n")].join("---\n"))?;
    let (code, said) = check(&home)?;
    assert_eq!(code, Some(0), "{said}");
    Ok(())
}

#[test]
fn while_a_file_is_wrong_its_last_good_objects_stay_in_force_and_readyz_says_why() -> Result<()> {
    let duo = Duo::elected(&[web("")])?;
    let prober = duo.probe()?;
    let before = duo.a.router("web")?.transitions;
    for (name, yaml, _) in wrong_manifests() {
        duo.write_manifest("manifest.yaml", &yaml)?;
        let status =
            duo.a.wait_until(&format!("{name} is reported"), LONG, |status| !status.configuration_errors.is_empty())?;
        assert!(status.configuration_errors.iter().any(|error| error.contains("manifest.yaml")), "{name}: {status:?}");
        let ready = duo.a.agent()?.get(&duo.a.host, "/readyz")?;
        assert!(ready.status >= 500 && ready.body.contains("manifest.yaml"), "{name}: {ready:?}");
        assert_eq!(duo.a.agent()?.get(&duo.a.host, "/livez")?.status, 200, "{name}");
        duo.write_manifest("manifest.yaml", &web(""))?;
        duo.a.wait_until("the error is gone", LONG, |status| status.configuration_errors.is_empty())?;
        assert_eq!(duo.a.agent()?.get(&duo.a.host, "/readyz")?.status, 200, "{name}");
    }
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    assert!(duo.a.holds(VIP)?);
    Ok(())
}

#[test]
fn one_bad_file_does_not_stop_a_good_one() -> Result<()> {
    let mut duo = Duo::new(&[web("")])?;
    duo.a.home.write_manifest("bad.yaml", "kind: [VirtualIP\n")?;
    duo.a.start_as("MASTER")?;
    let errors = duo.a.status()?.configuration_errors;
    assert!(errors.iter().any(|error| error.contains("bad.yaml")), "{errors:?}");
    Ok(())
}

#[test]
fn a_vip_that_names_an_unknown_check_is_refused_and_the_others_run() -> Result<()> {
    let lost = virtual_ip("lost", "addresses: [10.77.0.101]\nhealthChecks: [{name: nowhere}]\n");
    let mut duo = Duo::new(&[web(""), lost])?;
    duo.a.start_as("MASTER")?;
    let errors = duo.a.status()?.configuration_errors;
    assert!(errors.iter().any(|error| error.contains("lost") && error.contains("nowhere")), "{errors:?}");
    assert!(!duo.a.holds([10, 77, 0, 101])?);
    Ok(())
}

#[test]
fn what_would_be_refused_after_a_change_leaves_the_address_where_it_is_and_readyz_says_why() -> Result<()> {
    // Nobody listens there: only the priorities are lower by one, on both nodes.
    let page = health_check("page", "tcp: {port: 8500}\nweight: -1\n");
    let with_page = web("healthChecks: [{name: page}]\n");
    let duo = Duo::elected(&[with_page.clone(), page.clone()])?;
    let prober = duo.probe()?;
    let before = duo.a.router("web")?.transitions;
    let newcomer = virtual_ip("api", "addresses: [10.77.0.100]\nvirtualRouterID: 52\n");
    let changes = [
        (
            "a typo in a reference",
            vec![web("healthChecks: [{name: pgae}]\n"), page.clone()],
            "VirtualIP/web: spec.healthChecks[0]",
        ),
        ("a check that is gone", vec![with_page.clone()], "VirtualIP/web: spec.healthChecks[0]"),
        (
            "an address that is taken",
            vec![newcomer, with_page.clone(), page.clone()],
            "VirtualIP/api: spec.addresses[0]",
        ),
        (
            "an ID that is taken",
            vec![virtual_ip("api", "addresses: [10.77.0.101]\nvirtualRouterID: 51\n"), with_page.clone(), page.clone()],
            "VirtualIP/api: spec.virtualRouterID",
        ),
        (
            "a member that does not exist",
            vec![with_page.clone(), page.clone(), group("all", "members: [web, api]\n")],
            "VirtualIPGroup/all: spec.members[1]",
        ),
    ];
    for (change, objects, expected) in changes {
        duo.write_manifest("manifest.yaml", &file(&objects))?;
        for member in [&duo.a, &duo.b] {
            let status = member
                .wait_until(&format!("{change} is reported"), LONG, |status| !status.configuration_errors.is_empty())?;
            assert!(status.configuration_errors[0].contains(expected), "{change}: {status:?}");
            let ready = member.agent()?.get(&member.host, "/readyz")?;
            assert!(ready.status == 503 && ready.body.contains(expected), "{change}: {ready:?}");
        }
        duo.write_manifest("manifest.yaml", &file(&[with_page.clone(), page.clone()]))?;
        for member in [&duo.a, &duo.b] {
            member.wait_until(&format!("{change} is mended"), LONG, |status| status.configuration_errors.is_empty())?;
            assert_eq!(member.agent()?.get(&member.host, "/readyz")?.status, 200, "{change}");
        }
    }
    let report = prober.stop()?;
    assert_eq!(report.lost(), 0, "{report}");
    let router = duo.a.router("web")?;
    assert_eq!((router.state.as_str(), router.transitions), ("MASTER", before));
    Ok(())
}

#[test]
fn a_missing_password_keeps_only_its_vip_from_running() -> Result<()> {
    let locked =
        virtual_ip("locked", "addresses: [10.77.0.101]\nprotocolVersion: 2\nauthentication: {passwordKey: absent}\n");
    let mut duo = Duo::new(&[web(""), locked])?;
    duo.a.start_as("MASTER")?;
    let errors = duo.a.status()?.configuration_errors;
    assert!(errors.iter().any(|error| error.contains("absent")), "{errors:?}");
    assert!(!duo.a.holds([10, 77, 0, 101])?);
    Ok(())
}

#[test]
fn wrong_arguments_are_explained() -> Result<()> {
    let host = Host::node("a", 1)?;
    let mut home = AgentHome::with_manifest(&web(""))?;
    home.add_argument("--no-such-option");
    let agent: Agent = home.start(&host)?;
    let exit = agent.process().wait(LONG)?;
    assert_eq!(exit.code(), Some(2));
    Ok(())
}
