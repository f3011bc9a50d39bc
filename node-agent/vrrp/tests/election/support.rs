//! A router to be tested: a group on a clock that the test moves, and adverts to throw at it.

use std::net::IpAddr;
use std::time::Duration;

use holdfast_vrrp::wire::{AdvertRepr, Datagram, advert};
use holdfast_vrrp::{
    Action, AdvertInterval, Announcements, Claim, Epoch, Event, Family, Group, GroupConfig, Instant, Ipv4Checksum,
    Link, MemberConfig, MemberIndex, Notice, Preemption, Priority, Protocol, Reason, State, TrackState, Tracker,
    Transport, VirtualRouterId, Weight,
};

pub(crate) const V2: Protocol = Protocol::V2 { password: None };
pub(crate) const V3: Protocol = Protocol::V3 { checksum: Ipv4Checksum::PseudoHeader };
pub(crate) const PREEMPT: Preemption = Preemption::Preempt { delay: Duration::ZERO };

/// The first and the second member of a group.
pub(crate) const FIRST: MemberIndex = MemberIndex(0);
pub(crate) const SECOND: MemberIndex = MemberIndex(1);

/// The router under test has this address; routers below lose a tie against it, routers above win it.
pub(crate) const OWN: &str = "10.77.0.10";
pub(crate) const BELOW: &str = "10.77.0.5";
pub(crate) const ABOVE: &str = "10.77.0.20";
pub(crate) const STRANGER: &str = "10.77.0.99";
pub(crate) const VIP: &str = "10.77.0.100";

pub(crate) const OWN_V6: &str = "fe80::10";
pub(crate) const BELOW_V6: &str = "fe80::5";
pub(crate) const ABOVE_V6: &str = "fe80::20";
pub(crate) const VIP_V6: &str = "fd77::100";

pub(crate) fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub(crate) const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

pub(crate) fn priority(number: u8) -> Priority {
    Priority::new(number).unwrap()
}

pub(crate) fn weight(weight: i32) -> Tracker {
    Tracker { weight: Weight::new(weight).unwrap(), reverse: false }
}

/// VRRPv3 over IPv4, priority 100, one address, 1 s, one announcement per takeover; the peers are known.
pub(crate) fn member() -> MemberConfig {
    MemberConfig {
        virtual_router_id: VirtualRouterId::new(51).unwrap(),
        family: Family::Ipv4,
        protocol: V3,
        interval: AdvertInterval::v3(ms(1_000)).unwrap(),
        priority: priority(100),
        addresses: vec![ip(VIP)],
        transport: Transport::Multicast,
        known_peers: Some(vec![ip(BELOW), ip(ABOVE)]),
        rival: None,
        announcements: Announcements { count: 1, delay: Duration::ZERO, refresh: None },
    }
}

/// The same over IPv6.
pub(crate) fn member_v6() -> MemberConfig {
    MemberConfig {
        family: Family::Ipv6,
        addresses: vec![ip(VIP_V6)],
        known_peers: Some(vec![ip(BELOW_V6), ip(ABOVE_V6)]),
        ..member()
    }
}

pub(crate) fn with_priority(number: u8) -> MemberConfig {
    MemberConfig { priority: priority(number), ..member() }
}

pub(crate) fn with_interval(milliseconds: u64) -> MemberConfig {
    MemberConfig { interval: AdvertInterval::v3(ms(milliseconds)).unwrap(), ..member() }
}

pub(crate) fn single(member: MemberConfig) -> GroupConfig {
    GroupConfig::new(vec![member], PREEMPT, Vec::new()).unwrap()
}

pub(crate) fn preempting(member: MemberConfig, preemption: Preemption) -> GroupConfig {
    GroupConfig::new(vec![member], preemption, Vec::new()).unwrap()
}

pub(crate) fn tracking(member: MemberConfig, trackers: Vec<Tracker>) -> GroupConfig {
    GroupConfig::new(vec![member], PREEMPT, trackers).unwrap()
}

/// IPv4 and IPv6, one owner.
pub(crate) fn dual_stack(number: u8) -> GroupConfig {
    let members = vec![with_priority(number), MemberConfig { priority: priority(number), ..member_v6() }];
    GroupConfig::new(members, PREEMPT, Vec::new()).unwrap()
}

/// A group on a clock that only the test moves.
#[derive(Clone, Debug)]
pub(crate) struct Router {
    pub(crate) group: Group,
    pub(crate) now: Instant,
}

impl Router {
    /// Not started; its interfaces are not known yet.
    pub(crate) fn new(config: GroupConfig) -> Self {
        Self { group: Group::new(config, &[]), now: Instant::from_nanos(1_000_000_000_000) }
    }

    /// Started, all interfaces up, all trackers up.
    pub(crate) fn started(config: GroupConfig) -> Self {
        let trackers = config.trackers.len();
        let mut router = Self::new(config);
        router.links_up();
        for tracker in 0..trackers {
            router.track(tracker, TrackState::Up);
        }
        router.handle(Event::Start);
        router
    }

    /// Master, since just now.
    pub(crate) fn master(config: GroupConfig) -> Self {
        let mut router = Self::started(config);
        router.wait_for(State::Master);
        router
    }

    pub(crate) fn handle(&mut self, event: Event<'_>) -> Vec<Action> {
        let mut actions = Vec::new();
        self.group.handle(self.now, event, &mut actions);
        actions
    }

    // === time ===

    /// Lets time pass, and wakes the group at each of its deadlines.
    pub(crate) fn pass(&mut self, duration: Duration) -> Vec<Action> {
        let end = self.now.saturating_add(duration);
        let mut actions = Vec::new();
        while let Some(deadline) = self.group.next_deadline().filter(|deadline| *deadline <= end) {
            self.now = self.now.max(deadline);
            actions.extend(self.handle(Event::Timer));
        }
        self.now = end;
        actions
    }

    /// Lets time pass without waking the group.
    pub(crate) fn sleep(&mut self, duration: Duration) {
        self.now = self.now.saturating_add(duration);
    }

    /// Lets time pass until the group is in this state; returns how long it took and what the group did then.
    pub(crate) fn wait_for(&mut self, state: State) -> (Duration, Vec<Action>) {
        let began = self.now;
        for _ in 0..1_000 {
            let Some(deadline) = self.group.next_deadline() else { break };
            self.now = self.now.max(deadline);
            let actions = self.handle(Event::Timer);
            if self.group.state() == state {
                return (self.now.saturating_since(began), actions);
            }
        }
        panic!("never {state:?}: {:?} because {:?}", self.group.state(), self.group.reason());
    }

    /// How long until the group wants to be woken.
    pub(crate) fn next(&self) -> Option<Duration> {
        self.group.next_deadline().map(|deadline| deadline.saturating_since(self.now))
    }

    // === what the router hears ===

    pub(crate) fn hear(&mut self, from: &str, number: u8) -> Vec<Action> {
        self.hear_on(FIRST, from, number)
    }

    pub(crate) fn hear_on(&mut self, member: MemberIndex, from: &str, number: u8) -> Vec<Action> {
        let interval = self.config(member).interval;
        self.hear_claim(member, from, Claim::Master(priority(number)), interval)
    }

    /// An advert of a router with another interval than ours.
    pub(crate) fn hear_every(&mut self, from: &str, number: u8, milliseconds: u64) -> Vec<Action> {
        let interval = AdvertInterval::v3(ms(milliseconds)).unwrap();
        self.hear_claim(FIRST, from, Claim::Master(priority(number)), interval)
    }

    pub(crate) fn hear_release(&mut self, from: &str) -> Vec<Action> {
        self.hear_release_on(FIRST, from)
    }

    pub(crate) fn hear_release_on(&mut self, member: MemberIndex, from: &str) -> Vec<Action> {
        let interval = self.config(member).interval;
        self.hear_claim(member, from, Claim::Release, interval)
    }

    fn config(&self, member: MemberIndex) -> MemberConfig {
        self.group.config().members()[usize::from(member.0)].clone()
    }

    pub(crate) fn hear_claim(
        &mut self,
        member: MemberIndex,
        from: &str,
        claim: Claim,
        interval: AdvertInterval,
    ) -> Vec<Action> {
        let config = self.config(member);
        let addresses = config.addresses.clone();
        self.hear_listing(member, from, claim, interval, &addresses)
    }

    pub(crate) fn hear_listing(
        &mut self,
        member: MemberIndex,
        from: &str,
        claim: Claim,
        interval: AdvertInterval,
        addresses: &[IpAddr],
    ) -> Vec<Action> {
        let config = self.config(member);
        let repr = AdvertRepr { vrid: config.virtual_router_id, claim, protocol: config.protocol, interval, addresses };
        self.hear_datagram(member, from, advert::group(config.family), 255, &repr)
    }

    /// An advert that was sent to us alone.
    pub(crate) fn hear_unicast(&mut self, from: &str, number: u8, hop_limit: u8) -> Vec<Action> {
        let MemberConfig { virtual_router_id: vrid, protocol, interval, addresses, family, .. } = self.config(FIRST);
        let claim = Claim::Master(priority(number));
        let repr = AdvertRepr { vrid, claim, protocol, interval, addresses: &addresses };
        let own = ip(if family == Family::Ipv4 { OWN } else { OWN_V6 });
        self.hear_datagram(FIRST, from, own, hop_limit, &repr)
    }

    fn hear_datagram(
        &mut self,
        member: MemberIndex,
        from: &str,
        destination: IpAddr,
        hop_limit: u8,
        repr: &AdvertRepr<'_>,
    ) -> Vec<Action> {
        let source = ip(from);
        let mut message = vec![0; repr.length()];
        repr.emit(source, destination, &mut message).unwrap();
        let datagram = Datagram { source, destination, hop_limit, payload: &message };
        self.handle(Event::Packet { member, datagram })
    }

    // === what else happens ===

    pub(crate) fn links_up(&mut self) -> Vec<Action> {
        let families: Vec<Family> = self.group.config().members().iter().map(|member| member.family).collect();
        let mut actions = Vec::new();
        for (member, family) in (0..).map(MemberIndex).zip(families) {
            let source = ip(if family == Family::Ipv4 { OWN } else { OWN_V6 });
            actions.extend(self.handle(Event::Link { member, link: Link::Up { source } }));
        }
        actions
    }

    pub(crate) fn link_down(&mut self, member: MemberIndex) -> Vec<Action> {
        self.handle(Event::Link { member, link: Link::Down })
    }

    pub(crate) fn track(&mut self, tracker: usize, state: TrackState) -> Vec<Action> {
        self.handle(Event::Track { tracker, state })
    }

    pub(crate) fn reconfigure(&mut self, config: &GroupConfig) -> Vec<Action> {
        let trackers = self.group.tracked().to_vec();
        self.handle(Event::Reconfigure { config, trackers: &trackers })
    }

    pub(crate) fn refuse_address(&mut self, address: &str, epoch: Epoch) -> Vec<Action> {
        self.handle(Event::AddressFailed { member: FIRST, address: ip(address), epoch })
    }

    // === what the group is ===

    pub(crate) fn state(&self) -> State {
        self.group.state()
    }

    pub(crate) fn reason(&self) -> Reason {
        self.group.reason()
    }

    pub(crate) fn installed(&self) -> Vec<IpAddr> {
        let members = (0..).map(MemberIndex).take(self.group.config().members().len());
        members.flat_map(|member| self.group.installed(member).collect::<Vec<_>>()).collect()
    }
}

// === what the group did, notices left aside ===

pub(crate) fn advert(number: u8) -> Action {
    Action::SendAdvert { member: FIRST, claim: Claim::Master(priority(number)) }
}

pub(crate) const RELEASE: Action = Action::SendAdvert { member: FIRST, claim: Claim::Release };

pub(crate) fn add(address: &str, epoch: Epoch) -> Action {
    Action::AddAddress { member: FIRST, address: ip(address), epoch }
}

pub(crate) fn remove(address: &str) -> Action {
    Action::RemoveAddress { member: FIRST, address: ip(address) }
}

pub(crate) fn announce(address: &str) -> Action {
    Action::Announce { member: FIRST, address: ip(address) }
}

pub(crate) fn deeds(actions: &[Action]) -> Vec<Action> {
    actions.iter().filter(|action| !matches!(action, Action::Notify(_))).copied().collect()
}

pub(crate) fn notices(actions: &[Action]) -> Vec<Notice> {
    let notice = |action: &Action| match action {
        Action::Notify(notice) => Some(*notice),
        _ => None,
    };
    actions.iter().filter_map(notice).collect()
}

pub(crate) fn adverts(actions: &[Action]) -> Vec<Claim> {
    let claim = |action: &Action| match action {
        Action::SendAdvert { claim, .. } => Some(*claim),
        _ => None,
    };
    actions.iter().filter_map(claim).collect()
}

pub(crate) fn announcements(actions: &[Action]) -> usize {
    actions.iter().filter(|action| matches!(action, Action::Announce { .. })).count()
}
