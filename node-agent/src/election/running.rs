//! A group that runs, with what the thread keeps about it beside the protocol.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use holdfast_vrrp::{Followed, Group, Link, MemberIndex, State, Transport};

use super::demultiplex::RouterKey;
use crate::desired::{DesiredGroup, DesiredRouter};
use crate::network::fence::pulse::Pulse;
use crate::network::interfaces::{InterfaceIndex, Placement};
use crate::network::sockets::SenderId;
use crate::snapshot::Obstacle;

/// A group that runs, or drains.
#[derive(Debug)]
pub(super) struct RunningGroup {
    pub(super) desired: Arc<DesiredGroup>,
    pub(super) group: Group,
    pub(super) members: Vec<RunningMember>,
    /// It is on its way out: another group may have its name already.
    pub(super) leaving: bool,
    /// How often it became master or ceased to be.
    pub(super) transitions: u64,
    pub(super) since: SystemTime,
    /// Why it is in its state, for people.
    pub(super) message: Arc<str>,
    /// The master that it followed last; the group itself forgets it when it takes over.
    pub(super) last_master: Option<Followed>,
    /// The last refusal of the kernel, for people.
    pub(super) last_error: String,
}

/// A virtual router of a running group.
#[derive(Clone, Debug, Default)]
pub(super) struct RunningMember {
    /// Where it runs; none while there is no such place.
    pub(super) binding: Option<Binding>,
    /// When its adverts left there, for the fence.
    pub(super) pulse: Option<Arc<Pulse>>,
    /// What the group knows of its interface.
    pub(super) told: Link,
    /// Why it does not run; none while it does.
    pub(super) obstacle: Option<Obstacle>,
}

/// Where a virtual router runs, and by which sockets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Binding {
    pub(super) interface: InterfaceIndex,
    pub(super) source: IpAddr,
    pub(super) sender: SenderId,
    pub(super) multicast: bool,
}

impl RunningGroup {
    pub(super) fn new(desired: Arc<DesiredGroup>, group: Group) -> Self {
        Self {
            members: vec![RunningMember::default(); group.config().members().len()],
            desired,
            group,
            leaving: false,
            transitions: 0,
            since: SystemTime::now(),
            message: Arc::from(""),
            last_master: None,
            last_error: String::new(),
        }
    }

    /// Goes on with what was noted about a group that this one is made of.
    pub(super) fn inherit(&mut self, former: &Self) {
        self.transitions = former.transitions;
        self.since = former.since;
        self.message = Arc::clone(&former.message);
        self.last_master = former.last_master;
        self.last_error.clone_from(&former.last_error);
    }

    pub(super) fn is_master(&self) -> bool {
        self.group.state() == State::Master
    }

    /// Remembers whom the group follows now.
    pub(super) fn note_master(&mut self) {
        if let Some(followed) = self.group.followed(MemberIndex(0)) {
            self.last_master = Some(followed);
        }
    }

    pub(super) fn binding(&self, member: MemberIndex) -> Option<Binding> {
        self.members.get(usize::from(member.0)).and_then(|member| member.binding)
    }

    pub(super) fn pulse(&self, member: MemberIndex) -> Option<&Pulse> {
        self.members.get(usize::from(member.0)).and_then(|member| member.pulse.as_deref())
    }

    pub(super) fn router(&self, member: MemberIndex) -> Option<&DesiredRouter> {
        self.desired.routers.get(usize::from(member.0))
    }

    /// The name of a virtual router; that of the group if there is no such one.
    pub(super) fn router_name(&self, member: MemberIndex) -> &str {
        self.router(member).map_or(&self.desired.name, |router| &router.name)
    }

    pub(super) fn indices(&self) -> impl Iterator<Item = MemberIndex> + use<> {
        (0..=u8::MAX).take(self.members.len()).map(MemberIndex)
    }

    /// What tells a virtual router apart on this interface.
    pub(super) fn key(&self, member: MemberIndex, interface: InterfaceIndex) -> Option<RouterKey> {
        let config = self.group.config().members().get(usize::from(member.0))?;
        Some(RouterKey { interface, family: config.family, vrid: config.virtual_router_id })
    }

    pub(super) fn uses_multicast(&self, member: MemberIndex) -> bool {
        let config = self.group.config().members().get(usize::from(member.0));
        config.is_some_and(|config| config.transport == Transport::Multicast)
    }

    /// Whether adverts go to addresses that need not be on the same link.
    pub(super) fn is_routed(&self, member: MemberIndex) -> bool {
        let link_local = |peer: &IpAddr| matches!(peer, IpAddr::V6(address) if address.is_unicast_link_local());
        self.group.unicast_peers(member).iter().any(|peer| !link_local(peer))
    }

    /// Where and how an address of a virtual router stands on the interface.
    pub(super) fn placement(&self, member: MemberIndex, address: IpAddr) -> Option<Placement> {
        let interface = self.binding(member)?.interface;
        let configured = self.router(member)?.addresses.iter().find(|configured| configured.address == address);
        let prefix_length = configured.map_or(if address.is_ipv4() { 32 } else { 128 }, |found| found.prefix_length);
        Some(Placement { interface, address, prefix_length })
    }
}
