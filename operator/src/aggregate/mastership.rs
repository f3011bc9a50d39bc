//! Who holds the addresses.
//!
//! When a node dies, its last report still says MASTER, and the next master says so too. When addresses move, both may say
//! so for a moment. In a split brain both say so and mean it. The three differ in what comes after: so for as long as an
//! election takes the newer master is believed, and afterwards both are, if both are still alive and still say so.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use holdfast_crds::condition::{ConditionReason, ConditionType, ReadyReason, find_condition};
use holdfast_crds::{DurationString, ExternalPeer, RouterState, VirtualIP, VirtualIPSpec, VirtualIPStatus};

use super::memory::{Claim, Election};
use super::standing::Standing;
use super::subject::Subject;

/// How long a state may take from the agent to the operator.
const REPORT_LATENCY: Duration = Duration::from_secs(2);

/// How often to look whether one who claims to be master is alive.
const LOOK: Duration = Duration::from_secs(1);

/// Who holds the addresses. Nodes are places in the list of standings.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mastership<'a> {
    /// One node does.
    Held(usize),
    /// A router outside the cluster does.
    External(&'a ExternalPeer),
    /// Several nodes do.
    SplitBrain(Vec<usize>),
    /// This node did when it was last heard of, and no other node does.
    Stale(usize),
    /// Nobody does.
    Vacant,
}

/// Who holds the addresses, and what follows for the next time.
pub(super) struct Judgement<'a> {
    pub(super) mastership: Mastership<'a>,
    /// Whether the addresses are just moving: who held them before has not said yet what it is now.
    pub(super) in_transit: bool,
    pub(super) election: Election,
    pub(super) look_again: Option<Duration>,
}

/// Judges who holds the addresses. Who was master and is so no longer becomes UNKNOWN until it says what it is.
pub(super) fn judge<'a>(
    subject: &Subject<'a, VirtualIP, VirtualIPStatus>,
    standings: &mut [Standing<'_>],
    earlier: Option<&Election>,
    now: Duration,
) -> Judgement<'a> {
    let earlier = earlier.filter(|election| election.uid.as_deref() == subject.uid);
    let contest = Contest::of(subject, standings, earlier, now);
    let mut in_transit = false;
    let mut look_again = None;
    let mastership = match contest.claimants.as_slice() {
        [] => without_claim(subject, standings),
        [only] => Mastership::Held(*only),
        _ if contest.is_split => Mastership::SplitBrain(contest.claimants.clone()),
        [first, ..] => {
            in_transit = now < contest.decided_at;
            look_again = Some(if in_transit { contest.decided_at } else { now + LOOK });
            let master = contest.most_credible(standings).unwrap_or(*first);
            for place in contest.claimants.iter().filter(|place| **place != master) {
                if let Some(standing) = standings.get_mut(*place) {
                    standing.state = RouterState::Unknown;
                }
            }
            Mastership::Held(master)
        }
    };
    let election = remember(subject, standings, earlier, contest, &mastership);
    Judgement { mastership, in_transit, election, look_again }
}

/// The nodes that claim to be master.
struct Contest<'s> {
    /// By name, as places in the list of standings.
    claimants: Vec<usize>,
    claims: BTreeMap<String, Claim>,
    /// When the claims of two will have lasted as long as an election takes.
    decided_at: Duration,
    now: Duration,
    /// The status before.
    before: Option<&'s VirtualIPStatus>,
    /// Whether nothing is remembered, so that the status is all there is to go by.
    is_first_look: bool,
    is_split: bool,
}

impl<'s> Contest<'s> {
    fn of(
        subject: &Subject<'s, VirtualIP, VirtualIPStatus>,
        standings: &[Standing<'_>],
        earlier: Option<&Election>,
        now: Duration,
    ) -> Self {
        let is_master = |place: &usize| standings.get(*place).is_some_and(|one| one.state == RouterState::Master);
        let claimants: Vec<usize> = (0..standings.len()).filter(is_master).collect();
        let patience = patience(subject, standings);
        let ripe = |name: &str| match earlier {
            Some(election) => election.claims.get(name).map_or(now + patience, |claim| claim.ripe),
            // What the status says already is not new.
            None if published(subject.before, name).is_some() => now,
            None => now + patience,
        };
        let masters = || claimants.iter().filter_map(|place| standings.get(*place)).map(|standing| standing.node);
        let mut times: Vec<Duration> = masters().map(|node| ripe(node.name)).collect();
        times.sort_unstable();
        let decided_at = times.get(1).copied().unwrap_or(Duration::MAX);
        let heard = |name: &str, renewed: Option<Duration>| {
            let before = earlier.and_then(|election| election.claims.get(name)?.heard);
            before.or(renewed).filter(|heard| *heard > decided_at)
        };
        let claims = masters().map(|node| {
            let claim = Claim { ripe: ripe(node.name), heard: heard(node.name, node.pulse.renewed) };
            (node.name.to_owned(), claim)
        });
        let claims: BTreeMap<String, Claim> = claims.collect();
        let was_split =
            earlier.map_or_else(|| is_ready_reason(subject.before, ReadyReason::SplitBrain), |it| it.split_brain);
        let alive = claims.values().filter(|claim| is_confirmed(claim, now)).count();
        Self {
            is_split: claimants.len() > 1 && (was_split || alive > 1),
            claimants,
            claims,
            decided_at,
            now,
            before: subject.before,
            is_first_look: earlier.is_none(),
        }
    }

    /// Who is surely alive, then who is named in the `VirtualIP`, then who came last. Another operator may have known more.
    fn most_credible(&self, standings: &[Standing<'_>]) -> Option<usize> {
        let named = self.before.and_then(|status| status.master.as_deref());
        let credibility = |place: &usize| {
            let name = standings.get(*place).map(|standing| standing.node.name)?;
            let claim = self.claims.get(name)?;
            let known = published(self.before, name).filter(|_| self.is_first_look);
            let was_superseded = known == Some(RouterState::Unknown);
            let was_master = known == Some(RouterState::Master);
            let is_named = named == Some(name);
            Some((
                is_confirmed(claim, self.now),
                is_named && !was_superseded,
                was_master,
                is_named,
                claim.ripe,
                std::cmp::Reverse(*place),
            ))
        };
        self.claimants.iter().copied().max_by_key(credibility)
    }
}

/// Whether a node was heard of after the election must have been over, and has had the time to say that it lost. Without that
/// it may have died before, and its claim is only what it said last.
fn is_confirmed(claim: &Claim, now: Duration) -> bool {
    claim.heard.is_some_and(|heard| heard + REPORT_LATENCY <= now)
}

/// How long two may claim to be master until it is more than a change of masters: the time until a backup takes over (RFC
/// 9568, section 6.1: three intervals and a skew of up to one), and until everybody has told.
fn patience(subject: &Subject<'_, VirtualIP, VirtualIPStatus>, standings: &[Standing<'_>]) -> Duration {
    let planned = standings.iter().filter_map(|standing| standing.planned.first());
    let interval = planned.map(|router| router.advertisement_interval).max();
    let interval = interval.or_else(|| subject.object.map(|vip| vip.spec.interval()));
    interval.map_or(Duration::ZERO, DurationString::as_duration) * 4 + REPORT_LATENCY
}

/// Nobody in the cluster claims to be master.
fn without_claim<'a>(subject: &Subject<'a, VirtualIP, VirtualIPStatus>, standings: &[Standing<'_>]) -> Mastership<'a> {
    if let Some(peer) = subject.object.and_then(|vip| external_master(&vip.spec, standings)) {
        return Mastership::External(peer);
    }
    let named = subject.before.and_then(|status| status.master.as_deref());
    let lost = standings.iter().enumerate().filter(|(_, standing)| !standing.node.is_heard() && standing.was_master());
    let best = lost.min_by_key(|(place, standing)| (Some(standing.node.name) != named, *place));
    best.map_or(Mastership::Vacant, |(place, _)| Mastership::Stale(place))
}

/// The external peer that a backup hears as master.
fn external_master<'a>(spec: &'a VirtualIPSpec, standings: &[Standing<'_>]) -> Option<&'a ExternalPeer> {
    if spec.external_peers.is_empty() {
        return None;
    }
    let heard = masters_heard(standings);
    spec.external_peers.iter().find(|peer| peer.address.parse().is_ok_and(|address| heard.contains(&address)))
}

/// The addresses of the masters that backups hear.
fn masters_heard(standings: &[Standing<'_>]) -> Vec<IpAddr> {
    let backups = standings.iter().filter(|standing| standing.state == RouterState::Backup);
    let addresses = backups.flat_map(|standing| &standing.reported).filter_map(|router| router.master_address.as_ref());
    addresses.filter_map(|address| address.parse().ok()).collect()
}

/// What there is to remember.
fn remember(
    subject: &Subject<'_, VirtualIP, VirtualIPStatus>,
    standings: &[Standing<'_>],
    earlier: Option<&Election>,
    contest: Contest<'_>,
    mastership: &Mastership<'_>,
) -> Election {
    let master = match mastership {
        Mastership::Held(place) | Mastership::Stale(place) => standings.get(*place).map(|standing| standing.node.name),
        Mastership::External(_) | Mastership::SplitBrain(_) | Mastership::Vacant => None,
    };
    let published_count = subject.before.and_then(|status| status.transitions).unwrap_or_default();
    let (before, count) = match earlier {
        Some(election) => (election.master.as_deref(), election.transitions.max(published_count)),
        None => (master.filter(|name| was_counted(subject.before, name)), published_count),
    };
    let (master, transitions) = match mastership {
        Mastership::Held(_) if master != before => (master, count.saturating_add(1)),
        Mastership::Held(_) => (master, count),
        // Nothing has changed that anybody knows of.
        Mastership::Stale(_) => (before.or(master), count),
        Mastership::SplitBrain(_) => (before, count),
        Mastership::External(_) | Mastership::Vacant => (None, count),
    };
    Election {
        uid: subject.uid.map(str::to_owned),
        claims: contest.claims,
        split_brain: contest.is_split,
        master: master.map(str::to_owned),
        transitions,
        unnamed: None,
    }
}

/// Whether the status counts this node as master already. Of a master that was silent then, the status only says that it is
/// not known.
fn was_counted(status: Option<&VirtualIPStatus>, name: &str) -> bool {
    match published(status, name) {
        Some(RouterState::Master) => true,
        Some(RouterState::Unknown) => is_ready_reason(status, ReadyReason::Stale),
        _ => false,
    }
}

/// The state of a node that may be master, as the status has it.
fn published(status: Option<&VirtualIPStatus>, name: &str) -> Option<RouterState> {
    let node = status?.nodes.iter().find(|node| node.name == name)?;
    matches!(node.state, RouterState::Master | RouterState::Unknown).then_some(node.state)
}

fn is_ready_reason(status: Option<&VirtualIPStatus>, reason: ReadyReason) -> bool {
    let condition = status.and_then(|status| find_condition(&status.conditions, ConditionType::Ready));
    condition.is_some_and(|condition| condition.reason == reason.as_str())
}
