//! Whether a `VirtualIP` names the node that is its master.
//!
//! A new master writes its name itself, at once. But what it has written can be lost without its notice: of two masters that
//! did not hear each other the one whose name stood there has left and taken it along; somebody has edited it by hand; the
//! agent fell silent in between. Whoever reads the API would never be told again. So what is missing for too long is written
//! in the agent's name.

use std::time::Duration;

use holdfast_crds::{RouterState, VirtualIP, VirtualIPStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::mastership::Mastership;
use super::memory::Unnamed;
use super::standing::Standing;
use super::subject::Subject;

/// How long the agent has to write it: longer than the writes of hundreds that move together take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A master that its `VirtualIP` should name.
#[derive(Clone, Debug, PartialEq)]
pub struct Naming {
    /// The node.
    pub node: String,
    /// Since when it is master, by its own report.
    pub since: Option<Time>,
}

/// What is found out.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Finding {
    /// What is to be written now.
    pub(super) naming: Option<Naming>,
    /// What there is to remember.
    pub(super) unnamed: Option<Unnamed>,
    /// When to look again.
    pub(super) look_again: Option<Duration>,
}

/// Compares what the `VirtualIP` says with what the nodes do.
pub(super) fn judge(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    mastership: &Mastership<'_>,
    standings: &[Standing<'_>],
    earlier: Option<&Unnamed>,
    now: Duration,
) -> Finding {
    let Some(master) = unnamed_master(subject, mastership, standings) else { return Finding::default() };
    let name = master.node.name;
    let since = earlier.filter(|earlier| earlier.node == name).map_or(now, |earlier| earlier.since);
    let due = since + PATIENCE;
    let naming = (due <= now).then(|| Naming { node: name.to_owned(), since: master.since.cloned() });
    let unnamed = Some(Unnamed { node: name.to_owned(), since });
    Finding { naming, unnamed, look_again: (now < due).then_some(due) }
}

/// The node that says that it is master, alone, and is not named.
fn unnamed_master<'s, 'a>(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    mastership: &Mastership<'_>,
    standings: &'s [Standing<'a>],
) -> Option<&'s Standing<'a>> {
    let Mastership::Held(place) = mastership else { return None };
    let master = standings.get(*place).filter(|standing| standing.state == RouterState::Master)?;
    let named = subject.before.and_then(|status| status.master.as_deref());
    (named != Some(master.node.name)).then_some(master)
}
