//! A `VirtualIP` on one node: what is known of it there.
//!
//! A new master writes its name into the `VirtualIP` at once, and its whole NodeConfig status a moment later. So the newer of
//! both counts, by the clock of that node. What a silent agent said last is not known to be so any more.

use holdfast_crds::{RouterState, VirtualRouter, VirtualRouterStatus};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::index::{NodeView, Placement};

/// A `VirtualIP` on one node.
pub(super) struct Standing<'a> {
    pub(super) node: &'a NodeView<'a>,
    /// What the node must run of it. Empty: it need not, but still does.
    pub(super) planned: &'a [&'a VirtualRouter],
    /// What the node reports of it.
    pub(super) reported: Vec<&'a VirtualRouterStatus>,
    /// Whether it reports all that it must run.
    pub(super) is_complete: bool,
    /// The state as far as it is known.
    pub(super) state: RouterState,
    /// The state that was heard of last; none if none was.
    pub(super) last: Option<RouterState>,
    /// Since when it is in the state that was heard of last.
    pub(super) since: Option<&'a Time>,
    /// The virtual router that decides about the state, as reported.
    decisive: Option<&'a VirtualRouterStatus>,
    /// Whether it is master by its own claim, and has not reported it yet.
    pub(super) is_claimed: bool,
}

impl<'a> Standing<'a> {
    /// None if the node has nothing to do with the `VirtualIP` any more.
    ///
    /// `claim` is the time since which the node is master, if the `VirtualIP` says so.
    pub(super) fn of(placement: &'a Placement<'a>, node: &'a NodeView<'a>, claim: Option<&'a Time>) -> Option<Self> {
        let planned = placement.planned.as_slice();
        let reported: Vec<&VirtualRouterStatus> = if planned.is_empty() {
            placement.reported.clone()
        } else {
            let find = |router: &&VirtualRouter| placement.reported.iter().find(|found| found.name == router.name);
            planned.iter().filter_map(find).copied().collect()
        };
        let is_complete = !reported.is_empty() && reported.len() >= planned.len();
        let decisive = reported.iter().min_by_key(|router| strength(router.state)).copied();
        let mut last = decisive.map(|router| if is_complete { router.state } else { RouterState::Init });
        let mut since = latest(&reported, last);
        let is_claimed = claim.is_some_and(|claim| is_newer(claim, last, since));
        if is_claimed {
            last = Some(RouterState::Master);
            since = claim;
        }
        let is_heard = node.is_heard();
        // Of a silent node that need not run it, only that it may hold the addresses is of interest.
        if planned.is_empty() && !is_heard && last != Some(RouterState::Master) {
            return None;
        }
        let state = if is_heard { last.unwrap_or(RouterState::Init) } else { RouterState::Unknown };
        Some(Self { node, planned, reported, is_complete, state, last, since, decisive, is_claimed })
    }

    pub(super) fn is_planned(&self) -> bool {
        !self.planned.is_empty()
    }

    pub(super) fn was_master(&self) -> bool {
        self.last == Some(RouterState::Master)
    }

    /// The effective priority, if it is known now.
    pub(super) fn priority(&self) -> Option<u8> {
        if self.state == RouterState::Unknown { None } else { self.decisive?.priority }
    }

    /// The interface in use, or the one that is to be used.
    pub(super) fn interface(&self) -> Option<&'a str> {
        let used = self.decisive.and_then(|router| router.interface.as_deref());
        used.or_else(|| self.planned.first()?.interface.as_deref())
    }

    /// Why it is in its state, in the words of the agent. None while it has not reported that state.
    pub(super) fn reason(&self) -> Option<&'a str> {
        if self.is_claimed { None } else { self.decisive?.reason.as_deref() }
    }

    /// The same as one word.
    pub(super) fn reason_word(&self) -> Option<&'a str> {
        let reason = self.reason()?;
        reason.split(':').next().map(str::trim).filter(|word| !word.is_empty())
    }
}

/// Families move together; while they differ, the node does not hold all addresses.
fn strength(state: RouterState) -> u8 {
    match state {
        RouterState::Fault => 0,
        RouterState::Unknown | RouterState::Init => 1,
        RouterState::Backup => 2,
        RouterState::Master => 3,
    }
}

/// Since when the state holds: since the last family reached it.
fn latest<'a>(reported: &[&'a VirtualRouterStatus], state: Option<RouterState>) -> Option<&'a Time> {
    let decisive = reported.iter().filter(|router| Some(router.state) == state);
    decisive.filter_map(|router| router.since.as_ref()).max_by_key(|time| time.0)
}

/// Whether a claim is newer than the report. Times are whole seconds; one who has stepped down within the second of its claim
/// takes the claim back in a moment. One who has not started yet has left the claim behind in an earlier life.
fn is_newer(claim: &Time, reported: Option<RouterState>, since: Option<&Time>) -> bool {
    match reported {
        None => true,
        Some(RouterState::Master) => false,
        Some(_) => since.is_some_and(|since| claim.0 >= since.0),
    }
}
