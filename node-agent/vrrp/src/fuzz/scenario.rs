//! Any bytes as the decisions of a simulated scenario: whatever they choose, no rule is broken.

use crate::sim::Script;

/// Decisions, as many bytes each as they need (see [`crate::sim::Bytes`]).
///
/// # Panics
///
/// If a rule is broken: that is what a fuzzer looks for.
pub fn scenario(decisions: &[u8]) {
    let script = Script::of_bytes(decisions);
    let failure = script.failure();
    assert!(failure.is_none(), "{failure:?}\n{script}");
}
