//! The short form of `make chaos`: every kind of fault once, on a real Kubernetes, and then nothing is left of Holdfast. Alone in its
//! program, because a machine runs one cluster at a time.

use std::process::Command;

use anyhow::Result;

const CHAOS: &str = env!("CARGO_BIN_EXE_holdfast-chaos");

/// Whoever looks for the reason of a miss finds the records there.
const RECORDS: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/chaos");

#[test]
fn every_promise_of_the_short_form_is_kept() -> Result<()> {
    let status = Command::new(CHAOS).args(["--short", "--records", RECORDS]).status()?;
    assert!(status.success(), "a row missed its promises: see above, and its record in {RECORDS}");
    Ok(())
}
