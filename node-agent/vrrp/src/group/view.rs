//! Reading a group: for status, metrics, the driver and the simulator.

use std::net::IpAddr;

use super::{Group, Lifecycle};
use crate::action::{Reason, State};
use crate::config::{GroupConfig, Transport};
use crate::counters::Counters;
use crate::event::{Epoch, Link, MemberIndex};
use crate::master_down::MasterDown;
use crate::member::{Followed, Member};
use crate::time::Instant;
use crate::tracking::TrackState;
use crate::types::Claim;
use crate::wire::{AdvertRepr, EmitError};

impl Group {
    /// The configuration in force.
    pub fn config(&self) -> &GroupConfig {
        &self.config
    }

    /// The state of the group, and so of each of its members.
    pub fn state(&self) -> State {
        self.state
    }

    /// Why the group is in this state.
    pub fn reason(&self) -> Reason {
        self.reason
    }

    /// Since when the group is in this state.
    pub fn since(&self) -> Instant {
        self.since
    }

    /// The number of the present state.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The state of each tracker, in the order of the configuration.
    pub fn tracked(&self) -> &[TrackState] {
        &self.tracked
    }

    /// Whether a member's interface works.
    pub fn link(&self, index: MemberIndex) -> Link {
        self.member(index).map_or(Link::Unknown, |member| member.link)
    }

    /// The master that a backup's member follows.
    pub fn followed(&self, index: MemberIndex) -> Option<Followed> {
        self.member(index).and_then(|member| member.followed)
    }

    /// The last router that advertised our VRID without being a known peer.
    pub fn foreign_router(&self, index: MemberIndex) -> Option<IpAddr> {
        self.member(index).and_then(|member| member.foreign)
    }

    /// The counters of a member.
    pub fn counters(&self, index: MemberIndex) -> Option<&Counters> {
        self.member(index).map(|member| &member.counters)
    }

    /// The addresses of a member that should be on its interface now.
    pub fn installed(&self, index: MemberIndex) -> impl Iterator<Item = IpAddr> + '_ {
        let member = self.config.members().get(usize::from(index.0)).zip(self.member(index));
        member.into_iter().flat_map(|(config, member)| {
            let addresses = config.addresses.iter().enumerate();
            addresses.filter(|(place, _)| member.installed.contains(*place)).map(|(_, address)| *address)
        })
    }

    /// The members whose master is silent while others of the group still hear theirs.
    ///
    /// The group does not move then: from here nobody can tell whether the master's path is dead or our own.
    pub fn deaf_members(&self) -> impl Iterator<Item = MemberIndex> + '_ {
        let silent = |member: &Member| member.master_down == MasterDown::Expired;
        let backup = self.state == State::Backup;
        self.indices().filter(move |index| backup && self.member(*index).is_some_and(silent))
    }

    /// Whether the group has stopped and holds no address any more.
    pub fn is_finished(&self) -> bool {
        self.lifecycle == Lifecycle::Stopped && self.members.iter().all(|member| member.installed.is_empty())
    }

    /// The destinations of a member's adverts; empty for multicast.
    pub fn unicast_peers(&self, index: MemberIndex) -> &[IpAddr] {
        match self.config.members().get(usize::from(index.0)).map(|config| &config.transport) {
            Some(Transport::Unicast(peers)) => peers,
            Some(Transport::Multicast) | None => &[],
        }
    }

    /// Writes the advert that an [`Action::SendAdvert`](crate::Action::SendAdvert) asks for, to be sent from `source`
    /// to `destination`, into `buffer`. Returns its length in bytes.
    pub fn encode(
        &self,
        index: MemberIndex,
        claim: Claim,
        source: IpAddr,
        destination: IpAddr,
        buffer: &mut [u8],
    ) -> Result<usize, EmitError> {
        let Some(config) = self.config.members().get(usize::from(index.0)) else { return Ok(0) };
        let advert = AdvertRepr {
            vrid: config.virtual_router_id,
            claim,
            protocol: config.protocol,
            interval: config.interval,
            addresses: &config.addresses,
        };
        advert.emit(source, destination, buffer)
    }

    fn member(&self, index: MemberIndex) -> Option<&Member> {
        self.members.get(usize::from(index.0))
    }
}
