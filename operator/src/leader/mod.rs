//! Who of several operators leads: the holder of a Lease, by the rules of client-go.
//!
//! | file | holds |
//! | --- | --- |
//! | `election.rs` | what to do by what was seen and when (pure) |
//! | `candidate.rs` | reads and writes the Lease |

mod candidate;
mod election;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Clock;

pub use self::candidate::{Candidate, Leadership, Lost};
pub use self::election::{Election, Record, Step};

/// How long a Lease is good for after its holder renewed it.
pub const LEASE_DURATION: Duration = Duration::from_secs(15);
/// A leader that could not renew its Lease for so long stops to lead, well before somebody else may begin.
pub const RENEW_DEADLINE: Duration = Duration::from_secs(10);
/// Between two attempts to get or renew the Lease.
pub const RETRY_PERIOD: Duration = Duration::from_secs(2);

/// Whether this process leads, as far as it can tell by itself: asked before each write.
#[derive(Clone, Debug)]
pub struct Tenure {
    clock: Clock,
    until: Arc<Mutex<Option<Duration>>>,
}

impl Tenure {
    /// Not yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, until: Arc::default() }
    }

    /// Whether the Lease was renewed recently enough.
    pub fn is_valid(&self) -> bool {
        let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| self.clock.now() < until)
    }

    fn set(&self, until: Option<Duration>) {
        *self.until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }
}
