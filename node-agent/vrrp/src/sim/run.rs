//! Playing scenarios: one of a seed, one of a script, one of bytes.

use super::chooser::{Bytes, Seeds};
use super::instance::Failure;
use super::log::Log;
use super::mutant::Mutant;
use super::script::Script;
use super::world::{Outcome, World};

impl Script {
    /// The scenario of a seed.
    pub fn of_seed(seed: u64) -> Self {
        Self::generate(&mut Seeds::new(seed))
    }

    /// The scenario that these bytes choose.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::generate(&mut Bytes::new(bytes))
    }

    /// Plays the scenario.
    pub fn play(&self) -> Outcome {
        self.play_with(None, Log::default())
    }

    /// Plays the scenario with a mistake planted, and keeps a log.
    pub fn play_with(&self, mutant: Option<Mutant>, log: Log) -> Outcome {
        match World::new(self.clone(), mutant, log) {
            Ok(world) => world.run(),
            Err(error) => Outcome::impossible(&error),
        }
    }

    /// What goes wrong in the scenario, if anything does.
    pub fn failure(&self) -> Option<Failure> {
        self.play().failure
    }
}
