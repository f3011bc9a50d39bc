//! What the fence relies on: a master whose agent is dead or stuck was heard last when it advertised last.
//!
//! The kernel of such a node answers for its addresses for a while after the last advert. When a backup takes over because of the
//! silence, strict fencing must have ended that while already, and overlapping fencing must not have. Nothing here changes what
//! happens: both are judged in every run.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use super::clock::Time;
use super::probe::{Probe, Sight};
use super::rules::Rule;
use super::setup::NodeIndex;
use super::step::RouterPlace;
use super::world::World;
use crate::action::{Reason, State};
use crate::config::MemberConfig;
use crate::event::MemberIndex;
use crate::types::Family;

/// What was sent last of a virtual router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LastAdvert {
    /// When.
    pub(super) at: Time,
    /// The interval that it announced.
    pub(super) interval: Duration,
}

/// What has to be remembered from one moment to the next.
#[derive(Clone, Debug)]
pub(super) struct Fences {
    /// Whom the backups follow.
    followed: BTreeMap<(NodeIndex, RouterPlace), IpAddr>,
    /// When the agent of each node was last asleep.
    asleep: Vec<Time>,
    /// When anything kept packets from arriving in time.
    disturbed: Time,
    overflows: u64,
}

/// A backup that has just taken over from a silent master.
struct Takeover {
    successor: NodeIndex,
    router: RouterPlace,
    /// Of the whole group: it waits for the member that was heard last.
    group: Vec<RouterPlace>,
    master: IpAddr,
    family: Family,
    addresses: Vec<IpAddr>,
}

impl Fences {
    pub(super) fn new(nodes: usize) -> Self {
        Self { followed: BTreeMap::new(), asleep: vec![Time::ZERO; nodes], disturbed: Time::ZERO, overflows: 0 }
    }

    /// What was on its way has not arrived, or the network is another one.
    pub(super) fn disturb(&mut self, now: Time) {
        self.disturbed = now;
    }
}

impl World {
    pub(super) fn watch_fences(&mut self) {
        self.watch_disturbances();
        let takeovers = self.watch_backups();
        for takeover in takeovers {
            self.judge_fence(&takeover);
        }
    }

    fn watch_disturbances(&mut self) {
        let overflows = self.nodes.iter().map(|node| node.kernel.overflows).sum();
        let works = self.nodes.iter().all(|node| node.kernel.works());
        if !works || !self.network.is_clean_everywhere() || overflows != self.fences.overflows {
            self.fences.disturbed = self.now;
            self.fences.overflows = overflows;
        }
        for (node, asleep) in self.nodes.iter().zip(&mut self.fences.asleep) {
            if !node.is_awake() {
                *asleep = self.now;
            }
        }
    }

    /// Notes whom every backup follows, and finds those that are none any more.
    fn watch_backups(&mut self) -> Vec<Takeover> {
        let before = std::mem::take(&mut self.fences.followed);
        let mut takeovers = Vec::new();
        for (successor, node) in self.nodes.iter().enumerate() {
            for instance in node.process.iter().flat_map(|process| process.instances.values()) {
                let group = instance.group();
                let place = |number: &u8| RouterPlace { election: instance.election(), member: *number };
                let places: Vec<RouterPlace> = instance.numbers().iter().map(place).collect();
                for ((index, number), config) in (0..).zip(instance.numbers()).zip(instance.facts().config.members()) {
                    let router = place(number);
                    if let Some(followed) =
                        group.followed(MemberIndex(index)).filter(|_| group.state() == State::Backup)
                    {
                        self.fences.followed.insert((successor, router), followed.address);
                    } else if let Some(master) = before.get(&(successor, router)).copied()
                        && (group.state(), group.reason()) == (State::Master, Reason::MasterSilent)
                        && places.iter().all(|other| before.get(&(successor, *other)) == Some(&master))
                    {
                        takeovers.push(takeover(successor, (router, places.clone()), master, config));
                    }
                }
            }
        }
        takeovers
    }

    fn judge_fence(&mut self, takeover: &Takeover) {
        let Some((old, advert)) = self.silent_holder(takeover) else { return };
        let lasted = self.now.since(advert.at);
        let recently = |moment: Time| moment != Time::ZERO && self.now.since(moment) <= lasted + advert.interval;
        // Who has just woken up may have been master, too, and says so to some and not to others.
        let mut awake = self.nodes.iter().zip(&self.fences.asleep).filter(|(node, _)| node.is_awake());
        if recently(self.fences.disturbed) || awake.any(|(_, asleep)| recently(*asleep)) {
            return;
        }
        self.record.probes.note(Probe::Saw(Sight::Fenced));
        let way = self.network.longest_delay().max(self.script.setup.quality.longest_delay());
        let late = way + self.driver.setup.lateness + advert.interval / 100;
        let (strict, overlap) = (advert.interval * 5 / 2, advert.interval * 4 + late);
        let is_between = strict < lasted && lasted <= overlap;
        let how = || {
            let successor = takeover.successor;
            format!("node {successor} takes over from {old} after {lasted:?}, not between {strict:?} and {overlap:?}")
        };
        if let Err(broken) = Rule::Fence.demand(is_between, how) {
            self.record.fail(self.now, Some((takeover.successor, takeover.router.election)), broken);
        }
    }

    /// The old master, if its agent is dead or stuck and its kernel has an address yet.
    fn silent_holder(&self, takeover: &Takeover) -> Option<(NodeIndex, LastAdvert)> {
        let (index, node) =
            self.nodes.iter().enumerate().find(|(_, node)| node.setup.source(takeover.family) == takeover.master)?;
        let holds = takeover.addresses.iter().any(|address| node.kernel.holds(*address));
        let adverts = takeover.group.iter().filter_map(|router| node.kernel.last_advert(*router));
        let advert = adverts.max_by_key(|advert| advert.at)?;
        (!node.is_awake() && holds).then_some((index, advert))
    }
}

fn takeover(
    successor: NodeIndex,
    (router, group): (RouterPlace, Vec<RouterPlace>),
    master: IpAddr,
    config: &MemberConfig,
) -> Takeover {
    Takeover { successor, router, group, master, family: config.family, addresses: config.addresses.clone() }
}
