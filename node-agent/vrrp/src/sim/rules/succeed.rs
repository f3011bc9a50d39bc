//! A referee for a group that is made of the members of others: it remembers of each member what its former referee did.

use super::addresses::Handover;
use super::adverts::AdvertSchedule;
use super::announcements::AnnouncementBudget;
use super::facts::Facts;
use super::patience::Patience;
use super::tie::Ties;
use super::{Referee, Situation};
use crate::config::GroupConfig;
use crate::event::MemberIndex;
use crate::tracking::TrackState;

/// Where a member comes from: the referee of its former group and its place there.
pub(in crate::sim) type Origin<'a> = Option<(&'a Referee, MemberIndex)>;

/// What each member of a new group had been remembered as; anew where it is new.
pub(super) fn collect<T: Clone + Default>(
    origins: &[Origin<'_>],
    of: impl for<'a> Fn(&'a Referee) -> &'a [T],
) -> Vec<T> {
    let one = |origin: &Origin<'_>| {
        let (referee, member) = (*origin)?;
        of(referee).get(usize::from(member.0)).cloned()
    };
    origins.iter().map(|origin| one(origin).unwrap_or_default()).collect()
}

/// The former groups; the same one once for each of its members.
pub(super) fn former<'a>(origins: &[Origin<'a>]) -> impl Iterator<Item = &'a Referee> {
    origins.iter().flatten().map(|(referee, _)| *referee)
}

/// The only former group, if there is but one.
pub(super) fn only<'a>(origins: &[Origin<'a>]) -> Option<&'a Referee> {
    let first = former(origins).next()?;
    former(origins).all(|referee| std::ptr::eq(referee, first)).then_some(first)
}

impl Referee {
    /// Judges a group of this configuration from now on.
    pub(in crate::sim) fn succeed(config: &GroupConfig, tracked: &[TrackState], origins: &[Origin<'_>]) -> Self {
        Self {
            facts: facts(config, tracked, origins),
            patience: Patience::succeed(origins),
            adverts: AdvertSchedule::succeed(origins),
            announcements: AnnouncementBudget::succeed(origins),
            handover: Handover::succeed(origins),
            ties: Ties::succeed(origins),
        }
    }
}

/// The members are what they were configured to be until the group handles its new configuration.
fn facts(config: &GroupConfig, tracked: &[TrackState], origins: &[Origin<'_>]) -> Facts {
    let mut facts = Facts::new(config.clone(), tracked);
    let Some(first) = former(origins).next() else { return facts };
    let former_config = |origin: &Origin<'_>| {
        let (referee, member) = (*origin)?;
        referee.facts.config.members().get(usize::from(member.0)).cloned()
    };
    let members = origins.iter().map(former_config).zip(config.members());
    let members = members.map(|(former, new)| former.unwrap_or_else(|| new.clone()));
    facts.config = first.facts.config.with_members(members.collect());
    facts.tracked.clone_from(&first.facts.tracked);
    facts.members = collect(origins, |referee| &referee.facts.members);
    facts.situation = common(origins);
    facts.refused = only(origins).and_then(|referee| referee.facts.refused);
    facts
}

/// What the members have in common: the group is master if any is, which it cannot stay unless all are.
fn common(origins: &[Origin<'_>]) -> Situation {
    let situations: Vec<Situation> = former(origins).map(|referee| referee.facts.situation).collect();
    if situations.contains(&Situation::Master) {
        return Situation::Master;
    }
    let common = |situation: &Situation| situations.iter().all(|other| other == situation);
    [Situation::Backup, Situation::Fault].into_iter().find(common).unwrap_or(Situation::Pending)
}
