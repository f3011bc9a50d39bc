//! What the fence has to know, and what it tells.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use holdfast_vrrp::{Transport, VirtualRouterId, timing};

use super::Driver;
use crate::desired::{Desired, DesiredGroup, Fencing, release_timeout};
use crate::election::demultiplex::RouterKey;
use crate::election::leases::Period;
use crate::election::report::Report;
use crate::election::running::RunningGroup;
use crate::election::slot::Seat;
use crate::network::address_worker::FenceNews;
use crate::network::fence::pulse::{Pulse, Pulses};
use crate::network::fence::{Closed, Fence, Guard};
use crate::network::interfaces::{InterfaceIndex, Placement};
use crate::network::netlink::Lifetime;

/// What the thread knows of the fence.
#[derive(Debug, Default)]
pub(super) struct FenceState {
    /// What was ordered for each address that is held.
    pub(super) guards: HashMap<Placement, Option<Guard>>,
    /// What a dead agent holds is silenced by the fence, and not only by lifetimes.
    pub(super) stands: bool,
    pulses: Pulses,
    /// Packets that were dropped since the thread started.
    drops: HashMap<RouterKey, u64>,
    /// How many orders to change guards are under way.
    changes: usize,
    /// What is to run as soon as they are carried out.
    prepared: Option<Desired>,
}

impl FenceState {
    /// Without a fence short lifetimes are all that silences a dead agent: what the kernel can do without the egress hook.
    pub(super) fn of(fence: Option<&Fence>) -> Self {
        let pulses = fence.map(Fence::pulses).unwrap_or_default();
        Self { stands: fence.is_some(), pulses, ..Self::default() }
    }

    /// How often an address with this guard is renewed.
    pub(super) fn period(&self, guard: Option<Guard>) -> Period {
        if guard.is_some() && self.stands { Period::Long } else { Period::Short }
    }

    /// The kernel lifetime that an address has.
    pub(super) fn lifetime(&self, placement: &Placement) -> Lifetime {
        let guard = self.guards.get(placement).copied().flatten().filter(|_| self.stands);
        guard.map_or(Lifetime::SHORT, |guard| guard.lifetime())
    }

    /// What silences these addresses, for which this is asked; none if there is none.
    pub(super) fn in_force(&self, asked: Fencing, held: impl Iterator<Item = Option<Placement>>) -> Option<Fencing> {
        let is_guarded =
            |placement: Option<Placement>| placement.and_then(|placement| *self.guards.get(&placement)?).is_some();
        let all = held.map(is_guarded).reduce(|one, other| one && other)?;
        Some(if all && self.stands { asked } else { Fencing::None })
    }

    /// A change of guards has been carried out.
    pub(super) fn note_changed(&mut self) {
        self.changes = self.changes.saturating_sub(1);
    }

    /// The guards that must last longer before this configuration is taken in: the kernel has to wait for the next advert
    /// before it comes later. To last shorter they have time: until adverts come more often.
    fn longer(&self, desired: &Desired) -> Vec<(Placement, Option<Guard>)> {
        if !self.stands {
            return Vec::new();
        }
        let wanted: HashMap<(IpAddr, u8), Guard> = desired.groups.iter().flat_map(|group| guards(group)).collect();
        let longer = self.guards.iter().filter_map(|(placement, guard)| {
            let before = (*guard)?;
            let after = wanted.get(&(placement.address, before.virtual_router_id))?;
            let (timeout, release) = (before.timeout.max(after.timeout), before.release.max(after.release));
            let longer = Guard { timeout, release, ..before };
            (longer != before).then_some((*placement, Some(longer)))
        });
        longer.collect()
    }
}

/// The guards of a group, by address and VRID.
fn guards(group: &DesiredGroup) -> impl Iterator<Item = ((IpAddr, u8), Guard)> + '_ {
    let members = group.routers.iter().enumerate();
    let guarded = members.filter_map(|(place, router)| Some((router, guard(group, place)?)));
    guarded.flat_map(|(router, guard)| {
        router.addresses.iter().map(move |configured| ((configured.address, guard.virtual_router_id), guard))
    })
}

/// What keeps the addresses of a member of a group alive; none if they are not to be fenced.
fn guard(group: &DesiredGroup, place: usize) -> Option<Guard> {
    let members = group.config.members();
    let config = members.get(place)?;
    // Nobody is told, so no advert leaves that could keep anything alive; and nobody takes over.
    if matches!(&config.transport, Transport::Unicast(peers) if peers.is_empty()) {
        return None;
    }
    // A group is taken over as a whole, so its slowest member decides.
    let interval = members.iter().map(|member| member.interval.get()).max()?;
    let bounds = members.iter().map(|member| timing::release_bound(&member.protocol, member.interval.get()));
    Some(Guard {
        family: config.family,
        virtual_router_id: config.virtual_router_id.get(),
        timeout: group.routers.get(place)?.fencing.timeout(interval)?,
        release: release_timeout(bounds.max()?),
    })
}

impl Driver {
    /// What keeps the addresses of a virtual router alive; none if they are not to be fenced.
    pub(super) fn guard(&self, seat: Seat) -> Option<Guard> {
        guard(&self.engine.get(seat.slot)?.desired, usize::from(seat.member.0))
    }

    /// What its adverts are to be noted in.
    pub(super) fn pulse(&self, seat: Seat, interface: InterfaceIndex) -> Option<Arc<Pulse>> {
        let RouterKey { interface, family, vrid } = self.engine.get(seat.slot)?.key(seat.member, interface)?;
        Some(self.fence.pulses.of(interface, family, vrid.get()))
    }

    /// What silences the addresses that a virtual router holds; none while it holds none.
    pub(super) fn fencing_in_force(&self, running: &RunningGroup, seat: Seat, held: &[IpAddr]) -> Option<Fencing> {
        let asked = running.router(seat.member)?.fencing;
        self.fence.in_force(asked, held.iter().map(|address| running.placement(seat.member, *address)))
    }

    /// How many packets were dropped before the addresses of a virtual router.
    pub(super) fn fence_dropped_packets(&self, running: &RunningGroup, seat: Seat) -> u64 {
        let binding = running.binding(seat.member);
        let key = binding.and_then(|binding| running.key(seat.member, binding.interface));
        key.and_then(|key| self.fence.drops.get(&key)).copied().unwrap_or_default()
    }

    /// Makes these groups run and no others, as soon as the fence allows it.
    pub(super) fn prepare(&mut self, desired: Desired) {
        let longer = self.fence.longer(&desired);
        self.change_guards(longer);
        self.fence.prepared = Some(desired);
        self.apply_prepared();
    }

    pub(super) fn apply_prepared(&mut self) {
        if self.fence.changes == 0
            && let Some(desired) = self.fence.prepared.take()
        {
            self.apply(desired);
        }
    }

    /// Intervals and modes may have changed while addresses are held.
    pub(super) fn renew_guards(&mut self) {
        let now = self.holdings.iter().map(|(placement, owner)| (placement, self.guard(owner)));
        let changed = now.filter(|(placement, guard)| self.fence.guards.get(placement) != Some(guard)).collect();
        self.change_guards(changed);
    }

    fn change_guards(&mut self, changed: Vec<(Placement, Option<Guard>)>) {
        if changed.is_empty() {
            return;
        }
        self.fence.guards.extend(changed.iter().copied());
        let placements = changed.iter().map(|(placement, _)| *placement).collect();
        self.fence.changes += 1;
        self.worker.guard(changed);
        self.renew_at_once(placements);
    }

    /// The lifetime of an address has to fit its guard.
    fn renew_at_once(&mut self, placements: Vec<Placement>) {
        for placement in &placements {
            let period = self.fence.period(self.fence.guards.get(placement).copied().flatten());
            self.leases.begin(*placement, period, self.now);
        }
        self.order_renewal(placements);
    }

    /// The fence has something to tell.
    pub(super) fn note_fence(&mut self, news: FenceNews) {
        match news {
            FenceNews::Restored => {
                self.counted.fence_restored += 1;
                self.report(Report::FenceRestored);
            }
            FenceNews::Lost(error) => {
                self.fence.stands = false;
                // Lifetimes are all that is left: they must be short, at once.
                self.leases.shorten();
                self.degraded(format!("the fence cannot be set up: {}", error.desc()));
            }
            FenceNews::Found => {
                self.fence.stands = true;
                let guarded = self.fence.guards.iter().filter(|(_, guard)| guard.is_some());
                let guarded = guarded.map(|(placement, _)| *placement).collect();
                self.renew_at_once(guarded);
            }
            FenceNews::Closed(closed) => closed.into_iter().for_each(|closed| self.note_closed(closed)),
        }
    }

    fn note_closed(&mut self, closed: Closed) {
        let Closed { interface, family, virtual_router_id, packets } = closed;
        let Ok(vrid) = VirtualRouterId::new(virtual_router_id) else { return };
        let key = RouterKey { interface, family, vrid };
        *self.fence.drops.entry(key).or_default() += packets;
        self.counted.fence_dropped_packets += packets;
        let seat = self.demultiplexer.router(key);
        let running = seat.and_then(|seat| Some((self.engine.get(seat.slot)?, seat.member)));
        let report = if let Some((running, member)) = running {
            Report::FenceClosed { router: running.router_name(member).to_owned(), packets }
        } else {
            let found = self.interfaces.get(interface);
            let interface = found.map_or_else(|| interface.to_string(), |found| found.link.name.clone());
            Report::FenceWasClosed { interface, virtual_router_id, packets }
        };
        self.report(report);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use holdfast_vrrp::AdvertInterval;

    use super::*;
    use crate::election::test_groups::{group_with, united, vip_group};
    use crate::network::fence::BROOM;

    const VRID: u8 = 51;

    fn every(milliseconds: u64) -> DesiredGroup {
        group_with("a", VRID, |member| {
            member.interval = AdvertInterval::v3(Duration::from_millis(milliseconds)).expect("an interval");
        })
    }

    fn placement(group: &DesiredGroup) -> Placement {
        let address = group.routers[0].addresses[0].address;
        Placement { interface: InterfaceIndex::new(2), address, prefix_length: 32 }
    }

    fn holding(group: &DesiredGroup, stands: bool) -> FenceState {
        let guards = [(placement(group), guard(group, 0))].into();
        FenceState { guards, stands, ..FenceState::default() }
    }

    /// The timeout that a guard must have before this configuration is taken in.
    fn must_grow_to(before: &DesiredGroup, after: &DesiredGroup) -> Option<u128> {
        let longer = holding(before, true).longer(&Desired { groups: vec![after.clone().into()] });
        longer.first().and_then(|(_, guard)| guard.map(|guard| guard.timeout.as_millis()))
    }

    #[test]
    fn where_the_kernel_has_no_fence_short_lifetimes_are_all_that_there_is() {
        let group = vip_group("a", VRID);
        for (state, period, lifetime, in_force) in [
            (FenceState::of(None), Period::Short, Lifetime::SHORT, Fencing::None),
            (holding(&group, false), Period::Short, Lifetime::SHORT, Fencing::None),
            (holding(&group, true), Period::Long, Lifetime::at_least(BROOM), Fencing::Overlap),
        ] {
            assert_eq!(state.period(guard(&group, 0)), period);
            assert_eq!(state.lifetime(&placement(&group)), lifetime);
            let held = || [Some(placement(&group))].into_iter();
            assert_eq!(state.in_force(Fencing::Overlap, held()), Some(in_force));
        }
    }

    #[test]
    fn fencing_is_in_force_where_all_that_is_held_is_guarded() {
        let group = vip_group("a", VRID);
        let state = holding(&group, true);
        let other = Placement { prefix_length: 24, ..placement(&group) };
        let in_force = |held: &[Option<Placement>]| state.in_force(Fencing::Strict, held.iter().copied());
        assert_eq!(in_force(&[]), None, "a backup holds nothing");
        assert_eq!(in_force(&[Some(placement(&group))]), Some(Fencing::Strict));
        assert_eq!(in_force(&[Some(placement(&group)), Some(other)]), Some(Fencing::None), "one may answer for ever");
        assert_eq!(in_force(&[None]), Some(Fencing::None));
    }

    #[test]
    fn guards_last_longer_before_adverts_come_later() {
        assert_eq!(must_grow_to(&every(100), &every(1_000)), Some(4_040));
        assert_eq!(must_grow_to(&every(100), &every(100)), None);
        assert_eq!(must_grow_to(&every(1_000), &every(100)), None, "shorter only when adverts come more often");
        let slower = group_with("b", 52, |member| {
            member.interval = AdvertInterval::v3(Duration::from_secs(2)).expect("an interval");
        });
        let grouped = united("g", &[&every(100), &slower]);
        assert_eq!(must_grow_to(&every(100), &grouped), Some(8_040), "the slowest of a group decides");
        let other_election = group_with("a", 52, |member| member.interval = every(1_000).config.members()[0].interval);
        assert_eq!(must_grow_to(&every(100), &other_election), None);
    }

    #[test]
    fn without_a_fence_no_configuration_waits_for_it() {
        let desired = Desired { groups: vec![every(1_000).into()] };
        assert_eq!(holding(&every(100), false).longer(&desired), []);
    }

    #[test]
    fn an_address_that_nobody_is_told_of_is_not_fenced() {
        let alone = group_with("a", VRID, |member| member.transport = Transport::Unicast(vec![]));
        assert_eq!(guard(&alone, 0), None);
        let two = group_with("a", VRID, |member| member.transport = Transport::Unicast(vec![[10, 0, 0, 2].into()]));
        assert!(guard(&two, 0).is_some());
    }
}
