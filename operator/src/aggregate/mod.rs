//! What the nodes report, put together: one truth per object, as a pure function.
//!
//! ```text
//! VirtualIPs, HealthChecks, groups, plan ─┐
//! NodeConfigs (statuses), Nodes           ├─► aggregate() ─► status of each object, all but `master` and `masterSince`
//! heartbeats, drains, memory              ┘             └─► memory, and when to look again
//! ```
//!
//! No clock, no client: how fresh each node's report is comes in as a value, how long two nodes have been masters is
//! remembered, and the caller is told when to look again. The same input gives the same output, in whatever order its
//! objects come. Nobody wins by having written last: what nodes say is put side by side and judged.
//!
//! | file | decides |
//! | --- | --- |
//! | `observed.rs`, `memory.rs` | nothing: it is what comes in, and what is remembered |
//! | `index.rs` | what concerns which object, looked up once |
//! | `subject.rs` | which objects there are, and whether each is accepted |
//! | `standing.rs` | the state of a `VirtualIP` on one node |
//! | `mastership.rs` | who holds the addresses |
//! | `naming.rs` | whether the object names that node |
//! | `ready.rs`, `programmed.rs`, `degraded.rs` | the condition of that name |
//! | `nodes.rs`, `summary.rs` | the field of that name |
//! | `virtual_ip.rs`, `health_check.rs`, `group.rs` | the status of that kind |
//! | `equality.rs` | whether a status says anything new |
//! | `wording.rs` | nothing: it keeps messages short |

pub(crate) mod degraded;
mod equality;
mod group;
mod health_check;
mod index;
mod mastership;
mod memory;
mod naming;
mod nodes;
mod observed;
mod programmed;
mod ready;
mod standing;
mod subject;
mod summary;
mod virtual_ip;
pub(crate) mod wording;

use std::collections::BTreeMap;
use std::time::Duration;

use holdfast_crds::{HealthCheckStatus, VirtualIPGroupStatus, VirtualIPStatus};

pub use self::equality::{OwnStatus, equal_but_for_timestamps};
pub use self::memory::Memory;
pub use self::naming::Naming;
pub use self::observed::{Observed, Pulse, UnreadableObjects};

use self::index::Index;
use self::memory::{Election, Unread};
use self::subject::{Subject, subjects};
use self::virtual_ip::{Hold, VirtualIPSubject};

/// What comes of it: the statuses by the names of the objects.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Aggregate {
    /// Of the `VirtualIPs`, without what belongs to the agents: `master` and `masterSince`.
    pub virtual_ips: BTreeMap<String, VirtualIPStatus>,
    /// Of the `HealthChecks`.
    pub health_checks: BTreeMap<String, HealthCheckStatus>,
    /// Of the `VirtualIPGroups`.
    pub groups: BTreeMap<String, VirtualIPGroupStatus>,
    /// The masters that their `VirtualIPs` should name and do not, by the names of the `VirtualIPs`.
    pub namings: BTreeMap<String, Naming>,
    /// What is to be passed in the next time.
    pub memory: Memory,
    /// When to aggregate again even if nothing changes, on the monotonic clock; none: when something does.
    pub look_again: Option<Duration>,
}

/// Puts together what the nodes report.
pub fn aggregate(observed: &Observed<'_>, memory: &Memory) -> Aggregate {
    let index = Index::of(observed, memory);
    let mut result = Aggregate { look_again: index.look_again, ..Aggregate::default() };
    let holds = virtual_ips(observed, memory, &index, &mut result);
    health_checks(observed, memory, &index, &mut result);
    groups(observed, memory, &index, &holds, &mut result);
    result.memory.behind.clone_from(&index.behind);
    result.memory.silent = Some(index.silent.clone());
    result
}

fn virtual_ips<'a>(
    observed: &Observed<'a>,
    memory: &'a Memory,
    index: &'a Index<'a>,
    result: &mut Aggregate,
) -> BTreeMap<&'a str, Hold<'a>> {
    let wanted = virtual_ip::wanted_nodes(observed.virtual_ips, index);
    let subjects: Vec<VirtualIPSubject<'a>> =
        subjects(observed.virtual_ips, observed.unreadable.virtual_ips, &memory.unread.virtual_ips, |vip| {
            (&vip.metadata, vip.status.as_ref())
        });
    let mut holds = BTreeMap::new();
    for subject in &subjects {
        let wanted = index.group_of(subject.name).and_then(|group| wanted.get(group).copied());
        let earlier = memory.elections.get(subject.name);
        let time = (observed.monotonic, observed.now);
        let Some(outcome) = virtual_ip::virtual_ip(subject, index, observed.plan, wanted, earlier, time) else {
            continue;
        };
        holds.insert(subject.name, outcome.hold);
        let look_again = [result.look_again, outcome.judgement.look_again, outcome.finding.look_again];
        result.look_again = look_again.into_iter().flatten().min();
        let unnamed = outcome.finding.unnamed;
        let election = Election { unnamed, ..outcome.judgement.election };
        result.memory.elections.insert(subject.name.to_owned(), election);
        result.namings.extend(outcome.finding.naming.map(|naming| (subject.name.to_owned(), naming)));
        keep(subject, outcome.status, &mut result.virtual_ips, &mut result.memory.unread.virtual_ips);
    }
    holds
}

fn health_checks<'a>(observed: &Observed<'a>, memory: &'a Memory, index: &Index<'_>, result: &mut Aggregate) {
    let Unread { health_checks: unread, .. } = &memory.unread;
    let subjects = subjects(observed.health_checks, observed.unreadable.health_checks, unread, |check| {
        (&check.metadata, check.status.as_ref())
    });
    for subject in &subjects {
        if let Some(status) = health_check::health_check(subject, index, observed.plan, observed.now) {
            keep(subject, status, &mut result.health_checks, &mut result.memory.unread.health_checks);
        }
    }
}

fn groups<'a>(
    observed: &Observed<'a>,
    memory: &'a Memory,
    index: &Index<'_>,
    holds: &BTreeMap<&str, Hold<'_>>,
    result: &mut Aggregate,
) {
    let Unread { groups: unread, .. } = &memory.unread;
    let subjects =
        subjects(observed.groups, observed.unreadable.groups, unread, |group| (&group.metadata, group.status.as_ref()));
    for subject in &subjects {
        if let Some(status) = group::group(subject, index, holds, observed.plan, observed.now) {
            keep(subject, status, &mut result.groups, &mut result.memory.unread.groups);
        }
    }
}

/// Of an object that was never read, the status must be remembered: else its conditions would change all the time.
fn keep<K, S: Clone>(
    subject: &Subject<'_, K, S>,
    status: S,
    statuses: &mut BTreeMap<String, S>,
    unread: &mut BTreeMap<String, S>,
) {
    if subject.object.is_none() {
        unread.insert(subject.name.to_owned(), status.clone());
    }
    statuses.insert(subject.name.to_owned(), status);
}
