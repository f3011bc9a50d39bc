//! `holdfast-agent run`, as far as it gets without touching the network.

use std::net::TcpListener;

use holdfast_node_agent::state_dir::StateDir;

use crate::support::{agent, end_of, folder, run, text};

#[test]
fn a_second_agent_with_one_state_folder_refuses_to_start() {
    let (manifests, state) = (folder(&[]), folder(&[]));
    let _first = StateDir::open(state.path()).expect("the first");
    let state = text(state.path());
    let said =
        run(&["run", "--manifests", text(manifests.path()), "--node-name", "a", "--state-dir", state, "--http", "off"]);
    assert_eq!(said.code, Some(1));
    let expected = format!("holdfast-agent: another agent runs with the state folder {state}: ");
    assert!(said.stderr.starts_with(&expected) && said.stderr.contains("--state-dir"), "{}", said.stderr);
}

#[test]
fn a_state_folder_that_cannot_be_made_is_named() {
    let (manifests, state) = (folder(&[]), folder(&[("file", "")]));
    let below = state.path().join("file/state");
    let said = run(&["run", "--manifests", text(manifests.path()), "--node-name", "a", "--state-dir", text(&below)]);
    assert_eq!(said.code, Some(1));
    assert!(said.stderr.starts_with("holdfast-agent: cannot make the state folder "), "{}", said.stderr);
    assert!(said.stderr.contains(text(&below)), "{}", said.stderr);
}

#[test]
fn a_taken_port_is_named_with_the_way_out() {
    let (manifests, state) = (folder(&[]), folder(&[]));
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let said = run(&[
        "run",
        "--manifests",
        text(manifests.path()),
        "--node-name",
        "a",
        "--state-dir",
        text(state.path()),
        "--http",
        &address,
    ]);
    assert_eq!(said.code, Some(1));
    let expected = format!("holdfast-agent: cannot listen on {address} for HTTP: ");
    assert!(said.stderr.starts_with(&expected) && said.stderr.contains("--http"), "{}", said.stderr);
}

#[test]
fn wrong_options_are_explained() {
    let cases: [(&[&str], &str); 7] = [
        (&["run", "--manifests", "m"], "--node-name"),
        (&["run", "--manifests", "m", "--node-name", "a", "--realtime=maybe"], "auto, on, off"),
        (&["run", "--manifests", "m", "--node-name", ""], "--node-name"),
        (&["run", "--manifests", "m", "--node-name", "a", "--node-label", "zone"], "write KEY=VALUE"),
        (&["run", "--manifests", "m", "--node-name", "a", "--http", "localhost"], "127.0.0.1:9112"),
        (&["run", "--manifests", "m", "--node-name", "a", "--log-format", "xml"], "json"),
        (&["start"], "unrecognized subcommand"),
    ];
    for (arguments, expected) in cases {
        let said = run(arguments);
        assert_eq!(said.code, Some(2), "{arguments:?}");
        assert!(said.stderr.contains(expected), "{arguments:?}: {expected} is not in {}", said.stderr);
    }
}

#[test]
fn options_may_come_from_the_environment() {
    let (manifests, state) = (folder(&[]), folder(&[]));
    let _first = StateDir::open(state.path()).expect("the first");
    let said = end_of(
        agent()
            .arg("run")
            .env("HOLDFAST_MANIFESTS", manifests.path())
            .env("HOLDFAST_NODE_NAME", "a")
            .env("HOLDFAST_NODE_LABELS", "zone=east,edge=yes")
            .env("HOLDFAST_STATE_DIR", state.path())
            .env("HOLDFAST_HTTP", "off"),
    );
    assert!(said.stderr.contains(text(state.path())), "it came as far as the state folder: {}", said.stderr);
}

#[test]
fn help_and_version_are_there() {
    let version = run(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("holdfast-agent {}\n", env!("CARGO_PKG_VERSION"))));
    let help = run(&["run", "--help"]).stdout;
    for option in [
        "--manifests",
        "--node-name",
        "--node-label",
        "--state-dir",
        "--http",
        "--auth-dir",
        "--command-dir",
        "--log-format",
    ] {
        assert!(help.contains(option), "{option} is not in\n{help}");
    }
}
