//! `holdfast-agent completion`.

use crate::support::run;

#[test]
fn every_shell_learns_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let said = run(&["completion", shell]);
        assert_eq!(said.code, Some(0), "{shell}: {}", said.stderr);
        for word in ["holdfast-agent", "check", "status", "node-name"] {
            assert!(said.stdout.contains(word), "{word} is not in the script for {shell}");
        }
    }
}

#[test]
fn an_unknown_shell_is_refused_with_the_known_ones() {
    let said = run(&["completion", "tcsh"]);
    assert_eq!(said.code, Some(2));
    assert!(said.stderr.contains("bash"), "{}", said.stderr);
}
