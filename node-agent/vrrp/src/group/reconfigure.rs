//! A new configuration while running: only what differs is touched, and no transition is made for it.

use super::{Group, PreemptionHold};
use crate::action::{Action, Reason, State};
use crate::address_set::AddressSet;
use crate::config::{GroupConfig, MemberConfig};
use crate::event::{Epoch, MemberIndex};
use crate::member::{FormerPeers, Member};
use crate::time::Instant;
use crate::timers::{GroupTimer, MemberTimer};
use crate::tracking::TrackState;

impl Group {
    /// Whether this configuration can take the place of the present one without a new election: the same virtual
    /// routers in the same order, each with its VRID and family. What has other members can be a successor:
    /// [`Group::succeed`].
    pub fn can_become(&self, config: &GroupConfig) -> bool {
        let identity = |member: &MemberConfig| (member.virtual_router_id, member.family);
        let (now, then) = (self.config.members().iter().map(identity), config.members().iter().map(identity));
        now.eq(then)
    }

    pub(super) fn reconfigure(
        &mut self,
        now: Instant,
        config: &GroupConfig,
        trackers: &[TrackState],
        actions: &mut Vec<Action>,
    ) {
        if !self.can_become(config) {
            return;
        }
        let old = std::mem::replace(&mut self.config, config.clone());
        self.tracked = super::track::states_for(config, trackers);
        if old.preemption != config.preemption {
            self.preemption = PreemptionHold::Idle;
            self.timers.cancel(GroupTimer::PreemptDelay);
        }
        for (index, old) in self.indices().zip(old.members()) {
            self.exchange_schedule(now, index, old);
            self.exchange_transport(index, old);
        }
        self.resign_if_divided(now, actions);
        self.update_priorities(now, actions);
        for (index, old) in self.indices().zip(old.members()) {
            self.exchange_addresses(now, index, old, actions);
        }
        if self.kernel_fault == Some(Reason::AddressFailed) && addresses_differ(&old, config) {
            self.forget_kernel_fault();
        }
        self.settle(now, actions);
        self.wake_if_agreed(now);
        self.advertise_news(now, &old, actions);
    }

    /// Releases addresses that are no longer ours; a master adds and announces the new ones, unless it is one no more when
    /// all of the configuration is taken in.
    fn exchange_addresses(&mut self, now: Instant, index: MemberIndex, old: &MemberConfig, actions: &mut Vec<Action>) {
        let (master, epoch) = (self.state == State::Master && self.fault().is_none(), self.epoch);
        let Some((config, member)) = self.part(index) else { return };
        let master = master && member.is_advertising();
        if config.addresses == old.addresses {
            return;
        }
        let mut installed = AddressSet::default();
        for (place, address) in old.addresses.iter().enumerate() {
            if !member.installed.contains(place) {
                continue;
            }
            match config.addresses.iter().position(|kept| kept == address) {
                Some(kept) => {
                    installed.insert(kept);
                }
                None => actions.push(Action::RemoveAddress { member: index, address: *address }),
            }
        }
        member.installed = installed;
        member.asked_again = AddressSet::default();
        if master {
            add_missing(config, member, index, epoch, actions);
            // New addresses deserve the whole schedule; the old ones do not mind.
            self.restart_announcements(now, index);
        }
    }

    fn exchange_schedule(&mut self, now: Instant, index: MemberIndex, old: &MemberConfig) {
        let state = self.state;
        let Some((config, member)) = self.part(index) else { return };
        if config.interval != old.interval && member.master_interval == old.interval.get() {
            member.master_interval = config.interval.get();
        }
        if state == State::Master && config.announcements.refresh != old.announcements.refresh {
            match config.announcements.refresh {
                Some(refresh) => member.timers.set(MemberTimer::Refresh, now.saturating_add(refresh)),
                None => member.timers.cancel(MemberTimer::Refresh),
            }
        }
    }

    /// Peers that have not changed yet go on with the former transport, from the addresses that belong to it.
    fn exchange_transport(&mut self, index: MemberIndex, old: &MemberConfig) {
        let Some((config, member)) = self.part(index) else { return };
        if config.changes_transport(old) {
            let peers = old.known_peers.clone();
            member.former_peers = Some(peers.map_or(FormerPeers::Anyone, FormerPeers::These));
        }
    }

    /// Peers wait for the interval that they heard last, so a master tells them a new one at once. From this advert on
    /// it also measures its own stalls with the new interval. By a new transport it shows its new address, and in a new
    /// version it speaks to those that have changed before.
    fn advertise_news(&mut self, now: Instant, old: &GroupConfig, actions: &mut Vec<Action>) {
        for (index, old) in self.indices().zip(old.members()) {
            let (master, Some((config, member))) = (self.state == State::Master, self.part(index)) else { continue };
            let Some(next) = member.timers.get(MemberTimer::Advert) else { continue };
            let told = next == now.saturating_add(config.interval.get());
            let news = config.interval != old.interval
                || config.protocol.version() != old.protocol.version()
                || config.changes_transport(old);
            if master && news && !told {
                self.advertise(now, index, actions);
            }
        }
    }
}

fn addresses_differ(old: &GroupConfig, new: &GroupConfig) -> bool {
    let mut members = old.members().iter().zip(new.members());
    members.any(|(old, new)| old.addresses != new.addresses)
}

fn add_missing(
    config: &MemberConfig,
    member: &mut Member,
    index: MemberIndex,
    epoch: Epoch,
    actions: &mut Vec<Action>,
) {
    for (place, address) in config.addresses.iter().enumerate() {
        if member.installed.insert(place) {
            member.counters.announcements_sent += 1;
            actions.push(Action::AddAddress { member: index, address: *address, epoch });
            actions.push(Action::Announce { member: index, address: *address });
        }
    }
}
