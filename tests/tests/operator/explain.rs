//! What `kubectl explain` says of the fields.

use anyhow::{Result, ensure};
use holdfast_tests::cluster::wait;

use crate::support::{SHORT, Stage};

/// The fields that an explanation lists without a word about them.
fn without_a_word(explanation: &str) -> Vec<&str> {
    let is_field = |line: &str| line.starts_with("  ") && !line.starts_with("   ") && line.contains('\t');
    let is_silent = |next: &str| next.trim().is_empty() || next.contains("<no description>");
    let pairs = explanation.lines().zip(explanation.lines().skip(1));
    pairs.filter(|(line, next)| is_field(line) && is_silent(next)).map(|(line, _)| line).collect()
}

#[test]
fn a_field_without_a_description_is_found() {
    let explanation = "FIELDS:\n  a\t<string>\n    Says what it is.\n\n  b\t<string>\n    <no description>\n";
    assert_eq!(without_a_word(explanation), ["  b\t<string>"]);
}

#[tokio::test]
async fn kubectl_explains_every_field_that_users_write_and_read() -> Result<()> {
    let stage = Stage::new().await?;
    for field in [
        "virtualip.spec",
        "virtualip.spec.healthChecks",
        "virtualip.spec.preemption",
        "virtualip.status",
        "virtualip.status.nodes",
        "healthcheck.spec",
        "healthcheck.spec.http",
        "virtualipgroup.spec",
        "nodeconfig.spec.virtualRouters",
    ] {
        // The API server publishes new kinds a moment after it serves them.
        let explanation = wait::repeatedly(&format!("{field} is known"), SHORT, async || {
            let output = stage.server.kubectl()?.args(["explain", field]).output()?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Ok(String::from_utf8(output.stdout)?)
        })
        .await?;
        assert!(explanation.contains("FIELDS:"), "{explanation}");
        assert!(!explanation.contains("DESCRIPTION:\n    <empty>"), "{field}: {explanation}");
        assert_eq!(without_a_word(&explanation), [""; 0], "{field}");
    }
    Ok(())
}
