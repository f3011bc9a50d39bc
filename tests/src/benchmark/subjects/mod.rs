//! What is measured, one subject a file.
//!
//! | file | measures |
//! | --- | --- |
//! | `moves` | a planned stop, preemption by the one that comes back, and the upgrade of both agents |
//! | `crash` | a node that is silent at once |
//! | `killed` | an agent that is killed while its node lives |
//! | `frozen` | an agent that does not run for a while, and what it says when it does again |
//! | `health_check` | the death of what a health check watches |
//! | `mass_failover` | a node with many VIPs crashes; what the kernel alone would take |
//! | `mass_release` | an agent with many VIPs is stopped |
//! | `steady` | processor time, memory and false transitions while nothing happens |
//! | `busy` | false transitions while others want the processors |
//! | `start` | from the start of a program to its first advert; from a changed manifest to the address |

mod busy;
mod crash;
mod frozen;
mod health_check;
mod killed;
mod mass_failover;
mod mass_release;
mod moves;
mod start;
mod steady;

use std::fmt;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use super::random::Random;
use super::row::Row;
use super::settings::Settings;

/// What can be measured alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Subject {
    /// Planned stop, preemption and upgrade.
    Moves,
    /// Node crash.
    Crash,
    /// Killed agent.
    Killed,
    /// Frozen agent.
    Frozen,
    /// Health check.
    HealthCheck,
    /// Mass failover.
    MassFailover,
    /// Mass release.
    MassRelease,
    /// Processor time, memory and false transitions.
    Steady,
    /// False transitions on a busy machine.
    Busy,
    /// Start and change.
    Start,
}

impl Subject {
    /// Measures it. Says on standard error what it is doing.
    pub(super) fn measure(self, settings: &Settings, random: &mut Random) -> Result<Vec<Row>> {
        match self {
            Self::Moves => moves::measure(settings, random),
            Self::Crash => crash::measure(settings, random),
            Self::Killed => killed::measure(settings, random),
            Self::Frozen => frozen::measure(settings, random),
            Self::HealthCheck => health_check::measure(settings, random),
            Self::MassFailover => mass_failover::measure(settings, random),
            Self::MassRelease => mass_release::measure(settings, random),
            Self::Steady => steady::measure(settings),
            Self::Busy => busy::measure(settings),
            Self::Start => start::measure(settings, random),
        }
    }
}

impl fmt::Display for Subject {
    /// As on the command line.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| out.write_str(value.get_name()))
    }
}

/// The interval of whatever is measured at one interval only.
const INTERVAL: Duration = Duration::from_millis(100);

/// What one probe resolves, on both sides of a gap.
const RESOLUTION: f64 = 2.0;

/// Until both programs have repeated the announcements of their takeover: both do it for 5 s by default.
const ANNOUNCED: Duration = Duration::from_millis(6_500);

/// Says what goes on.
pub(super) fn tell(what: fmt::Arguments<'_>) {
    eprintln!("  {what}");
}

macro_rules! say {
    ($($text:tt)*) => { crate::benchmark::subjects::tell(format_args!($($text)*)) };
}
use say;
