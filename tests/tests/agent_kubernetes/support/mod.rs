//! What the tests here share.

pub(crate) mod objects;
pub(crate) mod scene;

use std::time::Duration;

pub(crate) use holdfast_tests::cluster::{gate, member};

/// For what happens soon, on a machine that is busy with other things.
pub(crate) const LONG: Duration = Duration::from_secs(30);
