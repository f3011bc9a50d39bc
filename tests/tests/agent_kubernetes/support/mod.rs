//! What the tests here share.

pub(crate) mod gate;
pub(crate) mod member;
pub(crate) mod objects;

use std::time::Duration;

/// For what happens soon, on a machine that is busy with other things.
pub(crate) const LONG: Duration = Duration::from_secs(30);
