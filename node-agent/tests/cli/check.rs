//! `holdfast-agent check`.

use std::fs;
use std::path::{Path, PathBuf};

use crate::support::{folder, run, text, virtual_ip};

/// What is wrong, the files, and how each line about them begins.
type Case<'a> = (&'a str, &'a [(&'a str, String)], &'a [&'a str]);

/// Checks a folder with these files; returns the exit code and every line that tells of a problem.
fn check(files: &[(&str, &str)]) -> (Option<i32>, Vec<String>) {
    let folder = folder(files);
    let said = run(&["check", text(folder.path())]);
    (said.code, said.stdout.lines().map(str::to_owned).collect())
}

#[test]
fn a_good_folder_is_told_in_one_line() {
    let files = folder(&[
        ("web.yaml", &virtual_ip("web", "addresses: [192.0.2.1], healthChecks: [{name: nginx}]")),
        (
            "checks.json",
            r#"{"apiVersion": "holdfast.dev/v1alpha1", "kind": "HealthCheck", "metadata": {"name": "nginx"},
                "spec": {"process": {"name": "nginx"}}}"#,
        ),
        ("readme.md", "not a manifest"),
    ]);
    let said = run(&["check", text(files.path())]);
    let expected = format!("{}: no problems in 2 objects of 2 files\n", files.path().display());
    assert_eq!((said.code, said.stdout, said.stderr), (Some(0), expected, String::new()));
}

#[test]
fn every_example_of_the_documentation_is_good() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/examples");
    let folders = fs::read_dir(&examples).expect("there are examples").map(|entry| entry.expect("readable").path());
    let folders: Vec<PathBuf> = folders.filter(|path| path.is_dir()).collect();
    assert_ne!(folders, [] as [PathBuf; 0]);
    for folder in folders {
        let said = run(&["check", text(&folder)]);
        assert_eq!(said.code, Some(0), "{}{}", said.stdout, said.stderr);
        assert!(said.stdout.contains("no problems in") && !said.stdout.contains(" 0 objects"), "{}", said.stdout);
    }
}

#[test]
fn numbers_out_of_range_are_told_with_their_range() {
    let cases = [
        ("virtualRouterID: 0", "spec.virtualRouterID: ", "1"),
        ("virtualRouterID: 256", "spec.virtualRouterID: ", "255"),
        ("priority: 0", "spec.priority: ", "1"),
        ("priority: 256", "spec.priority: ", "255"),
        ("advertisementInterval: 0s", "spec.advertisementInterval: ", "10ms"),
        ("protocolVersion: 4", "spec.protocolVersion: ", "2, 3"),
        ("healthChecks: [{name: nginx, weight: 254}]", "spec.healthChecks[0].weight: ", "253"),
    ];
    for (field, place, allowed) in cases {
        let (code, lines) = check(&[("a.yaml", &virtual_ip("web", &format!("addresses: [192.0.2.1], {field}")))]);
        assert_eq!(code, Some(1), "{field}");
        assert_eq!(lines.len(), 1, "{field}: {lines:#?}");
        let message = lines[0].strip_prefix(&format!("a.yaml: VirtualIP/web: {place}"));
        assert!(message.is_some_and(|message| message.contains(allowed)), "{field}: {}", lines[0]);
    }
}

#[test]
fn all_mistakes_are_told_at_once_each_with_file_object_field_and_what_is_allowed() {
    let (code, lines) = check(&[
        ("a.yaml", "spec: {addresses: [\n"),
        ("b.yaml", &virtual_ip("b", "addresses: [192.0.2.1], virtualRouterID: 256, colour: red")),
        ("c.yaml", &virtual_ip("c", "addresses: [192.0.2.2], advertisementInterval: 15ms")),
        ("d.yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\n"),
    ]);
    assert_eq!(code, Some(1));
    let expected: [&[&str]; 5] = [
        &["a.yaml: not YAML: ", "line 1, column 19"],
        &["b.yaml: VirtualIP/b: spec.colour: "],
        &["b.yaml: VirtualIP/b: spec.virtualRouterID: ", "255"],
        &["c.yaml: VirtualIP/c: spec.advertisementInterval: ", "steps of 10ms"],
        &["d.yaml: Deployment of apps/v1 ", "VirtualIP"],
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, parts) in lines.iter().zip(expected) {
        assert!(line.starts_with(parts[0]) && parts.iter().all(|part| line.contains(part)), "{parts:?}: {line}");
    }
}

#[test]
fn what_only_the_plan_can_see_is_told_too() {
    let group = "apiVersion: holdfast.dev/v1alpha1\nkind: VirtualIPGroup\nmetadata: {name: all}\n\
                 spec: {members: [one, nowhere]}\n";
    let cases: [Case<'_>; 5] = [
        (
            "an unknown health check",
            &[("one.yaml", virtual_ip("one", "addresses: [192.0.2.1], healthChecks: [{name: nginx}]"))],
            &["one.yaml: VirtualIP/one: spec.healthChecks[0]: there is no HealthCheck \"nginx\""],
        ),
        (
            "an address of two",
            &[
                ("one.yaml", virtual_ip("one", "addresses: [192.0.2.1]")),
                ("two.yaml", virtual_ip("two", "addresses: [192.0.2.1/24]")),
            ],
            &[
                "one.yaml: VirtualIP/one: spec.addresses[0]: VirtualIP \"two\" has 192.0.2.1 too",
                "two.yaml: VirtualIP/two: spec.addresses[0]: VirtualIP \"one\" has 192.0.2.1 too",
            ],
        ),
        (
            "a virtual router ID of two",
            &[
                ("one.yaml", virtual_ip("one", "addresses: [192.0.2.1], virtualRouterID: 7")),
                ("two.yaml", virtual_ip("two", "addresses: [192.0.2.2], virtualRouterID: 7")),
            ],
            &[
                "one.yaml: VirtualIP/one: spec.virtualRouterID: 7 is that of VirtualIP \"two\"",
                "two.yaml: VirtualIP/two: spec.virtualRouterID: 7 is that of VirtualIP \"one\"",
            ],
        ),
        (
            "a group with a member that is not there",
            &[("one.yaml", virtual_ip("one", "addresses: [192.0.2.1]")), ("group.yaml", group.to_owned())],
            &["group.yaml: VirtualIPGroup/all: spec.members[1]: VirtualIP \"nowhere\" does not exist"],
        ),
        (
            "a selector that selects no node",
            &[
                ("one.yaml", virtual_ip("one", "addresses: [192.0.2.1], nodeSelector: {matchLabels: {edge: \"yes\"}}")),
                ("nodes.yaml", "apiVersion: v1\nkind: Node\nmetadata: {name: a}\n".to_owned()),
            ],
            &["one.yaml: VirtualIP/one: spec.nodeSelector matches no node"],
        ),
    ];
    for (what, files, expected) in cases {
        let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let (code, lines) = check(&files);
        assert_eq!(code, Some(1), "{what}");
        assert_eq!(lines.len(), expected.len(), "{what}: {lines:#?}");
        for (line, beginning) in lines.iter().zip(expected) {
            assert!(line.starts_with(beginning), "{what}: {line}");
        }
    }
}

#[test]
fn an_object_belongs_into_one_place() {
    let web = virtual_ip("web", "addresses: [192.0.2.1]");
    let (code, lines) = check(&[("a.yaml", &web), ("b.yaml", &web)]);
    assert_eq!(code, Some(1));
    assert_eq!(lines, ["b.yaml: VirtualIP/web: is in a.yaml too: remove it from one of the files"]);

    let (code, lines) = check(&[("a.yaml", &format!("{web}---\n{web}"))]);
    assert_eq!(code, Some(1));
    assert_eq!(lines, ["a.yaml: VirtualIP/web: appears twice in this file: remove one"]);
}

#[test]
fn a_field_twice_is_a_mistake() {
    let (code, lines) = check(&[("a.yaml", &virtual_ip("web", "addresses: [192.0.2.1], addresses: [192.0.2.2]"))]);
    assert_eq!(code, Some(1));
    assert!(lines[0].starts_with("a.yaml: not YAML: ") && lines[0].contains("line 4"), "{lines:?}");
}

#[test]
fn what_cannot_be_read_is_told() {
    let missing = run(&["check", "/nonexistent/manifests"]);
    assert_eq!(missing.code, Some(1));
    assert_eq!(
        missing.stderr,
        "holdfast-agent: nothing was checked: cannot read the manifests in /nonexistent/manifests: No such file or \
         directory (os error 2)\n"
    );

    let files = folder(&[("latin1.yaml", "")]);
    fs::write(files.path().join("latin1.yaml"), b"# caf\xe9\n").expect("a file");
    std::os::unix::fs::symlink("nowhere", files.path().join("dangling.yaml")).expect("a link");
    nix::unistd::mkfifo(&files.path().join("pipe.yaml"), nix::sys::stat::Mode::S_IRUSR).expect("a pipe");
    let said = run(&["check", text(files.path())]);
    let lines: Vec<&str> = said.stdout.lines().collect();
    let expected = [
        "dangling.yaml: cannot be read: No such file or directory (os error 2)",
        "latin1.yaml: cannot be read: not text in UTF-8",
        "pipe.yaml: cannot be read: not a regular file",
    ];
    assert_eq!(lines, expected);
}
